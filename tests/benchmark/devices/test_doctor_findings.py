"""`devices doctor` of boards and iPhones: all that is wrong at once, and files that iPhones give without end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pocketclip.benchmark.devices.doctor import examine
from pocketclip.benchmark.devices.table import load_table
from pocketclip.benchmark.errors import OutputLimitError
from pocketclip.benchmark.platforms.apple.phone import ListedPhone
from pocketclip.benchmark.platforms.apple.pymobiledevice import PymobilePhone

# A board that is this machine, whose shell cannot say what it is.
_SSH = """#!/bin/sh
case "$*" in *getprop*) exit 3;; esac
while [ "$1" != -- ]; do case "$1" in -O) exit 0;; esac; shift; done
shift 2
exec sh -c "$*"
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose programs are found first."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def put(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)
    (folder / name).chmod(0o755)


def test_a_board_is_looked_at_to_the_end(programs: Path, tmp_path: Path) -> None:
    put(programs, "ssh", _SSH)
    (tmp_path / "devices.toml").write_text(
        '[pi]\ntransport = "ssh"\nmatch = { host = "pi" }\npython = "/nowhere/python3"\n'
        f'workspace = "{tmp_path}/missing/not"\n'
    )
    (tmp_path / "missing").write_text("a file where a folder should be")
    found = {each.precondition: each for each in examine(load_table(tmp_path / "devices.toml")["pi"])}
    failed = [name for name, each in found.items() if not each.met]
    assert failed[:2] == ["what it is", "files arrive whole"] and failed[-1] == "Python"
    assert found["Python"].detail.startswith("there is no /nowhere/python3 of version 3.9 or more on pi")
    assert (found["Python"].fix or "").startswith("install python3")


def test_an_iphones_app_is_looked_for_without_the_phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "devices.toml").write_text('[phone]\ntransport = "ios"\nmatch = { products = ["iPhone15,4"] }\n')
    found = list(examine(load_table(tmp_path / "devices.toml")["phone"], tmp_path / "no.app"))
    assert [(each.precondition, each.met) for each in found] == [
        ("a program that reaches iPhones", False),
        ("the app on this computer", False),
    ]


def test_a_file_of_an_iphone_that_never_ends(programs: Path, tmp_path: Path) -> None:
    # Arguments: --no-color apps pull BUNDLE REMOTE LOCAL.
    put(programs, "pymobiledevice3", '#!/bin/sh\ntruncate -s 200M "$6"\nexec sleep 300\n')
    phone = PymobilePhone(ListedPhone("00008120-000A1C2E0E88C01E", "1", None, None, None, True, True), "phone")
    with pytest.raises(OutputLimitError, match="pymobiledevice3 gave more than 128 MiB for one file and was stopped"):
        phone.pull("org.example", "Documents/result.json", tmp_path / "incoming")
