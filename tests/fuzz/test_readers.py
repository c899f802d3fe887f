"""Some seeded tries through every reader; `make fuzz` runs 10,000."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from tests.fuzz.corpus import make_corpus
from tests.fuzz.sandbox import GOOD, Verdict, attempt, warm_up
from tests.fuzz.subjects import Subject
from tests.fuzz.trying import run_try

pytestmark = pytest.mark.slow

# Of each reader, about half a second of work.
_TRIES = 4
# Model files have tests of their own (test_model_files.py), with more tries.
_OWN_TESTS = ("inspect of", "lint of")


@pytest.fixture(scope="module")
def corpus(nano_exports, tmp_path_factory: pytest.TempPathFactory) -> list[Subject]:
    warm_up()
    artifacts = nano_exports["onnx", "fp32", "text"].folder.parents[1]
    return make_corpus(tmp_path_factory.mktemp("corpus"), artifacts)


def test_every_reader_answers(corpus: list[Subject], tmp_path: Path) -> None:
    wrong: list[str] = []
    tried = 0
    for subject in corpus:
        if subject.name.startswith(_OWN_TESTS):
            continue
        good = tmp_path / "good" / str(corpus.index(subject))
        for number in range(_TRIES):
            tried += 1
            found = run_try(number, subject, random.Random(f"{subject.name} {number}"), good, tmp_path / "try")
            if found.outcome.verdict not in GOOD:
                wrong.append(f"{subject.name}, {found.file}: {found.outcome.verdict}: {found.outcome.detail[-300:]}")
    assert not wrong
    assert tried >= 40


def _write_beside() -> None:
    Path("../../beside.txt").write_text("x")


def _loop() -> None:
    while True:
        pass


def _take_memory() -> None:
    assert len(bytearray(b"x") * (3 << 30)) > 0


def _end() -> None:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGSEGV)


def _run_a_program() -> None:
    import subprocess

    subprocess.run([shutil.which("true") or "true"], check=False)


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (_write_beside, Verdict.OUTSIDE),
        (_run_a_program, Verdict.OUTSIDE),
        (_loop, Verdict.HANG),
        (_take_memory, Verdict.MEMORY),
        (_end, Verdict.CRASH),
        (lambda: [][1], Verdict.TRACEBACK),
        (lambda: None, Verdict.DONE),
    ],
)
def test_the_sandbox_sees_a_fault(fault, verdict: Verdict, tmp_path: Path) -> None:
    assert attempt(fault, tmp_path / "work", seconds=3 if verdict is Verdict.HANG else 60).verdict is verdict
