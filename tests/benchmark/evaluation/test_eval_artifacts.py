"""`pocketclip eval --artifact` of bundles, and of folders with a tower whose other one is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pocketclip.benchmark.commands import evaluate as eval_cli
from pocketclip.benchmark.records.accuracy import AccuracyRecord
from pocketclip.benchmark.report.material import Material
from pocketclip.benchmark.report.render import render
from pocketclip.benchmark.store import open_store
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.bundle.fitting import BundleRequest
from pocketclip.export.bundle.writing import write_bundle
from pocketclip.export.errors import ArtifactNotFoundError
from pocketclip.export.precision import Precision, Tower
from pocketclip.models.scenes import SceneDataset, Split
from pocketclip.models.terminal import command_line
from tests.export.bundle.tiny_artifacts import LABELS, build_artifact

Evaluate = Callable[..., list[AccuracyRecord]]


@pytest.fixture
def towers(tmp_path: Path) -> tuple[Artifact, Artifact]:
    image, text = (build_artifact(tmp_path / "artifacts", tower) for tower in Tower)
    return image, text


@pytest.fixture
def bundle(towers: tuple[Artifact, Artifact], tmp_path: Path) -> Path:
    write_bundle(BundleRequest(*towers, LABELS), tmp_path / "clip.bundle")
    return tmp_path / "clip.bundle"


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    from PIL import Image

    scenes = SceneDataset(Split.HELDOUT, 24, seed=5, size=32)
    for place in range(24):
        folder = tmp_path / "set" / ("red circle", "orange star", "cat")[place % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scenes.image(place)).save(folder / f"{place}.png")
    return f"folder:{tmp_path / 'set'}"


@pytest.fixture
def evaluate(tmp_path: Path) -> Evaluate:
    """Runs `eval` in this process and gives the records it added, oldest first. Raises what the command raises."""
    app = command_line.new_app("pocketclip", "")
    app.command("eval")(eval_cli.eval_command)
    store = str(tmp_path / "s.sqlite")

    def run(*arguments: str | Path) -> list[Any]:
        known = set()
        if Path(store).exists():
            with open_store(store) as opened:
                known = {record.record_id for record in opened.records()}
        result = CliRunner().invoke(app, [*map(str, arguments), "--store", store])
        run.stdout, run.stderr = result.stdout, result.stderr  # type: ignore[attr-defined]
        if result.exception is not None:
            raise result.exception
        with open_store(store) as opened:
            return [record for record in opened.records() if record.record_id not in known]

    return run


def test_a_bundle_is_judged_by_its_own_parts_as_its_artefacts_are(
    evaluate: Any, bundle: Path, towers: tuple[Artifact, Artifact], dataset: str
) -> None:
    (ours,) = evaluate("--artifact", bundle, "--dataset", dataset)
    assert "using the bundle's own prompts (scenes)" in evaluate.stderr
    assert "does not say how tiny is built in PyTorch" in evaluate.stderr
    assert (ours.templates, ours.comparison, ours.samples) == ("scenes", None, 24)
    assert "tiny" in evaluate.stdout
    # The identity is that of the artefacts, and so is the result; a pair may be its own baseline.
    (theirs,) = evaluate(
        "--artifact", towers[0].folder, "--artifact", towers[1].folder, "--dataset", dataset,
        "--templates", "scenes", "--baseline", towers[0].folder.parent,
    )  # fmt: skip
    assert ours.side == theirs.side
    assert (ours.correct, ours.prompts_sha256) == (theirs.correct, theirs.prompts_sha256)
    assert "Zero-shot classification on folder:set" in render(Material(accuracies=[ours]))


def test_a_bundle_of_untrained_weights_says_so(evaluate: Any, tmp_path: Path, dataset: str) -> None:
    image, text = (build_artifact(tmp_path / "fresh", tower, trained=False) for tower in Tower)
    write_bundle(BundleRequest(image, text, LABELS, allow_untrained=True), tmp_path / "fresh.bundle")
    (record,) = evaluate("--artifact", tmp_path / "fresh.bundle", "--dataset", dataset)
    assert record.weights.trained is False
    assert "untrained random weights" in evaluate.stderr


def test_templates_that_are_named_are_taken(evaluate: Any, bundle: Path, dataset: str) -> None:
    (record,) = evaluate("--artifact", bundle, "--dataset", dataset, "--templates", "simple")
    assert record.templates == "simple" and "prompts are" not in evaluate.stderr


def test_a_lone_tower_is_left_out_and_counted(evaluate: Any, towers: Any, tmp_path: Path, dataset: str) -> None:
    alone = build_artifact(tmp_path / "alone", Tower.IMAGE, precision=Precision.INT8_STATIC)
    folders = ("--artifact", tmp_path / "artifacts", "--artifact", tmp_path / "alone")
    records = evaluate(*folders, "--dataset", dataset, "--baseline", towers[0].folder.parent)
    assert [record.precision for record in records] == [Precision.FP32]
    assert "1 artefact has no other tower (first: " in evaluate.stderr
    assert alone.label in evaluate.stderr and "lacks its text tower) and is skipped" in evaluate.stderr


def test_nothing_but_a_lone_tower_is_an_error(evaluate: Any, towers: tuple[Artifact, Artifact], dataset: str) -> None:
    with pytest.raises(
        ArtifactNotFoundError, match=r"lacks its image tower\), and there is no pair to evaluate"
    ) as caught:
        evaluate("--artifact", towers[1].folder, "--dataset", dataset)
    assert caught.value.exit_code == 2
