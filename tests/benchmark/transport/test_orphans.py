"""What a process leaves behind that is killed: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pocketclip.benchmark.transport import orphans

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX's")

# Starts a program that has a helper of its own, in a scratch folder, and says where and which.
_VICTIM = """
import sys
from pocketclip.benchmark.runners.scratch import scratch_folder
from pocketclip.benchmark.transport.client import run_client
with scratch_folder() as folder:
    (folder / "inside").write_text("content")
    run_client(["true"], timeout_seconds=10)
    print(folder, flush=True)
    script = 'sleep 300 & echo $! > "$0"/pids.part; echo $$ >> "$0"/pids.part; mv "$0"/pids.part "$0"/pids; wait'
    run_client(["sh", "-c", script, str(folder)], timeout_seconds=300)
"""


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def _wait_until(condition: object) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes by /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_programs_and_folders_go_with_a_process_that_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", _VICTIM], stdout=subprocess.PIPE, text=True, env=environment
    ) as victim:
        assert victim.stdout is not None
        folder = Path(victim.stdout.readline().strip())
        assert _wait_until((folder / "pids").is_file)
        pids = [int(line) for line in (folder / "pids").read_text().split()]
        assert len(pids) == 2 and all(_is_running(pid) for pid in pids)
        victim.send_signal(number)
        victim.wait(timeout=10)
    assert _wait_until(lambda: not any(_is_running(pid) for pid in pids))
    assert _wait_until(lambda: not folder.exists())
    assert list(tmp_path.iterdir()) == []


def test_what_was_released_stays(tmp_path: Path) -> None:
    """In a process of its own, for the guard acts at its end."""
    kept, gone = tmp_path / "kept", tmp_path / "gone"
    kept.mkdir()
    gone.mkdir()
    program = (
        "import sys\nfrom pathlib import Path\nfrom pocketclip.benchmark.transport.orphans import *\n"
        "kept, gone = map(Path, sys.argv[1:])\n"
        "guard_folder(kept); guard_folder(gone); release_folder(kept)"
    )
    subprocess.run([sys.executable, "-c", program, kept, gone], check=True, timeout=30)
    assert kept.is_dir()
    assert not gone.exists()


def test_a_guard_that_cannot_start_stops_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(orphans, "_GUARD_PROCESS", orphans._Guard())
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    orphans.guard_folder(tmp_path)
    orphans.release_folder(tmp_path)
    assert tmp_path.is_dir()
