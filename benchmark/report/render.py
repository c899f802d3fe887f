"""Writes the report: one HTML file with its style and pictures inside, which asks the network for nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.accuracy_records import AccuracyRecord, RetrievalRecord
from benchmark.records import BenchmarkRecord, tool_version
from benchmark.report.content import build_report
from export.precision import TargetName
from models import atomic

_FOLDER = Path(__file__).parent


def write_report(
    out: Path,
    benchmarks: Sequence[BenchmarkRecord],
    accuracies: Sequence[AccuracyRecord],
    unavailable: Mapping[TargetName, str] | None = None,
    retrievals: Sequence[RetrievalRecord] = (),
) -> None:
    """Renders the latest records to `out`, whole or not at all; see `render`.

    Raises:
        ReportError: there are no records.
        StorageError: `out` cannot be written.
    """
    atomic.write_text(out, render(benchmarks, accuracies, unavailable, retrievals))


def render(
    benchmarks: Sequence[BenchmarkRecord],
    accuracies: Sequence[AccuracyRecord],
    unavailable: Mapping[TargetName, str] | None = None,
    retrievals: Sequence[RetrievalRecord] = (),
) -> str:
    """The page as HTML. `unavailable` says why targets cannot be used here; by default it is probed."""
    # Imported here: only a report needs it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    report = build_report(benchmarks, accuracies, probe_targets() if unavailable is None else unavailable, retrievals)
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The pictures are ours and escape their texts themselves; so is the style sheet.
    environment.filters["picture"] = Markup
    style = Markup((_FOLDER / "report.css").read_text())
    return environment.get_template("report.html.j2").render(report=report, style=style, version=tool_version())


def probe_targets() -> dict[TargetName, str]:
    """Targets whose packages are missing, with the reason and the command that adds them."""
    from export import targets

    found = {target: targets.probe(target) for target in TargetName}
    return {
        target: f"unavailable here: {state.reason}; add it with: {state.install}"
        for target, state in found.items()
        if not state.available
    }
