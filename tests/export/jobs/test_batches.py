"""`export --batch`: image towers that take several photographs at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pocketclip
from pocketclip.export.api import ExportOptions, export_all
from pocketclip.export.artifact.batches import FilledSession
from pocketclip.export.errors import BundleError
from pocketclip.export.gallery.index_folder import open_index
from pocketclip.export.inputs.samples import parity_inputs
from pocketclip.export.job import ExportResult
from pocketclip.export.precision import BATCHED_TARGETS, Tower
from pocketclip.models.registry import load_config

Exports = dict[tuple[str, str, str], ExportResult]
# No divisor of the samples and the photographs: the last group must be filled up.
BATCH = 4


@pytest.fixture(scope="module")
def batched(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], pocketclip.Artifact]:
    """By target and precision."""
    outcomes = export_all(
        "pocketclip_nano",
        target=BATCHED_TARGETS,
        precision=["fp32", "int8-static"],
        tower="image",
        out=tmp_path_factory.mktemp("batched"),
        options=ExportOptions(batch=BATCH),
        processes=2,
    )
    assert not [result for _, result in outcomes if isinstance(result, Exception)]
    return {(job.target, job.precision): pocketclip.load_artifact(job.folder) for job, _ in outcomes}


@pytest.mark.slow
@pytest.mark.parametrize("target", BATCHED_TARGETS)
@pytest.mark.parametrize("precision", ["fp32", "int8-static"])
def test_it_computes_what_the_usual_one_does(batched: Any, nano_exports: Exports, target: str, precision: str) -> None:
    several, usual = batched[target, precision].manifest, nano_exports[target, precision, "image"].manifest
    assert several.scheme == f"{target}-{precision}-batch4"
    assert (several.inputs[0].shape, several.outputs[0].shape) == ((4, 3, 64, 64), (4, 128))
    assert several.parity is not None and usual.parity is not None and several.parity.passed
    # Ranges are of single samples, so that 8 bits lose as much; ExecuTorch's histograms differ in their bins.
    slack = 0.004 if target == "executorch" else 1e-4
    assert several.parity.cosine_min == pytest.approx(usual.parity.cosine_min, abs=slack)


@pytest.mark.slow
@pytest.mark.parametrize("target", BATCHED_TARGETS)
def test_any_number_of_photographs_is_taken(batched: Any, target: str) -> None:
    artifact = batched[target, "fp32"]
    inputs = np.concatenate(parity_inputs(load_config("pocketclip_nano"), Tower.IMAGE)[-7:])
    whole = artifact.run(inputs)
    assert whole.shape == (7, 128)
    single = np.concatenate([artifact.run(row[None]) for row in inputs])
    np.testing.assert_allclose(whole, single, atol=1e-5)


@pytest.mark.slow
def test_proof_on_fewer_samples_than_the_model_takes_at_once(tmp_path: Path) -> None:
    photos, random = tmp_path / "photos", np.random.default_rng(0)
    photos.mkdir()
    for number in range(20):
        Image.fromarray(random.integers(0, 256, (64, 64, 3), np.uint8)).save(photos / f"{number:02}.png")
    artifact = pocketclip.export(
        "pocketclip_nano",
        target="onnx",
        tower="image",
        out=tmp_path / "out",
        options=ExportOptions(batch=24, parity_data=photos),
    )
    assert artifact.manifest.inputs[0].shape == (24, 3, 64, 64)
    assert artifact.manifest.parity is not None and artifact.manifest.parity.samples == 20
    assert artifact.run(np.zeros((24, 3, 64, 64), np.float32)).shape == (24, 128)


@pytest.mark.slow
def test_photographs_are_indexed_in_groups(
    batched: Any, nano_exports: Exports, tmp_path: Path, pocketclip: Callable[..., Any]
) -> None:
    photos, random = tmp_path / "photos", np.random.default_rng(0)
    photos.mkdir()
    for name in "abcdefg":
        Image.fromarray(random.integers(0, 256, (60, 80, 3), np.uint8)).save(photos / f"{name}.png")
    (photos / "c.png").write_bytes((photos / "a.png").read_bytes()[:300])
    rows = []
    for place, folder in enumerate((batched["onnx", "fp32"].folder, nano_exports["onnx", "fp32", "image"].folder)):
        done = pocketclip("index", photos, "--artifact", folder, "--out", tmp_path / str(place))
        assert done.returncode == 0, done.stderr
        assert "6 photographs; 6 embedded" in done.stderr and "the first, c.png" in done.stderr
        index = open_index(tmp_path / str(place))
        rows.append({photo: index.matrix()[entry.row] for photo, entry in index.photos.items()})
    assert list(rows[0]) == [f"{name}.png" for name in "abdefg"]
    for photo, row in rows[0].items():
        np.testing.assert_allclose(row, rows[1][photo], atol=2e-3)


@pytest.mark.slow
def test_the_ladder_climbs_it(batched: Any) -> None:
    report = batched["onnx", "fp32"].verify(samples=10)
    assert report.passed


@pytest.mark.slow
def test_throughput_takes_it_and_latency_does_not(batched: Any, tmp_path: Path, pocketclip: Callable[..., Any]) -> None:
    folder = batched["onnx", "fp32"].folder
    Image.new("RGB", (60, 60), "red").save(tmp_path / "red.png")
    done = pocketclip(
        *(
            "bench",
            "--throughput",
            tmp_path,
            "--artifact",
            folder,
            "--launches",
            "1",
            "--min-seconds",
            "0.2",
            "--cooldown",
            "0",
        )
    )
    assert done.returncode == 0, done.stderr
    assert "fp32-batch4" in done.stdout
    timed = pocketclip(
        "bench", "--artifact", folder, "--cooldown", "0", "--launches", "2", "--store", tmp_path / "records.jsonl"
    )
    assert timed.returncode == 0, timed.stderr
    assert "untimed" in timed.stdout


@pytest.mark.slow
def test_apps_do_not_take_it(batched: Any, nano_exports: Exports, tmp_path: Path) -> None:
    texts = pocketclip.load_artifact(nano_exports["onnx", "fp32", "text"].folder)
    with pytest.raises(BundleError, match="takes 4 photographs at once, apps give it one; export it without --batch"):
        pocketclip.write_bundle(batched["onnx", "fp32"], texts, out=tmp_path / "bundle", labels=["a red circle"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("--target", "coreml", "--batch", "4"),
            "coreml takes one photograph at once, got --batch 4; choose among: onnx",
        ),
        (("--target", "onnx", "--batch", "0"), "--batch 0 is not allowed; give a number from 1 to 64"),
        (("--target", "onnx", "--batch", "65"), "--batch 65 is not allowed; give a number from 1 to 64"),
        (("--target", "onnx", "--tower", "text", "--batch", "2"), "a text tower takes one text at once"),
        (
            ("--target", "onnx", "--quantize", "int8", "--batch", "2", "--max-drop", "cosine=0.99"),
            "--max-drop searches with one photograph at once, got --batch 2; leave --batch out",
        ),
    ],
)
def test_what_takes_one_photograph_at_once(
    options: tuple[str, ...], words: str, tmp_path: Path, pocketclip: Callable[..., Any], error_line: Any
) -> None:
    refused = pocketclip("export", *options, "--out", tmp_path / "out")
    assert refused.returncode == 2
    assert words in error_line(refused)
    assert not (tmp_path / "out").exists()


def test_a_session_gives_as_many_rows_as_it_takes() -> None:
    given: list[int] = []

    def run(inputs: list[np.ndarray]) -> list[np.ndarray]:
        given.append(len(inputs[0]))
        return [inputs[0] * 2]

    session = FilledSession(SimpleNamespace(run=run, close=lambda: None), 4)
    for count in (1, 3, 4):
        rows = np.arange(count * 2.0).reshape(count, 2)
        np.testing.assert_array_equal(session.run([rows])[0], rows * 2)
    assert given == [4, 4, 4]
    with pytest.raises(ValueError, match=r"takes 1 to 4 rows at once, got \[5\]"):
        session.run([np.zeros((5, 2))])
    with pytest.raises(ValueError, match=r"got \[0\]"):
        session.run([np.zeros((0, 2))])
