"""What a photograph costs in towers that take several at once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pocketclip.benchmark.errors import OptionError
from pocketclip.benchmark.perf import batching


@pytest.mark.parametrize("text", ["", "0", "4,", "65", "2.5", "-1", "many"])
def test_what_is_no_batch(text: str) -> None:
    with pytest.raises(OptionError, match="is no list of numbers from 1 to 64; give for example --batch 1,4"):
        batching.parse_batches(text)


def test_a_single_photograph_comes_first() -> None:
    assert batching.parse_batches("8, 4") == [1, 4, 8]


@pytest.mark.slow
def test_table(tmp_path: Path) -> None:
    words = ["--model", "pocketclip_nano", "--target", "onnx", "--batch", "2", "--out", str(tmp_path)]
    command = [sys.executable, "-m", "pocketclip.benchmark.perf.batching", *words, "--processes", "1", "--rounds", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "| model | runtime | precision | batch | a photograph | of batch 1 |"
    assert re.fullmatch(r"\| pocketclip_nano \| onnxruntime \| fp32\S* \| 1 \| [\d.]+ ms \|  \|", lines[2])
    assert re.fullmatch(r"\| pocketclip_nano \| onnxruntime \| fp32\S* \| 2 \| [\d.]+ ms \| [\d.]+ \|", lines[3])
