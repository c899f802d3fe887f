"""Mixed precision from the command line: a budget is met, its plan is replayed, one out of reach is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocketclip.export.artifact.drop_budget import parse_max_drop
from pocketclip.export.artifact.manifest import hash_file
from pocketclip.export.artifact.precision_plan import PLAN_NAME, read_plan
from pocketclip.export.artifact.reading import Artifact, find_artifacts
from pocketclip.export.errors import DropBudgetError
from pocketclip.export.job import ExportJob
from pocketclip.export.jobs.pipeline import export_artifact
from pocketclip.export.precision import InstructionSet, Precision, TargetName, Tower
from pocketclip.models.registry import load_config

LIMIT = 0.9991
WORDS = ("export", "--target", "onnx", "--quantize", "int8-static", "--tower", "text", "--calibration", "scenes:16")


@pytest.fixture(scope="module")
def searched(pocketclip, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    out = tmp_path_factory.mktemp("mixed")
    made = pocketclip(*WORDS, "--max-drop", f"cosine={LIMIT}", "--out", out)
    assert made.returncode == 0, made.stderr
    told = "pocketclip_nano onnx-int8-static-mixed text: predicted cost: arm64 "
    assert told in made.stdout + made.stderr
    (artifact,) = find_artifacts([out])
    return artifact


@pytest.mark.slow
def test_budget_is_met_by_some_modules(searched: Artifact) -> None:
    manifest = searched.manifest
    assert manifest.parity is not None and manifest.parity.cosine_mean >= LIMIT
    plan = manifest.plan
    assert plan is not None and plan.search is not None
    assert plan == read_plan(searched.folder / PLAN_NAME)
    assert searched.folder.parent.name == manifest.scheme == "onnx-int8-static-mixed"
    # Neither none nor all: the uniform artefact was tried first, and missed it.
    assert plan.search.trials[0].kept == 0 and not plan.search.trials[0].met
    assert 0 < plan.search.kept < plan.search.units
    # Of what met the budget, the cheapest on the processor that it is for.
    assert plan.search.processor is InstructionSet.ARM64
    met = [trial.cost for trial in plan.search.trials if trial.met and trial.cost is not None]
    chosen = [trial.cost for trial in plan.search.trials if trial.met and trial.kept == plan.search.kept]
    assert min(met) in chosen
    costs = {cost.processor: cost for cost in plan.costs}
    assert set(costs) == {InstructionSet.ARM64, InstructionSet.X86_64}
    assert costs[InstructionSet.ARM64].of_fp32 == pytest.approx(min(met), abs=0.01)
    assert plan.weights_sha256 == manifest.model.weights_sha256
    assert PLAN_NAME in {entry.path for entry in manifest.files}
    assert manifest.model_size_bytes == (searched.folder / "model.onnx").stat().st_size
    assert {path.name for path in searched.folder.iterdir()}.isdisjoint({"attempt", "best"})


@pytest.mark.slow
def test_plan_is_replayed_and_known_again(searched: Artifact, pocketclip, tmp_path: Path) -> None:
    arguments = [*WORDS, "--plan", searched.folder / PLAN_NAME, "--out", tmp_path]
    made = pocketclip(*arguments)
    assert made.returncode == 0, made.stderr
    (replayed,) = find_artifacts([tmp_path])
    assert hash_file(replayed.model_path) == hash_file(searched.model_path)
    assert replayed.manifest.plan == searched.manifest.plan
    again = pocketclip(*arguments)
    assert "unchanged pocketclip_nano onnx-int8-static-mixed text" in again.stdout + again.stderr


@pytest.mark.slow
def test_budget_out_of_reach(tmp_path: Path) -> None:
    """Beside 4 bits modules keep 8, which lose 0.00004 themselves."""
    job = ExportJob(
        load_config("pocketclip_nano"),
        None,
        TargetName.ONNX,
        Precision.INT4_WEIGHTS,
        Tower.TEXT,
        tmp_path,
        budget=parse_max_drop("cosine=0.999999"),
    )
    with pytest.raises(DropBudgetError, match=r"with every module at int8 it reaches cosine 0\.9999") as caught:
        export_artifact(job)
    assert caught.value.exit_code == 2
    assert not job.folder.exists()
