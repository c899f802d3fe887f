"""The command `compare`: two records, or everything against a baseline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli import DEFAULT_STORE, StoreOption
from models import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from benchmark.compare import Comparison
    from benchmark.records import BenchmarkRecord


def compare_command(
    first: Annotated[
        str | None,
        typer.Argument(help="The baseline: a record's id or its beginning, or an artefact's folder (its last record)."),
    ] = None,
    second: Annotated[str | None, typer.Argument(help="What is compared with it, named in the same way.")] = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="A tag: each of its records against the last like it.")
    ] = None,
    candidate: Annotated[
        str | None, typer.Option("--candidate", help="A tag of what is compared; by default what is not the baseline.")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="Among several devices' records, those of this one.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Says whether what was measured is faster, slower, or cannot be told apart.

    With --baseline, ends with exit code 3 where the statistics support that something became slower.
    """
    from benchmark.compare import Verdict, compare_records, judge_family
    from benchmark.errors import OptionError, RegressionError
    from benchmark.results_cli import read_store

    if (first is None) == (baseline is None) or (first is None) != (second is None):
        raise OptionError("compare takes two records, `compare A B`, or a tag, `compare --baseline TAG`")
    known = [record for record in read_store(store).benchmarks if device in (None, record.device.name)]
    if first is not None and second is not None:
        found = [compare_records(_find(known, first), _find(known, second))]
    else:
        assert baseline is not None
        pairs = _pairs(known, baseline, candidate)
        found = judge_family([compare_records(*pair) for pair in pairs])
    command_line.console().print(comparison_table(found))
    for each in found:
        if each.reason is not None:
            command_line.note(f"cannot tell: {_label(each.candidate)}: {each.reason}{_advice(each)}")
    slower = [each for each in found if each.verdict is Verdict.SLOWER]
    if baseline is not None and slower:
        worst = max(slower, key=lambda each: each.ratio)
        raise RegressionError(
            f"{len(slower)} of {len(found)} became slower than {baseline!r}, the most {_label(worst.candidate)}: "
            f"{worst.ratio - 1:+.1%}"
        )


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """One row for each comparison."""
    from rich import box
    from rich.table import Table

    table = Table(
        caption="change of the median; interval 95 %; detectable: the smallest change found in four of five cases",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    for name in ("baseline", "candidate"):
        table.add_column(name, overflow="fold")
    for name in ("change", "interval", "p", "effect", "detectable"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for each in comparisons:
        interval = each.interval
        table.add_row(
            _label(each.baseline),
            _label(each.candidate),
            f"{each.ratio - 1:+.1%}",
            "" if interval is None else f"{interval[0] - 1:+.1%} to {interval[1] - 1:+.1%}",
            "" if each.p_value is None else f"{each.p_value:.3f}",
            "" if each.effect is None else f"{each.effect:+.2f}",
            "" if each.detectable is None else f"{each.detectable:.1%}",
            each.verdict,
        )
    return table


def _find(known: Sequence[BenchmarkRecord], reference: str) -> BenchmarkRecord:
    """The record that a user names.

    Raises:
        NoRecordError: there is none, or an id's beginning has several.
    """
    from benchmark.errors import NoRecordError
    from export.artifact import load_artifact

    if reference and Path(reference).is_dir():
        sha256 = load_artifact(Path(reference)).manifest.sha256
        found = [record for record in known if record.artifact.sha256 == sha256][-1:]
    else:
        found = [record for record in known if record.record_id.startswith(reference)]
    if len(found) != 1:
        many = f"{len(found)} records begin with" if found else "there is no record of"
        raise NoRecordError(
            f"{many} {reference!r}; give an id as `pocketclip results` lists them, or the folder of an artefact "
            "that was benched"
        )
    return found[0]


def _pairs(
    known: Sequence[BenchmarkRecord], baseline: str, candidate: str | None
) -> list[tuple[BenchmarkRecord, BenchmarkRecord]]:
    """The last record of each kind with the baseline's tag, with the last one of the candidate's.

    Raises:
        NoRecordError: nothing has the tag, or nothing is like what has it.
    """
    from benchmark.errors import NoRecordError
    from benchmark.records import Status

    sides: tuple[dict[tuple[object, ...], BenchmarkRecord], ...] = ({}, {})
    for record in known:
        if record.rankable or (record.status is Status.COUNTED and not record.invalid):
            if record.tag == baseline:
                sides[0][_kind(record)] = record
            elif candidate is None or record.tag == candidate:
                sides[1][_kind(record)] = record
    if not sides[0]:
        raise NoRecordError(f"no record that may be ranked has the tag {baseline!r}; bench with --tag {baseline}")
    pairs = [(old, sides[1][kind]) for kind, old in sides[0].items() if kind in sides[1]]
    if not pairs:
        raise NoRecordError(
            f"nothing was measured like what has the tag {baseline!r}: the same model, scheme, tower, device, threads"
        )
    return pairs


def _kind(record: BenchmarkRecord) -> tuple[object, ...]:
    from benchmark.report.selection import operation

    artifact, device = record.artifact, record.device
    return artifact.model, artifact.tower, device.name, device.instance, operation(record), record.status


def _label(record: BenchmarkRecord) -> str:
    identity = record.artifact
    return f"{identity.model} {identity.scheme} {identity.tower}" + (f" ({record.tag})" if record.tag else "")


def _advice(comparison: Comparison) -> str:
    if comparison.detectable is None or comparison.interval is None:
        return ""
    return (
        f"; with {len(comparison.candidate.launches)} launches a change of {comparison.detectable:.1%} is found: "
        "for smaller ones measure with more --launches"
    )
