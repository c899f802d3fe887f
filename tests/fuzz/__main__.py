"""Runs many tries and prints what came of them: `python -m tests.fuzz --tries 10000`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

from pocketclip.models import atomic
from tests.fuzz.corpus import make_corpus, report_text
from tests.fuzz.sandbox import GOOD, Verdict, warm_up
from tests.fuzz.subjects import choose
from tests.fuzz.trying import Try, run_try

_EVERY_SECONDS = 30


def main() -> int:
    """Exit code 1 where a try ended other than done or refused."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--tries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first try, to repeat one")
    parser.add_argument("--corpus", type=Path, help="where good inputs are kept between runs")
    parser.add_argument("--only", default="", help="subjects whose name has this in it")
    parser.add_argument("--out", type=Path, help="the figures as JSON")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pocketclip-fuzz-") as temporary:
        corpus = (wanted.corpus or Path(temporary) / "corpus").resolve()
        corpus.mkdir(parents=True, exist_ok=True)
        found = [each for each in make_corpus(corpus) if wanted.only in each.name]
        warm_up(readers=True)
        tries: list[Try] = []
        last = time.monotonic()
        for number in range(wanted.first, wanted.first + wanted.tries):
            subject, source = choose(wanted.seed, number, found)
            good = Path(temporary) / "good" / subject.name.replace("'", "").replace(" ", "-")
            tries.append(run_try(number, subject, source, good, Path(temporary) / "try"))
            if tries[-1].outcome.verdict not in GOOD:
                print(_worded(tries[-1]), flush=True)
            if time.monotonic() > last + _EVERY_SECONDS:
                last = time.monotonic()
                print(f"{len(tries)} of {wanted.tries} tries", file=sys.stderr, flush=True)
    print(table(tries))
    if wanted.out is not None:
        counts = {name: dict(each) for name, each in _counts(tries).items()}
        atomic.write_text(wanted.out, report_text({"seed": wanted.seed, "tries": len(tries), "counts": counts}))
    return 0 if all(each.outcome.verdict in GOOD for each in tries) else 1


def _worded(each: Try) -> str:
    lines = each.outcome.detail.strip().splitlines() or [""]
    return f"try {each.number}: {each.subject}, {each.file}: {each.outcome.verdict}: {lines[-1]}"


def _counts(tries: list[Try]) -> dict[str, Counter[Verdict]]:
    counts: dict[str, Counter[Verdict]] = defaultdict(Counter)
    for each in tries:
        counts[each.subject][each.outcome.verdict] += 1
    return counts


def table(tries: list[Try]) -> str:
    """What came of the tries by subject, as Markdown."""
    heads = list(Verdict)
    lines = [f"| reader | tries | {' | '.join(heads)} | most memory | longest |", "|---" * (len(heads) + 4) + "|"]
    counts = _counts(tries)
    for name in sorted(counts):
        mine = [each.outcome for each in tries if each.subject == name]
        cells = [str(counts[name][verdict]) for verdict in heads]
        peak = max(each.peak_bytes for each in mine) / 1e6
        lines.append(
            f"| {name} | {len(mine)} | {' | '.join(cells)} | {peak:.0f} MB | {max(e.seconds for e in mine):.1f} s |"
        )
    total = Counter(each.outcome.verdict for each in tries)
    lines.append(f"| all | {len(tries)} | {' | '.join(str(total[verdict]) for verdict in heads)} | | |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
