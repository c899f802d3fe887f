"""Which artefacts of pocketclip_nano the fixture `nano_exports` holds: target, precision, tower."""

from __future__ import annotations

from pocketclip.export.precision import MAKER_TARGETS, Precision, TargetName, Tower
from pocketclip.export.targets import TARGETS

Cell = tuple[TargetName, Precision, Tower]

# Qualcomm's emulator takes a minute to prove one of these. ONNX Runtime's artefacts show every precision with both
# towers; these show what the other two runtimes add. docs/npu.md has the command that exports all 18.
ONE_TOWER = {
    (TargetName.EXECUTORCH_QNN, Precision.FP16): Tower.TEXT,
    (TargetName.EXECUTORCH_QNN, Precision.INT8_STATIC): Tower.IMAGE,
    (TargetName.EXECUTORCH_QNN, Precision.W8A16_STATIC): Tower.TEXT,
    (TargetName.TFLITE_QNN, Precision.FP16): Tower.TEXT,
    (TargetName.TFLITE_QNN, Precision.INT8_STATIC): Tower.TEXT,
    (TargetName.TFLITE_QNN, Precision.W8A16_STATIC): Tower.IMAGE,
}
CELLS: tuple[Cell, ...] = tuple(
    (target, precision, tower)
    for target, entry in TARGETS.items()
    # Those need a maker's SDK, which no registry has: tests/export/targets/test_tflite_maker.py.
    if target not in MAKER_TARGETS
    for precision in entry.precisions
    for tower in Tower
    if ONE_TOWER.get((target, precision), tower) is tower
)


def cells_of(target: TargetName) -> list[Cell]:
    """Those of one target."""
    return [cell for cell in CELLS if cell[0] is target]
