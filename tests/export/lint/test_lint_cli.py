"""The `lint` command, and its table of rules in the documentation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from pocketclip.export.api import inspect, lint
from pocketclip.export.errors import ArtifactError
from pocketclip.export.lint.rule_table import markdown_table
from pocketclip.export.lint.rules import RULES

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def int64_model(save_onnx) -> Path:
    return save_onnx(
        [helper.make_node("Cast", ["ids"], ["y"], to=TensorProto.INT32)],
        [("ids", TensorProto.INT64, [1, 77])],
        [("y", TensorProto.INT32, [1, 77])],
    )


def test_documentation_has_the_rules() -> None:
    assert markdown_table() in (REPOSITORY / "docs" / "lint.md").read_text()


def test_codes_are_unique_and_every_rule_is_worded() -> None:
    codes = [rule.code for rule in RULES]
    assert codes == sorted(set(codes))
    assert all(rule.title and rule.reason and rule.fix for rule in RULES)


def test_list(pocketclip) -> None:
    result = pocketclip("lint", "--list")
    assert result.returncode == 0
    assert all(rule.code in result.stdout for rule in RULES)
    assert "half floats are exact" in result.stdout


def test_errors_end_with_one_and_ignored_ones_do_not(pocketclip, int64_model: Path) -> None:
    found = pocketclip("lint", int64_model)
    assert found.returncode == 1
    assert "error PC004 input ids: takes int64" in found.stdout
    assert "fix: export with an int32 example input" in found.stdout
    ignored = pocketclip("lint", int64_model, "--ignore", "PC004")
    assert ignored.returncode == 0
    assert "nothing found" in ignored.stdout


def test_json(pocketclip, int64_model: Path) -> None:
    result = pocketclip("lint", int64_model, "--json")
    assert result.returncode == 1
    (entry,) = json.loads(result.stdout)
    assert entry["subject"] == str(int64_model)
    assert [(finding["code"], finding["severity"]) for finding in entry["findings"]] == [("PC004", "error")]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--json"], "give a model, an artefact or a model file"),
        (["pocketclip_nano", "--ignore", "PC999"], "no lint rule 'PC999'; choose among: PC000"),
        (["mobileclip_s9"], "there is no model 'mobileclip_s9'"),
        (["missing.onnx"], "there is no model file missing.onnx"),
        (["empty"], "empty holds no artefact"),
        (["words.onnx"], "words.onnx cannot be read"),
        (["words.onnx", "--set", "text.width=64"], "--set and --weights are for models"),
        (["pocketclip_nano", "--weights", "missing.pt"], "no checkpoint at missing.pt"),
    ],
)
def test_bad_requests(pocketclip, error_line, tmp_path: Path, arguments: list[str], complaint: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "words.onnx").write_text("words")
    result = pocketclip("lint", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert complaint in error_line(result)


@pytest.mark.parametrize("name", ["m.onnx", "artifacts"])
@pytest.mark.parametrize("look", [lint, inspect])
def test_folder_that_may_not_be_read(
    tmp_path: Path, lock: Callable[[Path], None], look: Callable[[Path], object], name: str
) -> None:
    lock(tmp_path)
    with pytest.raises(ArtifactError, match=rf"^cannot read .*{name}.*: Permission denied"):
        look(tmp_path / name)


@pytest.mark.slow
def test_a_model_with_the_mean_of_another_family(pocketclip) -> None:
    changed = pocketclip("lint", "pocketclip_nano", "--set", "preprocess.mean=[0.48, 0.45, 0.41]")
    assert changed.returncode == 1
    assert "error PC008 preprocess.mean" in changed.stdout
    assert "text: nothing found" in changed.stdout


@pytest.mark.slow
def test_an_error_fails_the_export_and_keeps_the_artefact(pocketclip, tmp_path: Path) -> None:
    arguments = ["--target", "onnx", "--tower", "image", "--set", "preprocess.mean=[0.48, 0.45, 0.41]"]
    weights = REPOSITORY / "models" / "weights" / "pocketclip_nano.safetensors"
    made = pocketclip("export", *arguments, "--weights", weights, "--out", tmp_path, timeout=500)
    assert made.returncode == 1
    # Lines about single artefacts go to stderr as they end, the table of all to stdout.
    assert "PC008 preprocess.mean: is (0.48, 0.45, 0.41)" in made.stderr
    assert "PC008" in made.stdout
    (path,) = tmp_path.rglob("manifest.json")
    assert [finding["code"] for finding in json.loads(path.read_text())["lint"]] == ["PC008"]
    assert pocketclip("lint", path.parent, "--ignore", "PC008").returncode == 0
