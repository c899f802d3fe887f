"""Python on a board, whatever its path is called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pocketclip.benchmark.devices.environment import BoardEnvironment
from pocketclip.benchmark.devices.table import load_table
from pocketclip.benchmark.errors import DeviceTableError, DeviceUnsupportedError
from pocketclip.benchmark.transport.ssh import SshTransport

# A board that is this machine: `ssh OPTIONS -- HOST LINE`.
_SSH = '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift 2\nHOME="$BOARD_HOME" exec sh -c "$*"\n'


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SshTransport:
    program = tmp_path / "ssh"
    program.write_text(_SSH)
    program.chmod(0o755)
    monkeypatch.setenv("BOARD_HOME", str(tmp_path / "home of pi"))
    (tmp_path / "home of pi").mkdir()
    return SshTransport("board", "board", program=str(program))


def test_a_python_with_spaces_and_quotes_in_its_path(board: SshTransport, tmp_path: Path) -> None:
    place = tmp_path / "my 'own' $python; touch PWNED"
    place.mkdir()
    python = place / "python 3"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    environment = BoardEnvironment(board, str(python), given=True, say=print)
    environment.check()
    (command,) = environment.python("onnxruntime")
    assert subprocess.run([command, "-c", "print(1 + 1)"], capture_output=True, text=True).stdout == "2\n"
    with pytest.raises(DeviceUnsupportedError, match=r"there is no /nowhere/my python of version 3\.9"):
        BoardEnvironment(board, "/nowhere/my python", given=True, say=print).check()
    assert not (tmp_path / "PWNED").exists() and not Path("PWNED").exists()


def test_an_environment_that_was_interrupted_is_made_anew_below_our_own_folder(
    board: SshTransport, tmp_path: Path
) -> None:
    """pip's part fails without a network; what was there before, beside ours, stays."""
    cache = tmp_path / "home of pi" / ".cache"
    (cache / "others").mkdir(parents=True)
    script = tmp_path / "python"
    script.write_text('#!/bin/sh\n[ "$1" = -m ] && mkdir -p "$3/bin" && exit 1\n')
    script.chmod(0o755)
    environment = BoardEnvironment(board, str(script), given=False, say=print)
    for _ in range(2):
        with pytest.raises(DeviceUnsupportedError, match="cannot set up the runtime"):
            environment.python("onnxruntime")
    assert (cache / "others").is_dir()
    assert [path.name.rpartition("-")[0] for path in (cache / "pocketclip").iterdir()] == ["onnxruntime"]


@pytest.mark.parametrize("workspace", ["relative", "/tmp/../etc", "/tmp//x", "/", "", "/a\\nb"])
def test_workspaces_of_the_table_are_absolute_paths(workspace: str, tmp_path: Path) -> None:
    table = tmp_path / "devices.toml"
    table.write_text(f'[pi]\ntransport = "ssh"\nmatch = {{ host = "pi" }}\nworkspace = "{workspace}"\n')
    with pytest.raises(DeviceTableError, match="workspace: must be an absolute path of a device"):
        load_table(table)
    table.write_text('[pi]\ntransport = "ssh"\nmatch = { host = "pi" }\nworkspace = "/mnt/big disk"\n')
    assert load_table(table)["pi"].workspace == "/mnt/big disk"
