"""`pocketclip tune` and `pocketclip ship` as a user calls them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="Optuna is not installed")

Run = Callable[..., subprocess.CompletedProcess[str]]
ErrorLine = Callable[[subprocess.CompletedProcess[str]], str]
SPACE = """
version = 1
model = "pocketclip_nano"
targets = ["onnx"]
precisions = ["fp32", "palette4"]

[factors.activation]
paths = ["image.activation"]
values = ["gelu", "relu"]
"""


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SPACE)
    return path


def test_a_space_is_explained_before_it_costs(pocketclip: Run, space: Path, tmp_path: Path) -> None:
    store = tmp_path / "none.sqlite"
    said = pocketclip("tune", "--explain", space, "--trials", "6", "--store", store)
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    assert lines[0] == "4 combinations (activation 2, target 1, precision 2, threads 1)"
    assert lines[1] == "2 points can be, of 2 models"
    assert lines[2].startswith("pruned: 2: onnx palette4: target onnx does not offer 'palette4'")
    assert "cost of 4 trials: at most" in said.stdout
    assert not store.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "tune takes a space"),
        (["--space", "{space}", "--explain", "{space}"], "tune takes a space"),
        (["--space", "nonsense"], "there is no space for 'nonsense'"),
        (["--space", "{space}", "--max-latency", "8"], "--max-latency takes a number above zero with a unit"),
        (["--space", "{space}", "--max-drop", "1%"], "--max-drop takes a number above zero with a unit (pt)"),
        (["--space", "{space}", "--no-train", "--max-drop", "1pt"], "--max-drop bounds accuracy"),
        (["--space", "{space}", "--no-train", "--confirm"], "--confirm measures trained models"),
        (["--space", "{space}", "--proxy", "time"], "--proxy 'time' is unknown"),
        (["--space", "{space}", "--steps", "10,x"], "--steps takes up to 8 numbers"),
        (["--space", "{space}", "--strategy", "luck"], "--strategy 'luck' is unknown"),
        (["--space", "{space}", "--device", "pixel99"], "there is no device 'pixel99'"),
        (["--space", "{space}", "--trials", "2"], "--trials 2 leaves no room for a round of 4"),
        (["--space", "{space}", "--study", "../x"], "--study must be a plain name"),
        (["--space", "{space}", "--budget", "soon"], "--budget takes a duration"),
        (["--space", "{space}", "--store", "{folder}"], "is a folder"),
        (["--space", "{space}", "--torch-device", "tpu"], "--torch-device 'tpu' is unknown"),
        (["--space", "{space}", "--dataset", "nonsense"], "nonsense"),
        (["--space", "{space}", "--data", "nonsense:1"], "nonsense"),
        (["--space", "{space}", "--token-weight", "200"], "--token-weight takes a number from 0 to 100, got 200"),
        (["--space", "{untrained}"], "mobileclip_s0 has no trained weights"),
    ],
)
def test_what_cannot_be_is_one_line(
    pocketclip: Run, error_line: ErrorLine, space: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    untrained = tmp_path / "untrained.toml"
    untrained.write_text(SPACE.replace("pocketclip_nano", "mobileclip_s0"))
    names = {"space": space, "folder": tmp_path, "untrained": untrained}
    given = [word.format(**names) for word in words] or ["--trials", "4"]
    result = pocketclip("tune", *given, cwd=tmp_path)
    assert result.returncode == 2 and message in error_line(result)


def test_ship_says_what_is_missing(pocketclip: Run, error_line: ErrorLine, tmp_path: Path) -> None:
    for words, message in (
        (["one", "--store", tmp_path / "none.sqlite"], "there is no store"),
        (["one two"], "--study must be a plain name"),
        (["one", "--to", "hf:nobody"], "is no repository on the hub"),
    ):
        result = pocketclip("ship", *words, cwd=tmp_path)
        assert result.returncode == 2 and message in error_line(result)


@pytest.mark.slow
def test_a_study_from_its_space_to_its_bundle(
    pocketclip: Run, error_line: ErrorLine, space: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store.sqlite"
    words = ["tune", "--space", space, "--store", store, "--trials", "2", "--per-round", "2", "--seed", "1"]
    words += ["--steps", "2", "--data", "scenes:64", "--batch-size", "8", "--samples", "24", "--launches", "2"]
    words += ["--distillation-weight", "0.5", "--allow-invalid", "--page", tmp_path / "study.html"]
    first = pocketclip(*words, cwd=tmp_path, timeout=1000)
    assert first.returncode == 0, first.stderr
    assert "2 trials: 2 judged" in first.stdout and "unchanged onnx fp32" in first.stdout
    assert "trial 1: " in first.stderr and "activation=relu" in (tmp_path / "study.html").read_text()
    # What is done is not done again.
    again = pocketclip(*words, cwd=tmp_path)
    assert again.returncode == 0 and again.stdout == first.stdout
    assert "measuring" not in again.stderr and "training" not in again.stderr
    run = json.loads(next((tmp_path / "tune" / "small" / "runs").glob("*/training.json")).read_text())
    assert (run["recipe"], run["teachers"], run["distillation_weight"]) == ("distillation", ["pocketclip_nano"], 0.5)
    _is_the_same_from_python(space, store, tmp_path)
    other = pocketclip(*words, "--max-size", "1kB", cwd=tmp_path)
    assert "begun with other settings: limits" in error_line(other)
    listed = pocketclip("results", "--store", store, "--format", "json", cwd=tmp_path)
    tags = [record.get("tag") for record in json.loads(listed.stdout)["records"]]
    assert sorted(tag for tag in tags if tag) == ["small-0", "small-0", "small-1", "small-1"]
    shipped = pocketclip("ship", "small", "--store", store, "--pick", "1", cwd=tmp_path)
    assert shipped.returncode == 0, shipped.stderr
    folder = tmp_path / "shipped" / "small"
    tested = pocketclip("selftest", folder / "clip.bundle")
    assert tested.returncode == 0, tested.stdout
    evidence = json.loads((folder / "evidence" / "study.json").read_text())
    assert evidence["shipped"] == 1 and len(evidence["trials"]) == 2
    assert len((folder / "evidence" / "records.jsonl").read_text().splitlines()) == 3


def _is_the_same_from_python(space: Path, store: Path, folder: Path) -> None:
    import pocketclip as library

    out = folder / "tune" / "small"
    found = library.open_study("small", out=out, store=store)
    assert [trial.number for trial in found.trials] == [0, 1]
    assert found.front and found.nearest is None and found.cost_error is None
    options = library.TuneOptions(
        per_round=2,
        seed=1,
        steps=2,
        data="scenes:64",
        batch_size=8,
        samples=24,
        launches=2,
        distillation_weight=0.5,
        allow_invalid=True,
    )
    again = library.tune(space, options=options, trials=2, out=out, store=store)
    assert again.trials == found.trials and again.settings == found.settings
    assert found.page(folder / "page.html").read_text() == (folder / "study.html").read_text()


@pytest.mark.parametrize(
    "options",
    [
        {"proxy": "time"},
        {"torch_device": "tpu"},
        {"processes": 0},
        {"budget": "soon"},
        {"per_round": 300},
        {"token_weight": 200.0},
        {"distillation_weight": 1.5},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"seed": 10**20},
        {"seed": -1},
    ],
)
def test_options_are_checked_when_they_are_given(options: dict) -> None:
    import pocketclip as library

    with pytest.raises(library.PocketClipError, match=next(iter(options)).replace("_", "-")):
        library.TuneOptions(**options)


@pytest.mark.parametrize("options", [{"samples": 1 << 60}, {"data": "scenes:64 + " * 1000}, {"dataset": "a\0b"}])
def test_options_that_no_store_gives_back_begin_no_study(space: Path, tmp_path: Path, options: dict) -> None:
    """The study's name would be taken by what cannot be read."""
    import pocketclip as library

    store = tmp_path / "store.sqlite"
    chosen = library.TuneOptions(**options)
    with pytest.raises(library.PocketClipError, match=f"the study of these options.*{next(iter(options))}"):
        library.tune(space, options=chosen, trials=4, out=tmp_path / "out", store=store)
    assert not store.exists()


@pytest.mark.slow
def test_limits_that_nothing_meets_name_the_nearest(
    pocketclip: Run, error_line: ErrorLine, space: Path, tmp_path: Path
) -> None:
    words = ["tune", "--space", space, "--store", tmp_path / "store.sqlite", "--trials", "1", "--per-round", "1"]
    words += ["--no-train", "--max-size", "1MB", "--launches", "2", "--allow-invalid"]
    result = pocketclip(*words, cwd=tmp_path, timeout=600)
    assert result.returncode == 1
    line = error_line(result)
    assert "none of 1 trials meets the limits; the nearest is trial 0: max-size: 9.5" in line and "above 1 MB" in line
