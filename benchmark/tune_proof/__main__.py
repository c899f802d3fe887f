"""`python -m pocketclip.benchmark.tune_proof`: the tables of docs/tune.md."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketclip.benchmark.tune.points import SearchSpace
    from pocketclip.benchmark.tune_proof.trying import Figures, Tried, Truth

app = command_line.new_app(
    "pocketclip.benchmark.tune_proof", "Tries `tune` on a space whose every point was measured and trained."
)
_GOAL = 0.95


@app.command()
def proof_command(
    records: Annotated[
        Path, typer.Option("--records", help="Results of the encoder study: runs of all variants, and speeds.")
    ] = Path("docs/records/encoders-nano"),
    split: Annotated[str, typer.Option("--split", help="The split that accuracy is of.")] = "pictures-design",
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Studies of each strategy.")] = 5,
    share: Annotated[float, typer.Option("--share", min=0.01, max=1.0, help="Trials, as a share of the points.")] = 1
    / 3,
    per_round: Annotated[int, typer.Option("--per-round", min=1, help="Trials chosen at a time.")] = 3,
    out: Annotated[Path | None, typer.Option("--out", help="Markdown file for the tables (default: stdout).")] = None,
) -> None:
    """Runs whole studies by each strategy and says how much of the true hypervolume each one finds."""
    from pocketclip.benchmark.tune.settings import StudySettings
    from pocketclip.benchmark.tune_proof.recorded import Recorded, recorded_space
    from pocketclip.benchmark.tune_proof.trying import truth_of, try_all
    from pocketclip.models import atomic

    space, worker = recorded_space(), Recorded(records, split)
    truth = truth_of(space, worker)
    most = int(share * len(truth.figures))
    settings = StudySettings(space.space, per_round=per_round)
    tried: list[Tried] = []
    for each in try_all(space, worker, settings, range(seeds), most):
        tried.append(each)
        command_line.note(f"{each.strategy}, seed {each.seed}: {truth.share(each.points, truth.worst):.1%}")
    text = _markdown(space, truth, tried, split, most)
    if out is None:
        print(text, end="")
        return
    atomic.write_text(out, text)
    command_line.note(f"wrote {out}")


def _markdown(space: SearchSpace, truth: Truth, tried: Sequence[Tried], split: str, most: int) -> str:
    from pocketclip.benchmark.tune.settings import Strategy

    lines = [
        f"{len(truth.figures)} points, accuracy on {split}. Of the true hypervolume, found by at most {most} trials:",
        "the least and the median over seeds, in brackets the trials that reach 95 % (median; - where not all do).",
        "",
        "| strategy | studies | to the worst of all points | to the worst of the front | points of the front |",
        "|---|---|---|---|---|",
    ]
    for strategy in Strategy:
        mine = [each for each in tried if each.strategy is strategy]
        if mine:
            cells = [_shares(mine, truth, reference) for reference in (truth.worst, truth.worst_of_front)]
            found = [sum(point in each.points for point in truth.front) for each in mine]
            lines.append(
                f"| {strategy} | {len(mine)} | {' | '.join(cells)} | {_median(found):.0f} of {len(truth.front)} |"
            )
    lines += ["", "The true front:", "", "| point | latency, ms | points lost |", "|---|---|---|"]
    for point in sorted(truth.front, key=lambda each: truth.figures[each]):
        cost, loss = truth.figures[point]
        lines.append(f"| {' '.join(point.levels[:-1])} | {cost / 1e6:.3f} | {loss:+.2f} |")
    return "\n".join(lines) + "\n"


def _shares(tried: Sequence[Tried], truth: Truth, reference: Figures) -> str:
    shares = [truth.share(each.points, reference) for each in tried]
    counts = [each.evaluations(truth, reference, _GOAL) for each in tried]
    known = [count for count in counts if count is not None]
    reached = f"{_median(known):.0f}" if len(known) == len(counts) else f"-, {len(known)} of {len(counts)} do"
    return f"{min(shares):.1%}, {_median(shares):.1%} ({reached})"


def _median(values: Sequence[float]) -> float:
    from statistics import median

    return median(values)


def main() -> None:
    """Entry of the command."""
    command_line.run(app)


if __name__ == "__main__":
    main()
