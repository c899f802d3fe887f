"""The report as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pocketclip.benchmark.records.benchmark import Status
from pocketclip.benchmark.report.material import Material
from pocketclip.benchmark.report.structured import FORMAT_VERSION, render_json
from pocketclip.export.precision import TargetName, Tower


def content(*arguments: Any, **changes: Any) -> Any:
    return json.loads(render_json(Material(*arguments, **changes)))


def test_figures_are_numbers_with_units_in_their_names(make: Any) -> None:
    record = make.benchmark(median_ms=3.0, launches=5)
    report = content([record])
    assert (report["format"], report["format_version"]) == ("pocketclip-report", FORMAT_VERSION)
    (device,) = report["models"][0]["devices"]
    (artifact,) = device["artifacts"]
    assert artifact["record_id"] == record.record_id
    assert artifact["latency"]["p50_ns"] == pytest.approx(3e6, rel=0.1)
    assert len(artifact["latency"]["launch_medians_ns"]) == 5
    assert artifact["peak_over_baseline_median_bytes"] > 1e6
    assert artifact["parity"]["passed"] is True
    assert artifact["golden_check"]["cosine_min"] == 0.99998
    assert "steady_ns" not in json.dumps(report)


def test_what_may_not_be_ranked_has_no_latency(make: Any, parts: Any) -> None:
    records = [
        parts.invalid(make.benchmark()),
        make.benchmark(TargetName.COREML, status=Status.PARITY_ONLY, reason="Core ML on Linux"),
        make.benchmark(TargetName.TFLITE, status=Status.FAILED, reason="crashed"),
        parts.counted(make.benchmark()),
    ]
    devices = {device["device"]: device for device in content(records)["models"][0]["devices"]}
    artifacts = [artifact for device in devices.values() for artifact in device["artifacts"]]
    assert len(artifacts) == 4
    assert all(artifact["latency"] is None and not artifact["ranked"] for artifact in artifacts)
    (run,) = devices["host"]["invalid_runs"]
    assert run["invalid"][0]["code"] == "busy"
    assert run["latency"]["p50_ns"] > 0
    (counted,) = devices["emulator-arm64"]["artifacts"]
    assert counted["instructions"]["per_inference"] == pytest.approx(48.4e6, rel=1e-4)
    assert counted["instructions"]["repeatable"] is True


def test_rich_store_has_every_part(rich_store: Any, baseline: Any) -> None:
    report = content(*rich_store, baseline=baseline)
    assert report["baseline"] == {"kind": "tag", "name": "v1"}
    nano = next(model for model in report["models"] if model["model"] == "pocketclip_nano")
    host = next(device for device in nano["devices"] if device["device"] == "host")
    places = {pair["scheme"]: pair["place"] for pair in host["pairs"]}
    assert places["tflite-int8-static"] == "on the front"
    assert places["onnx-fp32"] == "beaten"
    assert places["coreml-fp16"] == "not ranked"
    assert len(host["sustained"][0]["minutes"]) == 10
    assert host["profiles"][1]["outside_delegates_share"] == pytest.approx(0.166, abs=0.001)
    assert {each["step"] for each in host["preparations"]} == {"preprocess", "tokenize"}
    verdicts = {each["scheme"]: each["verdict"] for each in host["comparisons"] if each["tower"] == Tower.IMAGE}
    assert verdicts["tflite-fp32"] == "faster"
    assert nano["accuracies"][0]["scheme"] == "pytorch-fp32"


def test_without_a_baseline_there_are_no_comparisons(make: Any) -> None:
    (device,) = content([make.benchmark()])["models"][0]["devices"]
    assert (device["comparisons"], device["without_baseline"]) == (None, None)
