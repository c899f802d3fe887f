"""One damaged input: which file of a subject's good input is damaged how, and what came of reading it."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.mutations import mutated, mutated_json_text
from tests.fuzz.sandbox import Outcome, Verdict, attempt
from tests.fuzz.subjects import Content, Subject


@dataclass(frozen=True)
class Try:
    """A try's number, what was damaged, and what came of it."""

    number: int
    subject: str
    file: str
    outcome: Outcome


def run_try(number: int, subject: Subject, source: random.Random, good: Path, work: Path) -> Try:
    """Damages a copy of the good input below `work` and reads it; `good` is where the subject's input is kept."""
    if not good.is_dir():
        good.mkdir(parents=True)
        subject.make(good)
    folder = work / "inside" / "input"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(good, folder, symlinks=True)
    files = sorted(path for pattern in subject.damaged for path in folder.glob(pattern) if path.is_file())
    file = source.choice(files)
    damage = mutated_json_text if subject.content is Content.JSON else mutated
    file.write_bytes(damage(file.read_bytes(), source.getrandbits(64)))
    # Where hostile names would lead: beside and above what may be written.
    before = _listing(work)
    outcome = attempt(lambda: subject.read(folder), work)
    after = _listing(work)
    if after != before:
        detail = f"beside the folder: {sorted(after ^ before)}"
        outcome = Outcome(Verdict.OUTSIDE, detail, outcome.peak_bytes, outcome.seconds)
    return Try(number, subject.name, str(file.relative_to(folder)), outcome)


def _listing(work: Path) -> frozenset[str]:
    """Names beside the folder that may be written, less the sandbox's own."""
    return frozenset(path.name for path in work.iterdir()) - {"inside", "verdict.json", "output.txt"}
