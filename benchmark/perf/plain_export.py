"""The converters' plain documented call on a model's tower, against which our exports are compared.

No pass of ours and no option: what a user of the converter gets who follows its manual, on the same weights.
"""

from __future__ import annotations

from pathlib import Path

from pocketclip.export.errors import ConversionError
from pocketclip.export.passes.tower_module import INPUT_NAMES, example_input, tower_module
from pocketclip.export.precision import TargetName, Tower
from pocketclip.export.targets.converter_noise import quiet_loggers
from pocketclip.models.towers.clip import AnyModel

PLAIN_FILES: dict[TargetName, str] = {
    TargetName.ONNX: "model.onnx",
    TargetName.EXECUTORCH: "model.pte",
    TargetName.TFLITE: "model.tflite",
}


def plain_export(model: AnyModel, tower: Tower, target: TargetName, folder: Path) -> Path:
    """Writes the tower in fp32 into `folder` by the target's documented call; returns the file.

    Raises:
        ConversionError: the converter rejects the tower, or the target has no plain call here.
    """
    import torch

    if target not in PLAIN_FILES:
        raise ConversionError(f"there is no plain export for {target}")
    module, example = tower_module(model, tower), example_input(model, tower)
    path = folder / PLAIN_FILES[target]
    quiet_loggers()
    try:
        if target is TargetName.ONNX:
            # Without a name for the output: of the text tower it would be that of the embedding's op.
            program = torch.onnx.export(module, (example,), dynamo=True, input_names=[INPUT_NAMES[tower]])
            assert program is not None
            program.save(path, external_data=False)
        elif target is TargetName.TFLITE:
            import litert_torch

            litert_torch.convert(module, (example,)).export(str(path))
        else:
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
            from executorch.exir import to_edge_transform_and_lower

            lowered = to_edge_transform_and_lower(
                torch.export.export(module, (example,)), partitioner=[XnnpackPartitioner()]
            )
            path.write_bytes(lowered.to_executorch().buffer)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConversionError(f"the plain call of {target} cannot convert the {tower} tower: {reason}") from error
    return path
