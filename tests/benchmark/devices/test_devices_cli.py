"""`pocketclip devices` from outside."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_what_is_known_is_listed(pocketclip: Run) -> None:
    result = pocketclip("devices")
    assert result.returncode == 0, result.stderr
    for word in ("attached", "known", "host", "emulator-arm64", "pixel7", "iphone16-pro", "raspberry-pi-5"):
        assert word in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("devices", "doctor", "toaster"), 2, "there is no device 'toaster'; choose from: host"),
        (("devices", "doctor", "iphone15"), 1, "1 of its preconditions are not met"),
        (("devices", "start", "pixel7"), 2, "pixel7 is no emulated phone"),
        (("devices", "--devices", "/no/table.toml"), 2, "cannot read the table of devices /no/table.toml"),
        (("devices", "start", "emulator-arm64"), 2, "emulated phone"),
        (("bench", "--device", "iphone15", "--artifact", "x"), 10, "no program here reaches iPhones"),
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


def test_the_doctor_prints_each_precondition_and_its_fix(pocketclip: Run, tmp_path: Path) -> None:
    table = tmp_path / "own.toml"
    table.write_text('[board]\ntransport = "ssh"\nmatch = { host = "127.0.0.1" }\nssh = ["-F", "none", "-p", "1"]\n')
    result = pocketclip("devices", "--devices", table, "doctor", "board")
    assert result.returncode == 1
    failed, fix = result.stdout.splitlines()
    assert failed.startswith("failed  ssh: board cannot run a program")
    assert fix.strip() == "fix: see whether sshd runs there, and its port"
