"""Plans and budgets: what is read back as written, and one clear error for each thing that does not fit."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from pocketclip.export.artifact.drop_budget import DropBudget, Metric, parse_max_drop
from pocketclip.export.artifact.precision_plan import (
    KeptPrecision,
    PlannedModule,
    PrecisionPlan,
    Search,
    Trial,
    covers,
    planned,
    read_plan,
)
from pocketclip.export.errors import PlanError, UnsupportedPrecisionError
from pocketclip.export.job import ExportJob
from pocketclip.export.mixed.command import with_mixed
from pocketclip.export.mixed.units import collapsed, meant
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models import documents
from pocketclip.models.registry import load_config

HEAD = "encoder.model.head"
PLAN = PrecisionPlan(
    1, "pocketclip_nano", Tower.IMAGE, Precision.INT8_STATIC, planned([HEAD], KeptPrecision.FLOAT), weights_sha256="ab"
)


def _job(precision: Precision = Precision.INT8_STATIC, tower: Tower = Tower.IMAGE, **more: object) -> ExportJob:
    settings = {"target": TargetName.ONNX, "out": Path("artifacts"), **more}
    return ExportJob(load_config("pocketclip_nano"), None, precision=precision, tower=tower, **settings)  # type: ignore[arg-type]


def _written(plan: PrecisionPlan, folder: Path) -> Path:
    path = folder / "plan.json"
    documents.write(plan, path)
    return path


def test_plan_is_read_back_as_written(tmp_path: Path) -> None:
    search = Search(
        Metric.COSINE,
        0.995,
        TargetName.ONNX,
        128,
        "cd",
        40,
        1,
        (Trial(0, 0.99, 0.98, False), Trial(1, 0.999, 0.998, True)),
    )
    plan = dataclasses.replace(PLAN, search=search)
    assert read_plan(_written(plan, tmp_path)) == plan
    assert plan.kept(KeptPrecision.FLOAT) == (HEAD,)
    assert plan.kept(KeptPrecision.INT8) == ()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"schema_version": 2}, "update PocketCLIP"),
        ({"base": "fp32"}, "needs a quantised base"),
        ({"base": "int5"}, "base"),
        ({"modules": [{"path": HEAD, "precision": "float", "granularity": "per_channel"}]}, "precision float has none"),
        (
            {"modules": [{"path": HEAD, "precision": "int8", "granularity": "per_channel"}]},
            "not a higher precision than int8-static",
        ),
        (
            {"modules": [{"path": path, "precision": "float", "granularity": "none"} for path in (HEAD, "encoder")]},
            "overlap; give one",
        ),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_malformed_plans(tmp_path: Path, changes: dict[str, object], complaint: str) -> None:
    content = {**documents.to_builtin(PLAN), **changes}
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(content))
    with pytest.raises(PlanError, match=complaint) as caught:
        read_plan(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("plan", "job", "complaint"),
    [
        (dataclasses.replace(PLAN, model="mobileclip_s0"), _job(), "for mobileclip_s0, not for pocketclip_nano"),
        (dataclasses.replace(PLAN, tower=Tower.TEXT), _job(), "of the text tower does not apply"),
        (dataclasses.replace(PLAN, base=Precision.INT8_WEIGHTS), _job(), "plan for int8-weights of the image tower"),
        (PLAN, _job(Precision.FP16), "fp16 keeps every module in floating point"),
        (
            dataclasses.replace(PLAN, modules=planned(["encoder.model.heat"], KeptPrecision.FLOAT)),
            _job(),
            "no module 'encoder.model.heat'; similar names: encoder.model.head",
        ),
    ],
)
def test_plans_for_something_else(tmp_path: Path, plan: PrecisionPlan, job: ExportJob, complaint: str) -> None:
    with pytest.raises(PlanError, match=complaint):
        with_mixed([job], None, None, [_written(plan, tmp_path)])


def test_each_tower_needs_its_plan(tmp_path: Path) -> None:
    path = _written(PLAN, tmp_path)
    with pytest.raises(PlanError, match="no plan for the text tower"):
        with_mixed([_job(), _job(tower=Tower.TEXT)], None, None, [path])
    with pytest.raises(PlanError, match="second plan"):
        with_mixed([_job()], None, None, [path, path])
    (job,) = with_mixed([_job()], None, None, [path])
    assert job.plan == PLAN
    assert job.folder == Path("artifacts/pocketclip_nano/onnx-int8-static-mixed/image")
    assert _job().folder.parent.name == "onnx-int8-static"


def test_words_of_budgets() -> None:
    assert parse_max_drop("cosine=0.995") == DropBudget(Metric.COSINE, 0.995)
    assert parse_max_drop("accuracy=1.0") == DropBudget(Metric.ACCURACY, 1.0, "scenes")
    assert parse_max_drop("accuracy=0", "folder:photos").labelled == "folder:photos"
    for text in ("0.995", "cosine=1", "cosine=nan", "cosine=much", "psnr=3", "accuracy=-1", "accuracy=inf"):
        with pytest.raises(PlanError, match=r"cosine=0\.995|accuracy=1\.0"):
            parse_max_drop(text)
    with pytest.raises(PlanError, match="--labelled requires"):
        parse_max_drop("cosine=0.9", "scenes")
    with pytest.raises(PlanError, match="no labelled set 'imagenet'"):
        parse_max_drop("accuracy=1", "imagenet")


def test_options_that_contradict_one_another(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="omit one of them"):
        with_mixed([_job()], "cosine=0.99", None, [tmp_path / "plan.json"])
    with pytest.raises(PlanError, match="give that too"):
        with_mixed([_job()], None, "scenes", [])
    with pytest.raises(UnsupportedPrecisionError, match="one scheme for the whole graph"):
        with_mixed([_job(Precision.INT8_WEIGHTS, target=TargetName.EXECUTORCH_COREML)], "cosine=0.99", None, [])


def test_command_line_ends_with_one_line(pocketclip, error_line, tmp_path: Path) -> None:
    path = _written(dataclasses.replace(PLAN, model="mobileclip_s0"), tmp_path)
    arguments = ["export", "--target", "onnx", "--quantize", "int8-static", "--tower", "image", "--out", tmp_path / "o"]
    result = pocketclip(*arguments, "--plan", path)
    assert result.returncode == 2
    assert "the plan is for mobileclip_s0" in error_line(result)
    assert not (tmp_path / "o").exists()


def test_paths_mean_what_is_below_them() -> None:
    assert covers([HEAD], HEAD) and covers(["encoder.model"], HEAD) and covers([""], HEAD)
    assert not covers(["encoder.model.hea"], HEAD) and not covers([f"{HEAD}.proj"], HEAD) and not covers([], HEAD)


def test_a_slash_means_what_a_module_computes_itself() -> None:
    layer = "encoder.transformer.1"
    assert covers([f"{layer}/"], layer) and not covers([f"{layer}/"], f"{layer}.pre_norm_ffn.1")
    assert covers(["/"], "") and not covers(["/"], layer)


def test_full_containers_stand_for_their_units() -> None:
    units = ("a.x.0", "a.x.1", "a.y", "b")
    assert collapsed({"a.x.0", "a.x.1"}, units) == ("a.x",)
    assert collapsed({"a.x.0", "a.y"}, units) == ("a.x.0", "a.y")
    assert collapsed({"a.x.0", "a.x.1", "a.y"}, units) == ("a",)
    # And back.
    assert meant(["a.x"], units) == ("a.x.0", "a.x.1")
    assert collapsed(units, units) == ("",)
    assert collapsed((), units) == ()
    # With what the containers compute themselves.
    units = ("a.x.0", "a.x.1", "a.x/", "b", "/")
    assert collapsed({"a.x.0", "a.x/"}, units) == ("a.x.0", "a.x/")
    assert collapsed({"a.x.0", "a.x.1", "a.x/", "b"}, units) == ("a", "b")
    assert collapsed({"/"}, units) == ("/",)
    assert collapsed(units, units) == ("",)


def test_planned_entries_carry_their_granularity() -> None:
    (entry,) = planned([HEAD], KeptPrecision.INT8)
    assert entry == PlannedModule(HEAD, KeptPrecision.INT8, entry.granularity)
    assert entry.granularity == "per_channel"
