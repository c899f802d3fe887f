"""What `bench`, `eval`, `compare` and `results` print at 60, 80 and 120 columns, with long names."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from pocketclip.benchmark.commands import bench as cli
from pocketclip.benchmark.commands.app import rules_table
from pocketclip.benchmark.commands.compare import comparison_table
from pocketclip.benchmark.commands.eval_table import accuracy_table, retrieval_table
from pocketclip.benchmark.commands.throughput_table import throughput_table
from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.results.table import results_table
from pocketclip.benchmark.statistics.verdicts import compare_records
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.terminal.table import TerminalTable

MODELS = ("open_clip-ViT-B-16", "pocketclip_nano")


def benchmarks(make: Any) -> list[BenchmarkRecord]:
    records: list[BenchmarkRecord] = []
    for model in MODELS:
        for target, precision, kind in (
            (TargetName.EXECUTORCH_COREML, Precision.INT8_STATIC, "-mixed"),
            (TargetName.ONNX, Precision.FP32, ""),
        ):
            for tower in Tower:
                record = make.benchmark(target, precision, tower, launches=4)
                artifact = replace(record.artifact, model=model, scheme=f"{target}-{precision}{kind}")
                records.append(replace(record, artifact=artifact, tag="release-2026.11"))
    return records


def of_bench(make: Any) -> TerminalTable:
    return cli.results_table(benchmarks(make))


def of_throughput(make: Any) -> TerminalTable:
    return throughput_table(
        [make.throughput(record, decoders=decoders) for record in benchmarks(make) for decoders in (1, 12)]
    )


def of_eval(make: Any) -> TerminalTable:
    coreml = TargetName.EXECUTORCH_COREML
    return accuracy_table(
        [
            make.accuracy(None, model=MODELS[0]),
            make.accuracy(coreml, Precision.INT8_STATIC, correct=1700, model=MODELS[0]),
        ]
    )


def of_retrieval(make: Any) -> TerminalTable:
    return retrieval_table([make.retrieval(), make.retrieval(TargetName.EXECUTORCH_COREML, drop_points=-2.0)])


def of_compare(make: Any) -> TerminalTable:
    records = benchmarks(make)
    return comparison_table([compare_records(record, replace(record, tag=None)) for record in records[:3]])


def of_app_rules(make: Any) -> TerminalTable:
    return rules_table()


def of_results(make: Any) -> TerminalTable:
    return results_table([*benchmarks(make), make.accuracy(None, model=MODELS[0]), make.retrieval()])


def printed(table: TerminalTable, width: int) -> list[str]:
    text = io.StringIO()
    Console(file=text, width=width).print(table)
    return text.getvalue().splitlines()


def tokens(*texts: str) -> set[str]:
    """What no line may break within."""
    return {token for text in texts for token in re.findall(r"[^\W_]+(?:\.[0-9]+)?", text)}


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(
    "make_table", [of_bench, of_throughput, of_eval, of_retrieval, of_compare, of_results, of_app_rules]
)
def test_tables_fit_and_break_no_name_within_a_word(
    make: Any, make_table: Callable[[Any], TerminalTable], width: int
) -> None:
    table = make_table(make)
    lines = printed(table, width)
    assert all(len(line) <= width for line in lines)
    assert not any("\N{HORIZONTAL ELLIPSIS}" in line for line in lines)
    # Colours of cells are styles, never markup that a plain console prints as it is.
    assert not any("[default]" in line or "[/" in line for line in lines)
    cells = [str(cell) for row in table.rows for cell in row]
    headings = [column.heading for column in table.columns]
    known = tokens(*cells, *headings, table.title, table.caption, "too narrow to show")
    assert tokens(*lines) - known == set()
    # One letter is no column.
    assert not [line for line in lines if len(line.strip()) == 1]
    if width == 120:
        assert tokens(*cells) - tokens(*lines) == set()


@pytest.mark.parametrize(("width", "most"), [(80, 2), (120, 1)])
def test_a_row_of_bench_takes_few_lines(make: Any, width: int, most: int) -> None:
    lines = printed(of_bench(make), width)
    rule = next(index for index, line in enumerate(lines) if set(line) == {"\N{BOX DRAWINGS LIGHT HORIZONTAL}"})
    assert len(lines) - rule - 1 <= 8 * most + len(MODELS) + 1


def test_names_of_the_demo_stay_whole_at_80_columns(make: Any) -> None:
    """One model, and the forms that the demo exports."""
    records = [
        make.benchmark(target, precision, tower)
        for target, precision in (
            (TargetName.ONNX, Precision.INT8_STATIC),
            (TargetName.EXECUTORCH, Precision.INT8_STATIC),
            (TargetName.EXECUTORCH_COREML, Precision.INT8_WEIGHTS),
        )
        for tower in Tower
    ]
    lines = printed(cli.results_table(records), 80)
    assert len([line for line in lines if line.startswith("executorch-coreml int8-weights")]) == 2
    accuracies = [
        make.accuracy(None),
        *(
            make.accuracy(target, Precision.INT8_STATIC, correct=1790)
            for target in (TargetName.ONNX, TargetName.EXECUTORCH)
        ),
    ]
    lines = printed(accuracy_table(accuracies), 80)
    assert "pocketclip_nano" in lines
    assert len([line for line in lines if line.startswith("executorch int8-static")]) == 1
