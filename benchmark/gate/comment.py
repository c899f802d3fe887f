"""The comment on a pull request, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from pocketclip.benchmark.gate.exporting import Exported
from pocketclip.benchmark.gate.judging import Row
from pocketclip.benchmark.report.markdown import code_block, escape, table_lines
from pocketclip.benchmark.statistics.formatting import UNKNOWN, cosine, megabytes
from pocketclip.export.artifact.reading import Artifact

_Figure = Callable[[Artifact], str]

MOST_CHARACTERS = 60_000
"""GitHub takes 65,536."""
_LONGEST_NAME = 100


def mark(name: str) -> str:
    """The first line: by it the comment of a gate's name is found again, and replaced. `action.sh` knows the form."""
    # Nothing else could be in a comment of HTML and in a shell's and jq's text alike.
    safe = re.sub(r"[^A-Za-z0-9._]+", "-", name)[:_LONGEST_NAME]
    return f"<!-- pocketclip-gate {safe} -->"


def headline(rows: Sequence[Row]) -> str:
    """One sentence: what stops the change, or that nothing does."""
    if not rows:
        return "neither side has an artefact"
    stopping = [row for row in rows if row.outcome.stops]
    if not stopping:
        return f"nothing worse in {len(rows)} {_artefacts(len(rows))}"
    found = dict.fromkeys(row.outcome for row in stopping)
    counts = (f"{sum(row.outcome is each for row in stopping)} {each}" for each in found)
    return f"{len(stopping)} of {len(rows)} {_artefacts(len(rows))} worse: {', '.join(counts)}"


def render_comment(
    model: str, rows: Sequence[Row], base: Exported, head: Exported, report: str | None, *, name: str | None = None
) -> str:
    """The whole comment; of a report that would make it too long, nothing, and it says so.

    Args:
        model: as the user names it.
        rows: what was found.
        base, head: for what a failed export said.
        report: the records as Markdown, for those who want to see more.
        name: what tells it from comments of other gates; None takes the model's.
    """
    lines = [mark(model if name is None else name), f"### PocketCLIP, {escape(model)}: {headline(rows)}", ""]
    lines += table_lines(
        ("artefact", "tower", "MB", "cosine, least", "change", "outcome"),
        (False, False, True, True, True, False),
        map(_cells, rows),
    )
    for name, side in (("base", base), ("change", head)):
        if side.failure is not None:
            lines += ["", f"The export of the {name} failed:", "", *code_block(side.failure)]
    text = "\n".join(lines) + "\n"
    if report is None:
        return text
    whole = "\n".join([text, "<details><summary>All figures</summary>", "", report, "", "</details>", ""])
    if len(whole) <= MOST_CHARACTERS:
        return whole
    return text + f"\nThe report has {len(report):,} characters, too many for a comment: it is among the run's files.\n"


def _cells(row: Row) -> tuple[str, ...]:
    scheme, tower = row.key
    outcome = f"{row.outcome} ({row.reason})" if row.reason else str(row.outcome)
    return scheme, tower, _both(row, _size), _both(row, _least_cosine), _change(row), outcome


def _both(row: Row, figure: _Figure) -> str:
    """Before and after; one figure where they are equal."""
    shown = list(dict.fromkeys(UNKNOWN if each is None else figure(each) for each in (row.base, row.head)))
    return " → ".join(shown)


def _size(artifact: Artifact) -> str:
    return megabytes(artifact.manifest.model_size_bytes)


def _least_cosine(artifact: Artifact) -> str:
    parity = artifact.manifest.parity
    return UNKNOWN if parity is None else cosine(parity.cosine_min)


def _change(row: Row) -> str:
    found = row.comparison
    if found is None:
        return UNKNOWN
    interval = found.interval
    return f"{found.ratio - 1:+.1%}" + (
        "" if interval is None else f" ({interval[0] - 1:+.1%} to {interval[1] - 1:+.1%})"
    )


def _artefacts(count: int) -> str:
    return "artefact" if count == 1 else "artefacts"
