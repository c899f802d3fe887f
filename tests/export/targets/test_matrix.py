"""Every target at every precision agrees with PyTorch, is complete, and is found again."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from pocketclip.export.artifact.reading import find_artifacts, load_artifact
from pocketclip.export.job import ExportResult
from pocketclip.export.parity.budgets import BUDGETS
from pocketclip.export.parity.measures import cosines
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.targets import TARGETS, open_session
from pocketclip.models import get_tokenizer
from pocketclip.models.text.tokenizer import load_tokenizer
from tests.nano_cells import CELLS

Exports = dict[tuple[str, str, str], ExportResult]

# Share of the base file's size that a precision must stay below, where that is more than the three quarters of most.
LARGER = {
    # Convolutions and depthwise kernels stay in single precision.
    (TargetName.EXECUTORCH, Precision.INT4_DYNAMIC, Tower.IMAGE): 0.85,
    # The embedding has 16 bits, as the base has.
    (TargetName.ONNX_QNN, Precision.W8A16_STATIC, Tower.TEXT): 0.8,
    (TargetName.TFLITE_QNN, Precision.INT8_STATIC, Tower.TEXT): 0.8,
}

pytestmark = pytest.mark.slow


def test_every_offered_precision_has_a_budget_with_a_reason() -> None:
    offered = {(target, precision) for target, entry in TARGETS.items() for precision in entry.precisions}
    assert offered == set(BUDGETS)
    assert all(budget.reason for budget in BUDGETS.values())


def test_every_precision_is_offered_or_said_not_to_be() -> None:
    for entry in TARGETS.values():
        assert entry.schemes.keys() | entry.lacking.keys() == set(Precision)
        assert not entry.schemes.keys() & entry.lacking.keys()
        assert all(scheme.how and scheme.needs for scheme in entry.schemes.values())
        assert all(entry.lacking.values())
        assert {entry.base, entry.int8 or entry.base} <= set(entry.precisions)


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_parity(cell: tuple[str, str, str], nano_exports: Exports) -> None:
    parity = nano_exports[cell].manifest.parity
    assert parity is not None
    assert parity.failures == ()
    assert parity.samples >= 32
    assert parity.multibranch_cosine_min > 0.99999


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_artefact_on_disk_reproduces_its_golden_outputs(cell: tuple[str, str, str], nano_exports: Exports) -> None:
    artifact = load_artifact(nano_exports[cell].folder)
    golden = artifact.manifest.golden
    inputs, expected = artifact.golden(golden.inputs), artifact.golden(golden.outputs)
    session = open_session(artifact)
    found = np.concatenate([session.run([row[None]])[0] for row in inputs])
    session.close()
    # Thread counts and processors differ in rounding, and a rounded step of half floats or of bytes is wider.
    np.testing.assert_allclose(found, expected, atol=1e-5 if artifact.manifest.precision == "fp32" else 2e-3)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-3)
    assert cosines(found, artifact.golden(golden.reference)).min() > 0.9


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_manifest_tells_what_an_application_needs(cell: tuple[str, str, str], nano_exports: Exports) -> None:
    target, _precision, tower = cell
    manifest = nano_exports[cell].manifest
    (source,), (result,) = manifest.inputs, manifest.outputs
    assert result.shape == (1, 128)
    if tower is Tower.IMAGE:
        assert (source.name, source.shape, source.dtype) == ("image", (1, 3, 64, 64), "float32")
        assert (source.minimum, source.maximum) == (0, 1)
        assert manifest.preprocess is not None and manifest.preprocess.image_size == 64
    else:
        assert (source.name, source.shape, source.dtype) == ("token_ids", (1, 32), "int32")
        assert manifest.tokenizer is not None
        carried = load_tokenizer(manifest.tokenizer, nano_exports[cell].folder)
        text = "two purple octagons, naïve"
        np.testing.assert_array_equal(carried(text), get_tokenizer("pocketclip_nano")(text))
        assert source.maximum == carried.size - 1
    assert manifest.versions["torch"]
    assert TARGETS[manifest.target].packages[0] in manifest.versions
    base = nano_exports.get((target, TARGETS[manifest.target].base, tower))
    if manifest.precision.quantized and base is not None:
        share = LARGER.get((manifest.target, manifest.precision, tower), 0.75)
        assert manifest.model_size_bytes < share * base.manifest.model_size_bytes
    assert manifest.requires == TARGETS[manifest.target].schemes[manifest.precision].needs
    assert manifest.inputs_sha256
    assert (manifest.calibration is not None) == manifest.precision.needs_calibration
    if manifest.calibration is not None:
        assert manifest.calibration.source == "scenes" and manifest.calibration.samples >= 128


def test_all_are_found_below_one_folder(nano_exports: Exports) -> None:
    root = next(iter(nano_exports.values())).folder.parents[2]
    found = find_artifacts([root])
    assert len(found) == len(CELLS)
    assert len({artifact.manifest.sha256 for artifact in found}) == len(CELLS)


def test_four_bits_are_smaller_than_eight(nano_exports: Exports) -> None:
    """Each precision pays for what it loses: fewer bytes than the next finer one of its target."""
    finer = [
        ("onnx", "int4-weights", "int8-weights"),
        ("tflite", "int4-weights", "int8-weights"),
        ("coreai", "int4-weights", "int8-weights"),
        ("coreai", "palette4", "palette6"),
        ("coreai", "palette6", "int8-weights"),
        ("coreai", "sparse-int8", "int8-weights"),
        ("coreml", "palette4", "palette6"),
        ("coreml", "palette6", "int8-weights"),
        ("coreml", "sparse-int8", "int8-weights"),
        ("coreml", "sparse-palette6", "sparse-int8"),
    ]
    for target, coarse, fine in finer:
        for tower in Tower:
            sizes = [nano_exports[target, each, tower].manifest.model_size_bytes for each in (coarse, fine)]
            assert sizes[0] < sizes[1], (target, coarse, fine, tower)


def test_integer_activations_are_integers(nano_exports: Exports) -> None:
    from pocketclip.export.coreml_reference import load_program

    counts = load_program(load_artifact(nano_exports["coreml", "int8-static", "image"].folder).model_path).op_counts()
    assert counts["quantize"] >= counts["conv"] // 2
    assert counts["constexpr_affine_dequantize"] >= 20


def test_delegate_is_the_same_program_as_the_package(nano_exports: Exports) -> None:
    """Both come from one conversion: what the `.pte` carries must give the `.mlpackage`'s values, to the last bits."""
    for tower in Tower:
        outputs = [
            load_artifact(nano_exports[target, "fp32", tower].folder) for target in ("coreml", "executorch-coreml")
        ]
        first, second = (artifact.golden(artifact.manifest.golden.outputs) for artifact in outputs)
        np.testing.assert_allclose(first, second, atol=1e-6)


def test_coreml_reference_executor_is_within_fp16_of_pytorch(nano_exports: Exports) -> None:
    for tower in Tower:
        parity = nano_exports["coreml", "fp16", tower].manifest.parity
        assert parity is not None
        assert parity.cosine_min >= 0.9999
        assert "coremltools" in parity.executed_by


@pytest.mark.parametrize("precision", TARGETS[TargetName.ONNX].precisions)
@pytest.mark.parametrize("tower", Tower)
def test_onnx_files_follow_the_specification(precision: Precision, tower: Tower, nano_exports: Exports) -> None:
    """ONNX Runtime itself also takes nodes that are out of order, and types that contradict each other."""
    artifact = load_artifact(nano_exports[TargetName.ONNX, precision, tower].folder)
    onnx.checker.check_model(onnx.load(artifact.model_path), full_check=True)
