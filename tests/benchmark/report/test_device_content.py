"""What a device's section holds: tables of parts, and the stores in which hardly anything may be ranked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pocketclip.benchmark.records.benchmark import (
    BenchmarkRecord,
    Status,
    upgrade_benchmark_v1,
    upgrade_benchmark_v2,
    upgrade_benchmark_v3,
    upgrade_benchmark_v4,
)
from pocketclip.benchmark.records.placement import NpuPlacement
from pocketclip.benchmark.records.validity import InvalidityCode
from pocketclip.benchmark.report.content import build_report
from pocketclip.benchmark.report.material import Material
from pocketclip.benchmark.report.page import DeviceSection
from pocketclip.benchmark.report.render import render
from pocketclip.benchmark.report.table import Table
from pocketclip.benchmark.statistics import formatting
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models import documents


def device(*records: BenchmarkRecord) -> DeviceSection:
    (model,) = build_report(Material(records)).models
    (section,) = model.devices
    return section


def texts(table: Table | None) -> list[list[str]]:
    assert table is not None
    return [[cell.text.replace("\N{NO-BREAK SPACE}", " ") for cell in row.cells] for row in table.rows]


def instead(section: DeviceSection) -> list[str | None]:
    """What stands in the place of each artefact's times."""
    assert section.artifacts is not None
    return [None if row.instead is None else row.instead.text for row in section.artifacts.rows]


def parity_cosine(record: BenchmarkRecord) -> str:
    assert record.parity is not None
    return formatting.cosine(record.parity.cosine_min)


def test_artefacts_for_npus_show_all_but_their_time(make: Any) -> None:
    placement = NpuPlacement("SM8650", "v2.49.40", graphs=1, ops=214, on_cpu=0, size_bytes=1_860_000)
    reason = "Snapdragon's NPU by ONNX Runtime on Linux: parity only"
    records = [
        replace(
            make.benchmark(TargetName.ONNX_QNN, Precision.INT8_STATIC, tower, status=Status.PARITY_ONLY, reason=reason),
            npu=placed,
        )
        for tower, placed in (
            (Tower.IMAGE, placement),
            (Tower.TEXT, replace(placement, graphs=2, on_cpu=2, ops=200)),
        )
    ]
    judged = make.accuracy(TargetName.ONNX_QNN, Precision.INT8_STATIC, correct=1900)
    (model,) = build_report(Material((*records, make.benchmark()), (judged,))).models
    (section,) = model.devices
    image, text = texts(section.npu)
    assert image == [
        "ONNX + Snapdragon NPU int8-static image", "SM8650", "214 of 214 (100.0 %)", "1", "1.86 MB", "pass",
        parity_cosine(records[0]), "100.0 %", "95.0 %", f"not timed: {reason}",
    ]  # fmt: skip
    assert text[2:4] == ["198 of 200 (99.0 %)", "2"]
    assert section.npu is not None and section.npu in section.tables


def test_a_device_without_npu_artefacts_has_no_such_table(make: Any) -> None:
    assert device(make.benchmark()).npu is None


def test_counted_records_show_instructions_and_no_time(make: Any, parts: Any) -> None:
    towers = [
        parts.counted(make.benchmark(tower=tower), millions)
        for tower, millions in ((Tower.IMAGE, 48.4), (Tower.TEXT, 21))
    ]
    section = device(*towers)
    assert texts(section.counts) == [
        ["ONNX fp32 image", "48.400", "0.004 %", "3", "15", "cortex-a76"],
        ["ONNX fp32 text", "21.000", "0.004 %", "3", "15", "cortex-a76"],
    ]
    assert instead(section) == [
        "48.400 million instructions per inference, on an emulated core",
        "21.000 million instructions per inference, on an emulated core",
    ]
    assert (section.pairs, section.history, section.distributions) == (None, None, None)
    assert build_report(Material(towers)).comparison.figures == ()
    assert not any(tile.title == "Fastest sound pair" for tile in build_report(Material(towers)).models[0].tiles)


def test_counts_that_do_not_repeat_are_marked(make: Any, parts: Any) -> None:
    section = device(parts.counted(make.benchmark(), spread=0.003))
    assert section.counts is not None
    spread = section.counts.rows[0].cells[2]
    assert (spread.style, spread.detail) == ("bad", "more than 0.1 %")


def test_emulated_times_are_nowhere(make: Any) -> None:
    record = make.benchmark()
    section = device(replace(record, device=replace(record.device, kind="emulated")))
    assert instead(section) == ["emulated: time not meaningful"]
    assert section.distributions is None


def test_invalid_runs_have_reasons_and_fixes_and_no_rank(make: Any, parts: Any) -> None:
    image = parts.invalid(make.benchmark(median_ms=0.5), InvalidityCode.HOT, InvalidityCode.THROTTLED)
    text = make.benchmark(tower=Tower.TEXT, median_ms=2.0)
    report = build_report(Material([image, text], [make.accuracy(None), make.accuracy()]))
    (section,) = report.models[0].devices
    rows = texts(section.invalid)
    assert [row[2] for row in rows] == ["hot", "throttled"]
    assert all(row[0] == "ONNX fp32 image" and "cool down" in row[4] for row in rows)
    assert instead(section) == ["invalid (hot, throttled): not ranked, see below", None]
    assert texts(section.pairs)[0][-1] == "not ranked: invalid: hot, throttled"
    assert report.comparison.figures == ()
    assert section.distributions is not None
    assert all("onnx fp32 image" not in drawn for drawn in section.distributions.pictures)
    assert any(
        alarm.words == "1 artefact has no valid record on host: see its invalid records"
        for alarm in report.models[0].alarms
    )


def test_parity_goes_from_the_trained_model_to_the_device(make: Any) -> None:
    failures = ("cosine_min 0.8 is below 0.92", "max_abs 0.2 is above 0.15")
    section = device(
        make.benchmark(parity=make.parity(cosine_min=0.8, failures=failures)),
        make.benchmark(TargetName.TFLITE, status=Status.FAILED, reason="crashed"),
    )
    missed, failed = texts(section.parity)
    assert section.parity is not None
    assert section.parity.columns[0].heading == "Artefact"
    assert (missed[1], missed[4], missed[-1]) == ("0.99999", "0.80000", "missed")
    assert missed[8:11] == ["0.99998", "1.0e-04", "0.99999"]
    assert section.parity.rows[0].cells[0].detail == "; ".join(failures)
    # What failed gave no outputs on the device; its proof at export stands.
    assert failed[8:] == ["\N{EN DASH}"] * 3 + ["met"]


def test_profiles_tell_the_share_outside_the_delegate(make: Any, parts: Any) -> None:
    section = device(parts.profiled(make.benchmark(TargetName.TFLITE)))
    (table,) = section.profiles
    assert table.caption.replace("\N{NO-BREAK SPACE}", " ").startswith("16.6 % of the time outside XNNPACK; 8.0 %")
    shares = [row.cells[-1].bar for row in table.rows]
    assert sum(share or 0 for share in shares) == pytest.approx(1)
    assert {row.cells[1].text for row in table.rows} == {"XNNPACK", "runtime"}
    assert [row.cells[0].text for row in table.rows].count("all others") == 2
    (alone,) = device(parts.profiled(make.benchmark(), None)).profiles
    assert alone.caption.startswith("no delegate")


def test_preparation_is_apart_from_latency(make: Any, parts: Any) -> None:
    section = device(parts.prepared(make.benchmark()), parts.prepared(make.benchmark(tower=Tower.TEXT)))
    assert [row[1] for row in texts(section.preparation)] == ["preprocess", "tokenize"]


def test_sustained_run_is_worded(make: Any, parts: Any) -> None:
    (figure,) = device(parts.sustained(make.benchmark())).sustained
    assert "in minute 10: 1.4" in figure.caption
    assert len(figure.words) == 10
    (blind,) = device(parts.sustained(make.benchmark(), told=False)).sustained
    assert "does not report its clock or temperature" in blind.caption


def test_scheme_and_conditions_are_in_the_name(make: Any) -> None:
    record = make.benchmark(precision=Precision.INT8_STATIC, threads=2)
    record = replace(
        record,
        artifact=replace(record.artifact, scheme="onnx-int8-static-mixed"),
        settings=replace(record.settings, cores=(6, 7)),
    )
    assert texts(device(record).artifacts)[0][0] == "ONNX int8-static mixed (2 threads, cores 6, 7)"


@pytest.mark.parametrize("kind", ["counted", "invalid", "failed", "parity-only"])
def test_store_of_one_kind_alone(make: Any, parts: Any, kind: str) -> None:
    records = {
        "counted": lambda: parts.counted(make.benchmark()),
        "invalid": lambda: parts.invalid(make.benchmark()),
        "failed": lambda: replace(make.benchmark(status=Status.FAILED, reason="crashed"), parity=None),
        "parity-only": lambda: make.benchmark(status=Status.PARITY_ONLY, reason="Core ML on Linux"),
    }
    html = render(Material([records[kind]()]))
    assert html.count("data-row") >= 1
    assert "<svg" not in html
    assert "Fastest sound pair" not in html


def test_records_of_schema_1_are_shown(make: Any) -> None:
    record = make.benchmark()
    content = documents.to_builtin(record)
    for name in ("sustained", "preparation", "profile", "instructions", "invalid", "tag"):
        del content[name]
    for name in ("soc", "instance"):
        del content["device"][name]
    del content["artifact"]["scheme"], content["settings"]["accelerator"]
    content["schema_version"] = 1
    newest = upgrade_benchmark_v4(upgrade_benchmark_v3(upgrade_benchmark_v2(upgrade_benchmark_v1(content))))
    upgraded = documents.parse(BenchmarkRecord, json.dumps(newest), source="an old record", error=ValueError)
    section = device(upgraded)
    assert instead(section) == [None]
    assert section.tables == (section.artifacts, section.parity)
