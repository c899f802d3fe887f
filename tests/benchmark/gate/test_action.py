"""`action.yml`: the scripts of its steps, run as GitHub runs them, with stand-ins for what only GitHub has."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = {step["run"].split()[-1]: step for step in ACTION["runs"]["steps"] if "run" in step}

# Keeps what it was called with; answers the question for earlier comments with the ids in a file.
GH = """#!/bin/sh
echo "$@" >> "$GH_CALLS"
case "$*" in
  *--jq*) cat "$GH_IDS" ;;
  *) exit "$GH_STATUS" ;;
esac
"""
# In the place of the gate: keeps its arguments, writes a comment.
PYTHON = """#!/bin/sh
echo "$@" >> "$GATE_CALLS"
while [ "$1" != --out ]; do shift; done
mkdir -p "$2" && printf '<!-- pocketclip-gate x -->\\n### found\\n' > "$2/comment.md"
exit 3
"""


@pytest.fixture
def runner(tmp_path: Path) -> dict[str, str]:
    """What a runner's environment holds."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, content in (("gh", GH), ("gate-python", PYTHON)):
        (programs / name).write_text(content)
        (programs / name).chmod(0o755)
    (tmp_path / "ids").write_text("")
    temp = tmp_path / "temp"
    temp.mkdir()
    return {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_WORKSPACE": str(tmp_path / "workspace"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "GITHUB_REPOSITORY": "somebody/something",
        "RUNNER_TEMP": str(temp),
        "POCKETCLIP_PYTHON": str(programs / "gate-python"),
        "GH_CALLS": str(tmp_path / "gh-calls"),
        "GH_IDS": str(tmp_path / "ids"),
        "GH_STATUS": "0",
        "GATE_CALLS": str(tmp_path / "gate-calls"),
    }


def run(step: str, runner: dict[str, str], inputs: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A step's script with the environment that `action.yml` gives it, of these inputs and the defaults."""
    known = {name: str(each.get("default", "")) for name, each in ACTION["inputs"].items()} | inputs
    known = {f"inputs.{name}": value for name, value in known.items()}
    if step != "paths":
        assert run("paths", runner, inputs).returncode == 0
        known |= {f"steps.paths.outputs.{name}": value for name, value in told(runner).items()}
    given = {**runner, **{name: filled(value, known) for name, value in STEPS[step].get("env", {}).items()}}
    return subprocess.run(
        ["bash", "-c", STEPS[step]["run"]], env=given, capture_output=True, text=True, timeout=120, check=False
    )


def filled(value: str, known: dict[str, str]) -> str:
    for name, text in known.items():
        value = value.replace("${{ " + name + " }}", text)
    return value.replace("${{ github.event.pull_request.number }}", "7")


def told(runner: dict[str, str]) -> dict[str, str]:
    """What the first step told the others last."""
    return dict(line.split("=", 1) for line in Path(runner["GITHUB_OUTPUT"]).read_text().splitlines())


def git(folder: Path, *arguments: str) -> str:
    options = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *options, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_no_input_becomes_text_of_a_script() -> None:
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", ""), step
    used = {name for step in ACTION["runs"]["steps"] for name in ACTION["inputs"] if f"inputs.{name}" in str(step)}
    assert used == set(ACTION["inputs"])


def test_the_base_is_checked_out_beside_the_change(runner: dict[str, str], tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "--quiet")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    for content in ("before", "after"):
        (origin / "model.json").write_text(content)
        git(origin, "add", "model.json")
        git(origin, "commit", "--quiet", "--message", content)
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{origin}", "workspace")
    # Two models, and one of them again, whose folder an earlier job left.
    for model in ("model.json", "other", "model.json"):
        result = run("base", runner, {"base": git(origin, "rev-parse", "HEAD~1"), "model": model})
        assert result.returncode == 0, result.stderr
        base = Path(runner["RUNNER_TEMP"]) / f"pocketclip-base-{model}"
        assert (base / "model.json").read_text() == "before"
        assert not (base / "left.txt").exists()
        (base / "left.txt").write_text("")
    assert (tmp_path / "workspace" / "model.json").read_text() == "after"


def test_inputs_reach_the_gate_as_they_are(runner: dict[str, str], tmp_path: Path) -> None:
    hostile = "a b; touch stolen $(touch stolen) `touch stolen`"
    result = run("compare", runner, {"model": hostile, "measure": "latency", "fresh-weights": "true"})
    # The gate's verdict is the step's, and the comparison is in the summary.
    assert result.returncode == 3, result.stderr
    called = (tmp_path / "gate-calls").read_text()
    assert called.startswith("-m pocketclip.benchmark.gate --base ")
    assert "--name a-b-touch-stolen-touch-stolen-touch-stolen- --model" in called
    assert f"--model {hostile} --target onnx,tflite --quantize base,int8 --tower both --by latency" in called
    assert called.rstrip().endswith("--fresh-weights")
    assert "### found" in (tmp_path / "summary").read_text()
    assert not list(tmp_path.rglob("stolen"))


@pytest.mark.parametrize(
    ("ids", "call"),
    [
        ("", "--method POST repos/somebody/something/issues/7/comments"),
        ("11\n12\n", "--method PATCH repos/somebody/something/issues/comments/12"),
    ],
)
def test_a_pull_request_has_one_comment(runner: dict[str, str], tmp_path: Path, ids: str, call: str) -> None:
    folder = Path(runner["RUNNER_TEMP"]) / "pocketclip-gate-mine"
    folder.mkdir()
    (folder / "comment.md").write_text("<!-- pocketclip-gate mine -->\n### found\n")
    (tmp_path / "ids").write_text(ids)
    result = run("comment", runner, {"name": "mine"})
    assert result.returncode == 0, result.stderr
    asked, written = (tmp_path / "gh-calls").read_text().splitlines()
    assert 'startswith("<!-- pocketclip-gate mine -->")' in asked
    assert call in written and f"body=@{folder}/comment.md" in written


def test_a_fork_has_no_right_to_comment(runner: dict[str, str], tmp_path: Path) -> None:
    nothing = run("comment", runner, {})
    assert nothing.returncode == 0 and "::notice::there is no comparison" in nothing.stdout
    folder = Path(runner["RUNNER_TEMP"]) / "pocketclip-gate-pocketclip_nano"
    folder.mkdir()
    (folder / "comment.md").write_text("<!-- pocketclip-gate pocketclip_nano -->\n")
    result = run("comment", runner | {"GH_STATUS": "1"}, {})
    assert result.returncode == 0 and "pull-requests: write" in result.stdout


def test_paths_are_told_to_the_other_steps(runner: dict[str, str]) -> None:
    assert run("paths", runner, {}).returncode == 0
    found = told(runner)
    assert found["folder"] == f"{runner['RUNNER_TEMP']}/pocketclip-gate-pocketclip_nano" and len(found["pins"]) == 16


def test_gates_of_one_job_do_not_meet(runner: dict[str, str]) -> None:
    """By model, or by a name that the workflow's author gives; each safe in paths, comments and file names."""
    asked = [{}, {"model": "models/a b.json"}, {"name": "npu"}, {"name": "../é\nx=y; --> $(touch stolen)"}]
    names: list[str] = []
    for inputs in asked:
        assert run("paths", runner, inputs).returncode == 0
        names.append(told(runner)["name"])
    assert names == ["pocketclip_nano", "models-a-b.json", "npu", "..-x-y-touch-stolen-"]
    (upload,) = [
        step for step in ACTION["runs"]["steps"] if step.get("uses", "").startswith("actions/upload-artifact@")
    ]
    assert upload["with"]["name"] == "pocketclip-gate-${{ steps.paths.outputs.name }}"
