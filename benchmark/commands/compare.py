"""The `compare` command: compares two records, or all records with a baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.benchmark.commands.options import StoreOption
from pocketclip.benchmark.default_store import DEFAULT_STORE
from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketclip.benchmark.records.benchmark import BenchmarkRecord
    from pocketclip.benchmark.statistics.verdicts import Comparison
    from pocketclip.models.terminal.table import TerminalTable


def compare_command(
    first: Annotated[
        str | None,
        typer.Argument(
            help="The baseline: a record's id or its beginning, or an artefact's folder (its latest record)."
        ),
    ] = None,
    second: Annotated[str | None, typer.Argument(help="The candidate, named in the same way.")] = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="A tag: compare its records with the latest matching ones.")
    ] = None,
    candidate: Annotated[
        str | None,
        typer.Option("--candidate", help="Tag of the candidates (default: all records outside the baseline)."),
    ] = None,
    device: Annotated[str | None, typer.Option("--device", help="Compare only records from this device.")] = None,
    allow_invalid: Annotated[
        bool,
        typer.Option("--allow-invalid", help="Also compare invalid records (busy, hot, ...); they are marked."),
    ] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Tells whether records are faster or slower (counted instructions: fewer or more), or whether it cannot tell.

    With --baseline, exits with code 3 if the statistics show that an artefact became slower or takes more instructions.
    """
    from pocketclip.benchmark import api
    from pocketclip.benchmark.errors import OptionError, RegressionError

    if (first is None) == (baseline is None) or (first is None) != (second is None):
        raise OptionError("give compare either two records (`compare A B`) or a tag (`compare --baseline TAG`)")
    if first is not None and second is not None:
        found = [api.compare(first, second, store=store, device=device, allow_invalid=allow_invalid)]
    else:
        assert baseline is not None
        found = api.compare_with_baseline(
            baseline, candidate=candidate, store=store, device=device, allow_invalid=allow_invalid
        )
    command_line.console().print(comparison_table(found))
    for each in found:
        if each.reason is not None:
            command_line.note(f"cannot tell: {_label(each.candidate)}: {each.reason}{_advice(each)}")
    for line in dict.fromkeys(line for each in found for line in each.invalid):
        command_line.note(f"warning: invalid, compared anyway: {line}")
    regressed = [each for each in found if each.verdict.regressed]
    if baseline is not None and regressed:
        worst = max(regressed, key=lambda each: each.ratio)
        marked = sum(bool(each.invalid) for each in regressed)
        raise RegressionError(
            f"{len(regressed)} of {len(found)} {_became(regressed)} than {baseline!r}; the worst is "
            f"{_label(worst.candidate)}: {worst.ratio - 1:+.1%}"
            + (f"; {marked} of them use invalid records" if marked else "")
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
        caption="change of the median, 95 % interval; detectable: a real change of this size is found in 80 % of runs",
    )


def _label(record: BenchmarkRecord) -> str:
    identity = record.artifact
    return f"{identity.model} {identity.scheme} {identity.tower}" + (f" ({record.tag})" if record.tag else "")


def _advice(comparison: Comparison) -> str:
    if comparison.detectable is None or comparison.interval is None:
        return ""
    return (
        f"; {len(comparison.candidate.launches)} launches can detect a change of {comparison.detectable:.1%}: "
        "to detect smaller changes, measure with more --launches"
    )
