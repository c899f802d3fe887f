"""The command `compare`: two records, or everything against a baseline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.benchmark.commands.options import DEFAULT_STORE, StoreOption
from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketclip.benchmark.records.benchmark import BenchmarkRecord
    from pocketclip.benchmark.statistics.verdicts import Comparison
    from pocketclip.models.terminal.table import TerminalTable


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
    allow_invalid: Annotated[
        bool,
        typer.Option("--allow-invalid", help="Compare records that may not be ranked (busy, hot...) too, marked."),
    ] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Says whether what was measured is faster or slower (counted instructions: fewer or more), or cannot be told.

    With --baseline, ends with exit code 3 where the statistics support that something became slower, or takes more.
    """
    from pocketclip.benchmark.commands.results import read_store
    from pocketclip.benchmark.errors import OptionError, RegressionError
    from pocketclip.benchmark.statistics.verdicts import compare_records, judge_family

    if (first is None) == (baseline is None) or (first is None) != (second is None):
        raise OptionError("compare takes two records, `compare A B`, or a tag, `compare --baseline TAG`")
    known = [record for record in read_store(store).benchmarks if device in (None, record.device.name)]
    if first is not None and second is not None:
        pair = _find(known, first), _find(known, second)
        found = [compare_records(*pair, allow_invalid=allow_invalid)]
    else:
        assert baseline is not None
        pairs = _pairs(known, baseline, candidate, allow_invalid=allow_invalid)
        found = judge_family([compare_records(*pair, allow_invalid=allow_invalid) for pair in pairs])
    command_line.console().print(comparison_table(found))
    for each in found:
        if each.reason is not None:
            command_line.note(f"cannot tell: {_label(each.candidate)}: {each.reason}{_advice(each)}")
    for line in dict.fromkeys(line for each in found for line in each.invalid):
        command_line.note(f"warning: may not be ranked, compared all the same: {line}")
    regressed = [each for each in found if each.verdict.regressed]
    if baseline is not None and regressed:
        worst = max(regressed, key=lambda each: each.ratio)
        marked = sum(bool(each.invalid) for each in regressed)
        raise RegressionError(
            f"{len(regressed)} of {len(found)} {_became(regressed)} than {baseline!r}, the most "
            f"{_label(worst.candidate)}: {worst.ratio - 1:+.1%}"
            + (f"; {marked} of them on records that may not be ranked" if marked else "")
        )


def _became(regressed: Sequence[Comparison]) -> str:
    from pocketclip.benchmark.statistics.verdicts import Verdict

    words = {Verdict.SLOWER: "became slower", Verdict.MORE: "take more instructions"}
    return " or ".join(dict.fromkeys(words[each.verdict] for each in regressed))


def comparison_table(comparisons: Sequence[Comparison]) -> TerminalTable:
    """One row for each comparison."""
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column, word_column

    rows: list[tuple[str, ...]] = []
    for each in comparisons:
        interval = each.interval
        rows.append(
            (
                _label(each.baseline),
                _label(each.candidate),
                f"{each.ratio - 1:+.1%}",
                "" if interval is None else f"{interval[0] - 1:+.1%} to {interval[1] - 1:+.1%}",
                "" if each.p_value is None else f"{each.p_value:.3f}",
                "" if each.effect is None else f"{each.effect:+.2f}",
                "" if each.detectable is None else f"{each.detectable:.1%}",
                each.words,
            )
        )
    return TerminalTable(
        columns=(
            name_column("baseline"),
            name_column("candidate"),
            *figure_columns("change", "interval"),
            *figure_columns("p", spare=1),
            *figure_columns("effect", spare=3),
            *figure_columns("detectable", spare=2),
            word_column("verdict"),
        ),
        rows=rows,
        caption="change of the median; interval 95 %; detectable: the smallest change found in four of five cases",
    )


def _find(known: Sequence[BenchmarkRecord], reference: str) -> BenchmarkRecord:
    """The record that a user names.

    Raises:
        NoRecordError: there is none, or an id's beginning has several.
    """
    from pocketclip.benchmark.errors import NoRecordError
    from pocketclip.export.artifact.reading import load_artifact

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
    known: Sequence[BenchmarkRecord], baseline: str, candidate: str | None, *, allow_invalid: bool
) -> list[tuple[BenchmarkRecord, BenchmarkRecord]]:
    """The last record of each kind with the baseline's tag, with the last one of the candidate's.

    Records that may not be ranked take part with `allow_invalid` alone, and only where no other is of their kind; else
    a note tells how many were left out, and names the first.

    Raises:
        NoRecordError: nothing has the tag, or nothing is like what has it.
    """
    from pocketclip.benchmark.errors import NoRecordError
    from pocketclip.benchmark.records.benchmark import Status

    sides: tuple[dict[tuple[object, ...], BenchmarkRecord], ...] = ({}, {})
    invalid: tuple[dict[tuple[object, ...], BenchmarkRecord], ...] = ({}, {})
    for record in known:
        side = 0 if record.tag == baseline else 1 if candidate is None or record.tag == candidate else None
        if side is None or not (record.timed or record.status is Status.COUNTED):
            continue
        (invalid if record.invalid else sides)[side][_kind(record)] = record
    # A later valid run takes an invalid one's place, whatever is asked.
    left_out = [
        record
        for place in (0, 1)
        for kind, record in invalid[place].items()
        if kind not in sides[place] and (place == 0 or kind in sides[0] or kind in invalid[0])
    ]
    if allow_invalid:
        sides = tuple({**invalid[place], **sides[place]} for place in (0, 1))
        left_out = []
    if not sides[0]:
        raise NoRecordError(
            f"no record that may be ranked has the tag {baseline!r}; "
            + (_left_out(left_out) or f"bench with --tag {baseline}")
        )
    pairs = [(old, sides[1][kind]) for kind, old in sides[0].items() if kind in sides[1]]
    if not pairs:
        raise NoRecordError(
            f"nothing was measured like what has the tag {baseline!r}: the same model, scheme, tower, device, threads"
            + (f"; {_left_out(left_out)}" if left_out else "")
        )
    if left_out:
        command_line.note(f"warning: {_left_out(left_out)}")
    return pairs


def _left_out(records: Sequence[BenchmarkRecord]) -> str:
    """How many records may not be ranked, the first with the reason, and what to do; empty for none."""
    from pocketclip.benchmark.statistics.verdicts import why_invalid

    if not records:
        return ""
    first = records[0]
    count = f"{len(records)} {'record' if len(records) == 1 else 'records'}"
    return (
        f"{count} may not be ranked and {'was' if len(records) == 1 else 'were'} left out (first: "
        f"{'; '.join(why_invalid(first))}): {first.invalid[0].fix}, or compare with --allow-invalid"
    )


def _kind(record: BenchmarkRecord) -> tuple[object, ...]:
    from pocketclip.benchmark.report.selection import operation

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
