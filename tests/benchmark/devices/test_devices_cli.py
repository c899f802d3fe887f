"""`pocketclip devices` from outside."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pocketclip.export.artifact.reading import Artifact

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_what_is_known_is_listed(pocketclip: Run) -> None:
    result = pocketclip("devices")
    assert result.returncode == 0, result.stderr
    for word in ("attached", "known", "host", "emulator-arm64", "pixel7", "iphone16-pro", "raspberry-pi-5"):
        assert word in result.stdout
    listed = pocketclip("devices", "list")
    assert (listed.returncode, listed.stdout) == (0, result.stdout)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("devices", "doctor", "toaster"), 2, "there is no device 'toaster'; `pocketclip devices` lists all"),
        (("devices", "doctor", "iphone15"), 1, "does not meet 2 of its preconditions"),
        (("devices", "start", "pixel7"), 2, "pixel7 is not an emulated phone"),
        (("devices", "--devices", "/no/table.toml"), 2, "cannot read the device table /no/table.toml"),
        (("devices", "start", "emulator-arm64"), 2, "emulated phone"),
        # What is written wrong is told before anybody looks for a phone.
        (("bench", "--device", "iphone15", "--artifact", "x"), 2, "x does not exist; give an artefact's folder"),
        (("bench", "--device", "pixel", "--artifact", "x"), 2, "did you mean pixel"),
        (("bench", "--artifact", __file__), 2, "is a file; give an artefact's folder"),
    ],
)
def test_bad_requests_end_with_one_line(
    pocketclip: Run,
    error_line: Callable[[subprocess.CompletedProcess[str]], str],
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    result = pocketclip(*arguments)
    assert result.returncode == code, result.stderr
    assert words in error_line(result)


def test_a_phone_that_nothing_reaches(
    pocketclip: Run,
    error_line: Callable[[subprocess.CompletedProcess[str]], str],
    build_artifact: Callable[..., Artifact],
) -> None:
    result = pocketclip("bench", "--device", "iphone15", "--artifact", build_artifact().folder)
    assert result.returncode == 10, result.stderr
    assert "no program for iPhones is available" in error_line(result)


def test_the_doctor_prints_each_precondition_and_its_fix(pocketclip: Run, tmp_path: Path) -> None:
    table = tmp_path / "own.toml"
    table.write_text('[board]\ntransport = "ssh"\nmatch = { host = "127.0.0.1" }\nssh = ["-F", "none", "-p", "1"]\n')
    result = pocketclip("devices", "doctor", "board", "--devices", table)
    assert result.returncode == 1
    failed, fix = result.stdout.splitlines()
    assert failed.startswith("failed  ssh: board cannot run a program")
    assert fix.strip() == "fix: check that sshd runs there, and its port"
