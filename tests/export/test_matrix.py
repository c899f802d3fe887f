"""Every target at its base and int8 precision agrees with PyTorch, is complete, and is found again."""

from __future__ import annotations

import numpy as np
import pytest

from export.artifact import find_artifacts, load_artifact
from export.budgets import BUDGETS
from export.job import ExportResult
from export.parity import cosines
from export.precision import Tower
from export.targets import TARGETS, open_session
from models import get_tokenizer
from models.tokenizer import load_tokenizer

Exports = dict[tuple[str, str, str], ExportResult]

CELLS = [
    (target, precision, tower)
    for target, entry in TARGETS.items()
    for precision in (entry.base, entry.int8)
    for tower in Tower
]

pytestmark = pytest.mark.slow


def test_every_offered_precision_has_a_budget_with_a_reason() -> None:
    offered = {(target, precision) for target, entry in TARGETS.items() for precision in entry.precisions}
    assert offered == set(BUDGETS)
    assert all(budget.reason for budget in BUDGETS.values())


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
    if manifest.precision.quantized:
        base = nano_exports[target, TARGETS[manifest.target].base, tower].manifest
        assert manifest.model_size_bytes < 0.75 * base.model_size_bytes


def test_all_are_found_below_one_folder(nano_exports: Exports) -> None:
    root = next(iter(nano_exports.values())).folder.parents[2]
    found = find_artifacts([root])
    assert len(found) == len(CELLS)
    assert len({artifact.manifest.sha256 for artifact in found}) == len(CELLS)


def test_coreml_reference_executor_is_within_fp16_of_pytorch(nano_exports: Exports) -> None:
    for tower in Tower:
        parity = nano_exports["coreml", "fp16", tower].manifest.parity
        assert parity is not None
        assert parity.cosine_min >= 0.9999
        assert "coremltools" in parity.executed_by
