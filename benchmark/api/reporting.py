"""Report: a store's latest records as a page or as tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.benchmark.api.fleet_state import told_fleet
from pocketclip.benchmark.api.stores import read_store
from pocketclip.benchmark.default_store import DEFAULT_STORE
from pocketclip.benchmark.errors import OptionError

if TYPE_CHECKING:
    from pocketclip.benchmark.report.writing import ReportFormat


def report(
    store: str | Path = DEFAULT_STORE,
    *,
    form: ReportFormat | str = "html",
    baseline: str | None = None,
    ladders: Sequence[str | Path] = (),
) -> str:
    """A store's latest records as one self-contained HTML page, as Markdown or as JSON.

    Args:
        store: a SQLite file or an SQLAlchemy URL.
        form: `html`, `md` or `json`.
        baseline: a tag, `model:NAME` or `precision:NAME`; None compares each artefact with floating point.
        ladders: files from `pocketclip verify --json`.

    Raises:
        StoreError: the store does not exist or cannot be read.
        OptionError: the form or the baseline is not allowed.
    """
    from pocketclip.benchmark.report.ladder_table import read_ladders
    from pocketclip.benchmark.report.material import Material, probe_targets
    from pocketclip.benchmark.report.writing import ReportFormat, parse_baseline, render_as
    from pocketclip.models.errors import choices

    if form not in tuple(ReportFormat):
        raise OptionError(f"a report has no format {form!r}", fix=f"choose among: {choices(ReportFormat)}")
    found_ladders = [found for path in ladders for found in read_ladders(Path(path))]
    found = read_store(store)
    material = Material(
        benchmarks=found.benchmarks,
        accuracies=found.accuracies,
        retrievals=found.retrievals,
        unavailable=probe_targets(),
        baseline=parse_baseline(baseline),
        ladders=found_ladders,
        farms=found.farms,
        fleet=told_fleet(store),
    )
    return render_as(ReportFormat(form), material)
