"""What native code writes to stderr is held back, and shown after all where something fails."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pocketclip.export.targets.converter_noise import held_stderr


def test_nothing_is_shown_when_all_goes_well(capfd: pytest.CaptureFixture[str]) -> None:
    with held_stderr():
        os.write(2, b"thread pool set\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_everything_is_shown_when_the_block_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="refused"):
        refuse_loudly()
    assert capfd.readouterr().err == "bad magic\n"


def refuse_loudly() -> None:
    with held_stderr():
        os.write(2, b"bad magic\n")
        raise ValueError("refused")


@pytest.mark.parametrize("target", ["coreml", "executorch", "tflite"])
def test_loading_a_target_says_nothing(target: str) -> None:
    # A process of its own: the packages speak while they are first imported.
    code = f"from pocketclip.export.targets import load_target; load_target({target!r})"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("", "")
