"""`--keep-float`: words and paths become a plan, PC014's advice works, and a wrong name is answered with near ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocketclip.export.artifact.precision_plan import KeptPrecision
from pocketclip.export.errors import PlanError
from pocketclip.export.job import ExportJob
from pocketclip.export.jobs.pipeline import export_artifact
from pocketclip.export.mixed.keep import with_kept
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.registry import load_config


def jobs(out: Path, *towers: Tower, precision: Precision = Precision.INT8_STATIC, model: str = "pocketclip_nano"):
    return [ExportJob(load_config(model), None, TargetName.ONNX, precision, tower, out) for tower in towers]


def kept(job: ExportJob) -> list[str]:
    assert job.plan is not None
    assert {entry.precision for entry in job.plan.modules} <= {KeptPrecision.FLOAT}
    return [entry.path for entry in job.plan.modules]


def test_words_mean_the_ends_of_each_tower(tmp_path: Path) -> None:
    image, text = with_kept(jobs(tmp_path, *Tower), "stem, projection")
    assert kept(image) == ["encoder.model.patch_embed", "encoder.model.head"]
    assert kept(text) == ["/"]
    assert image.scheme == "onnx-int8-static-mixed"


def test_paths_may_leave_the_encoder_out_and_concern_their_tower_alone(tmp_path: Path) -> None:
    image, text = with_kept(jobs(tmp_path, *Tower), "network.3,patch_embed.0,stem")
    # What the stem holds is meant by the stem.
    assert kept(image) == ["encoder.model.network.3", "encoder.model.patch_embed"]
    assert text.plan is None


@pytest.mark.parametrize(
    ("words", "towers", "message"),
    [
        (
            "projectoin",
            (Tower.IMAGE, Tower.TEXT),
            r"image and text tower has no module 'projectoin'; similar.*projection",
        ),
        ("encoder.model.hed", (Tower.IMAGE,), "no module 'encoder.model.hed'; similar names: .*encoder.model.head"),
        ("stem", (Tower.TEXT,), "the text tower has none, only image towers do"),
        (" , ", (Tower.TEXT,), "names no module; give stem, projection or module paths"),
    ],
)
def test_wrong_names_are_one_line(tmp_path: Path, words: str, towers: tuple[Tower, ...], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        with_kept(jobs(tmp_path, *towers), words)


def test_float_precisions_have_nothing_to_keep(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="keeps every module in floating point"):
        with_kept(jobs(tmp_path, Tower.TEXT, precision=Precision.FP16), "projection")


def test_delegate_of_one_scheme_keeps_nothing_finer(pocketclip, error_line, tmp_path: Path) -> None:
    result = pocketclip(
        "export", "--target", "executorch-coreml", "--quantize", "int8", "--tower", "text",
        "--keep-float", "projection", "--out", tmp_path,
    )  # fmt: skip
    assert result.returncode == 2
    assert "target executorch-coreml cannot mix precisions: its delegate takes one scheme" in error_line(result)
    assert not any(tmp_path.glob("pocketclip_nano/*"))


def test_it_excludes_other_ways_to_say_so(pocketclip, error_line, tmp_path: Path) -> None:
    result = pocketclip(
        "export", "--target", "onnx", "--quantize", "int8-static", "--keep-float", "stem", "--max-drop", "cosine=0.9",
        "--out", tmp_path,
    )  # fmt: skip
    assert result.returncode == 2
    assert "give one of them" in error_line(result)


@pytest.mark.slow
def test_advice_of_pc014_is_followed(tmp_path: Path) -> None:
    plain, advised = (
        export_artifact(job).manifest
        for job in (*jobs(tmp_path, Tower.IMAGE), *with_kept(jobs(tmp_path, Tower.IMAGE), "stem,projection"))
    )
    assert "PC014" in {finding.code for finding in plain.lint}
    assert "PC014" not in {finding.code for finding in advised.lint}
    assert advised.plan is not None
    assert [entry.path for entry in advised.plan.modules] == ["encoder.model.patch_embed", "encoder.model.head"]
    assert advised.parity is not None and plain.parity is not None
    assert advised.parity.cosine_mean > plain.parity.cosine_mean
