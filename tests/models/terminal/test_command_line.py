"""How a program ends that is told to end, also before it has begun its work."""

from __future__ import annotations

import io
import re
import shlex
import signal
import subprocess
import sys

import pytest

from pocketclip.models.terminal import command_line

# The signal comes inside `run`, before Typer looks for interrupts.
_EARLY = """
import os, sys
from pocketclip.models.terminal import command_line
class Early:
    def __call__(self):
        os.kill(os.getpid(), int(sys.argv[1]))
        import time
        time.sleep(30)
command_line.run(Early())
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_early_signal_ends_with_its_code(number: signal.Signals, code: int) -> None:
    ended = subprocess.run([sys.executable, "-c", _EARLY, str(int(number))], capture_output=True, text=True, timeout=60)
    assert ended.returncode == code
    assert ended.stderr == "interrupted; finished work is kept\n"


@pytest.mark.parametrize("module", ["pocketclip", "pocketclip.export", "pocketclip.benchmark"])
def test_version(module: str) -> None:
    ended = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.fullmatch(r"PocketCLIP [0-9]+\.[0-9]+\.[0-9]+\n", ended.stdout)


def test_completion_of_a_shell() -> None:
    # Which shell asks is read from the processes above: bash must be one of them, and must not be replaced.
    command = f"{shlex.quote(sys.executable)} -m pocketclip --show-completion bash; exit $?"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0
    assert "complete" in ended.stdout


def test_progress_shows_names_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    with command_line.progress() as progress:
        progress.add_task("bad\x1b[2J\nname [red]x", total=2)
        progress.refresh()
        progress.console.print("told \x1b[2J [red]y", soft_wrap=True)
    shown = stderr.getvalue()
    assert "bad\\x1b[2J\\nname [red]x" in shown
    assert "told \\x1b[2J [red]y" in shown
    assert "\x1b[2J" not in shown
