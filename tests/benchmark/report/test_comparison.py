"""What is compared with a baseline, and how the page words it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pocketclip.benchmark.errors import BenchmarkError, ReportError
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, DeviceKind
from pocketclip.benchmark.report.comparison import Baseline, BaselineComparison, BaselineKind, compare_device
from pocketclip.benchmark.report.content import build_report
from pocketclip.benchmark.report.device_tables import change, comparison_table
from pocketclip.benchmark.report.material import Material
from pocketclip.benchmark.report.selection import select
from pocketclip.benchmark.statistics.verdicts import compare_records
from pocketclip.export.precision import TargetName, Tower


def tagged(record: BenchmarkRecord, tag: str | None = "v1") -> BenchmarkRecord:
    return replace(record, tag=tag)


def compare(baseline: Baseline, records: list[BenchmarkRecord], device: str = "host") -> BaselineComparison:
    (selection,) = select(records, [])
    return compare_device(baseline, selection, device, records)


def sides(found: BaselineComparison) -> list[tuple[BenchmarkRecord, BenchmarkRecord]]:
    return [(each.baseline, each.candidate) for each in found.compared]


def test_latest_with_and_without_the_tag_are_compared(make: Any, baseline: Baseline) -> None:
    older, old = tagged(make.benchmark(median_ms=9.0)), tagged(make.benchmark(median_ms=4.0))
    new, newer = make.benchmark(median_ms=7.0), tagged(make.benchmark(median_ms=2.0), "v2")
    found = compare(baseline, [older, old, new, newer])
    assert sides(found) == [(old, newer)]
    outcome = found.compared[0].outcome
    assert outcome is not None
    assert outcome.verdict == "faster"
    assert outcome.ratio == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("kind", [BaselineKind.TAG, BaselineKind.MODEL])
def test_a_baseline_that_is_dated_in_the_future_counts_as_the_oldest(
    make: Any, baseline: Baseline, kind: BaselineKind
) -> None:
    named = replace(baseline, kind=kind, name="v1" if kind is BaselineKind.TAG else "mobileclip_s0")
    future = tagged(make.benchmark(median_ms=9.0, weights_sha256="7" * 64))
    future = replace(future, created_at="2999-01-01T00:00:00+00:00")
    old, new = tagged(make.benchmark(median_ms=4.0)), make.benchmark(median_ms=2.0)
    if kind is BaselineKind.MODEL:
        future, old = (replace(each, artifact=replace(each.artifact, model="mobileclip_s0")) for each in (future, old))
    records = [future, old, new]
    selection = next(each for each in select(records, []) if each.model == "pocketclip_nano")
    assert sides(compare_device(named, selection, "host", records)) == [(old, new)]


def test_only_the_same_artefact_device_and_threads_are_compared(make: Any, baseline: Baseline) -> None:
    old = tagged(make.benchmark())
    mixed = make.benchmark()
    others = [
        make.benchmark(TargetName.TFLITE),
        make.benchmark(tower=Tower.TEXT),
        make.benchmark(threads=2),
        make.benchmark(device="phone"),
        replace(mixed, artifact=replace(mixed.artifact, scheme="onnx-fp32-mixed")),
    ]
    found = compare(baseline, [old, *others])
    assert found.compared == ()
    assert len(found.unmatched) == 4
    assert compare(baseline, [old, *others], "phone").unmatched == (others[3],)


def test_invalid_and_emulated_runs_are_not_compared(make: Any, parts: Any, baseline: Baseline) -> None:
    old, good, bad = tagged(make.benchmark()), make.benchmark(), parts.invalid(make.benchmark())
    assert sides(compare(baseline, [old, good, bad])) == [(old, good)]
    assert compare(baseline, [parts.invalid(old), good]).compared == ()
    emulated = [
        replace(record, device=replace(record.device, kind=DeviceKind.EMULATED)) for record in (old, make.benchmark())
    ]
    assert compare(baseline, emulated).compared == ()


def test_baseline_may_be_of_other_weights(make: Any, baseline: Baseline) -> None:
    old, new = tagged(make.benchmark(weights_sha256="old")), make.benchmark()
    assert sides(compare(baseline, [old, new])) == [(old, new)]


def test_unknown_tag_names_those_that_exist(make: Any, baseline: Baseline) -> None:
    records = [tagged(make.benchmark(), "v0"), tagged(make.benchmark(), "nightly")]
    with pytest.raises(ReportError, match="no benchmark record has the tag 'v1'; choose among: nightly, v0"):
        build_report(Material(records, baseline=baseline))
    with pytest.raises(ReportError, match="no record has a tag"):
        build_report(Material([make.benchmark()], baseline=baseline))


def test_table_words_changes_and_marks_what_is_slower(make: Any, baseline: Baseline) -> None:
    records = [
        tagged(make.benchmark(median_ms=2.0, launches=5)), make.benchmark(median_ms=4.0, launches=5),
        tagged(make.benchmark(TargetName.TFLITE, median_ms=4.0)), make.benchmark(TargetName.TFLITE, median_ms=2.0),
        make.benchmark(TargetName.EXECUTORCH),
    ]  # fmt: skip
    (device,) = build_report(Material(records, baseline=baseline)).models[0].devices
    assert device.comparison is not None
    slower, faster = device.comparison.rows
    assert (slower.alarm, slower.cells[-1].text, slower.cells[-1].style) == (True, "slower", "bad")
    assert (faster.alarm, faster.cells[-1].text, faster.cells[-1].style) == (False, "faster", "good")
    assert slower.cells[3].text.startswith("+")
    assert " to " in slower.cells[4].text
    assert device.comparison.remark == "1 artefact has no baseline."


def test_refusal_is_shown_and_no_interval_is_a_dash(make: Any) -> None:
    def refuse(baseline: BenchmarkRecord, candidate: BenchmarkRecord) -> Any:
        raise BenchmarkError("the two ran on unlike devices")

    class Bare:
        verdict, ratio, interval = "cannot-tell", 1.0, None

    records = [tagged(make.benchmark()), make.benchmark()]
    refused = comparison_table(compare(Baseline("v1", refuse), records), "caption")
    assert refused is not None
    assert refused.rows[0].cells[-1].text == "not comparable"
    assert refused.rows[0].cells[-1].detail == "the two ran on unlike devices"
    bare = comparison_table(compare(Baseline("v1", lambda *_: Bare()), records), "caption")
    assert bare is not None
    assert [cell.text for cell in bare.rows[0].cells[3:]] == ["0.0\N{NO-BREAK SPACE}%", "\N{EN DASH}", "cannot tell"]


def test_instructions_are_compared_and_worded_as_such(make: Any, parts: Any) -> None:
    records = [tagged(parts.counted(make.benchmark(), 40.0)), parts.counted(make.benchmark(), 42.0)]
    found = compare(Baseline("v1", compare_records), records, "emulator-arm64")
    table = comparison_table(found, "caption")
    assert table is not None
    assert [cell.text for cell in table.rows[0].cells[1:3]] == [
        "40.000\N{NO-BREAK SPACE}M instructions",
        "42.000\N{NO-BREAK SPACE}M instructions",
    ]
    assert (table.rows[0].cells[-1].text, table.rows[0].alarm) == ("more", True)


def test_verdicts_are_given_to_the_family_of_a_device(make: Any, baseline: Baseline) -> None:
    records = [
        record
        for target in (TargetName.ONNX, TargetName.TFLITE)
        for record in (tagged(make.benchmark(target, median_ms=4.0)), make.benchmark(target, median_ms=2.0))
    ]
    seen: list[int] = []

    def judge(outcomes: Sequence[Any]) -> list[Any]:
        seen.append(len(outcomes))
        return [replace(outcome, verdict="cannot tell") for outcome in outcomes]

    found = compare(replace(baseline, judge_family=judge), records)
    assert seen == [2]
    assert [each.outcome.verdict for each in found.compared if each.outcome] == ["cannot tell", "cannot tell"]


def test_nothing_to_compare_is_said(make: Any, baseline: Baseline) -> None:
    report = build_report(Material([tagged(make.benchmark())], baseline=baseline))
    assert report.models[0].devices[0].comparison is None
    assert report.comparison.table is None
    assert report.comparison.words.startswith("Nothing to compare with v1: no artefact has valid records")


@pytest.mark.parametrize(("ratio", "words"), [(1.05, "+5.0"), (0.95, "\N{MINUS SIGN}5.0"), (0.9999, "0.0")])
def test_changes_in_words(ratio: float, words: str) -> None:
    assert change(ratio) == f"{words}\N{NO-BREAK SPACE}%"
