"""Artefacts for Snapdragon's NPU on the test phone: what is sent, what is asked for and what ran, what is refused.

The phone's NPU is a stand-in that runs plain ONNX files on the processor and says what it is told to say.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pocketclip.benchmark.errors import DeviceUnsupportedError
from pocketclip.benchmark.records.benchmark import DEVICE_DEFAULT, RunSettings, Status
from pocketclip.benchmark.store import open_store
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.bundle.fitting import BundleRequest
from pocketclip.export.bundle.writing import write_bundle
from pocketclip.export.precision import TargetName, Tower
from tests.android_app.test_phone.npu import SDK, stand_in
from tests.android_app.test_phone.phone import TestPhone, device_table
from tests.export.bundle.tiny_artifacts import build_artifact

from .conftest import QUICK, Measure

pytestmark = pytest.mark.slow

NPU = RunSettings(iterations=3, launches=1, accelerator="npu")


@pytest.fixture
def plain(tmp_path: Path) -> Artifact:
    """An image tower for the CPU."""
    return build_artifact(tmp_path / "plain", Tower.IMAGE)


@pytest.fixture
def prepared(plain: Artifact, tmp_path: Path) -> Artifact:
    """The same for two chips."""
    return stand_in(plain, tmp_path / "prepared")


@pytest.fixture
def snapdragon(phone: TestPhone) -> TestPhone:
    """The test phone as one with a Snapdragon 8 Gen 3, of a bin of its own, whose NPU works."""
    phone.alter_properties(model="SM8650-AC")
    phone.alter_services(npu="npu", qnn=SDK)
    return phone


def test_the_graph_for_the_phones_chip_is_sent_and_measured(
    snapdragon: TestPhone, measure: Measure, plain: Artifact, prepared: Artifact
) -> None:
    (record,) = measure(plain, prepared, settings=NPU)
    assert (record.status, record.reason) == (Status.MEASURED, None)
    assert (record.artifact.target, record.artifact.sha256) == (TargetName.ONNX_QNN, prepared.manifest.sha256)
    assert (record.runtime.accelerator_requested, record.runtime.accelerator_observed) == ("npu", "npu")
    assert record.runtime.version is not None and record.runtime.version.endswith(f", QNN {SDK}")
    assert record.npu is not None
    assert (record.npu.soc, record.npu.coverage, record.npu.ops) == ("SM8650", 1.0, 4)
    # What the phone got: one chip's graph, and nothing beside it.
    assert record.artifact.model_size_bytes == record.npu.size_bytes
    models = snapdragon.transport().shell("find /data/data/org.pocketclip.bench -path '*models*' -type f").stdout
    assert [line.rpartition("models/")[2] for line in models.split() if line.endswith(".onnx")] == [
        f"{prepared.manifest.sha256}/contexts/sm8650.onnx"
    ]
    assert record.golden_check is not None and record.golden_check.cosine_min > 0.9999


def test_each_artefact_is_measured_with_what_it_is_for(
    snapdragon: TestPhone, measure: Measure, plain: Artifact, prepared: Artifact
) -> None:
    settings = RunSettings(iterations=3, launches=1, accelerator=DEVICE_DEFAULT)
    records = measure(plain, prepared, settings=settings)
    assert {record.artifact.target: record.runtime.accelerator_observed for record in records} == {
        TargetName.ONNX: "cpu",
        TargetName.ONNX_QNN: "npu",
    }


@pytest.mark.parametrize(("ran", "words"), [("cpu", "and cpu executed"), ("npu+cpu", r"and npu\+cpu executed")])
def test_a_silent_fallback_fails_the_record(
    snapdragon: TestPhone, measure: Measure, prepared: Artifact, ran: str, words: str
) -> None:
    snapdragon.alter_services(npu=ran)
    (record,) = measure(prepared, settings=NPU)
    assert record.status is Status.FAILED and not record.launches
    assert record.reason is not None and record.reason.startswith("accelerator-fallback: npu was asked for, ")
    assert re.search(words, record.reason)
    assert record.runtime.accelerator_requested == "npu" and not record.timed


def test_a_phone_without_an_npu(snapdragon: TestPhone, measure: Measure, prepared: Artifact) -> None:
    snapdragon.alter_services(npu=None, qnn=None)
    (record,) = measure(prepared, settings=NPU)
    assert record.status is Status.FAILED
    assert record.reason is not None and record.reason.startswith(
        "accelerator-missing: the app's onnxruntime has no npu on this phone, but cpu"
    )


def test_older_libraries_in_the_app_are_found_before_anything_is_sent(
    snapdragon: TestPhone, measure: Measure, prepared: Artifact
) -> None:
    snapdragon.alter_services(qnn="v2.41.0.250101")
    snapdragon.transport().shell("rm -rf /data/data/org.pocketclip.bench")
    (record,) = measure(prepared, settings=NPU)
    assert record.status is Status.FAILED
    assert record.reason is not None and record.reason.startswith(
        "npu-version: the graph for SM8650 was prepared by QNN 2.49.40, the app on test-phone has the older QNN 2.41.0"
    )
    assert not any("action stage" in call for call in snapdragon.calls())


@pytest.mark.parametrize(
    ("chip", "words"),
    [
        ("SM8450", r"has no graph for SM8450 of test-phone, it has SM8550, SM8650; export it again with --soc SM8450"),
        ("SM6450", r"has no graph for SM6450 .* graphs cannot be prepared for this chip"),
        (
            "this computer",
            r"test-phone does not tell its chip, and tiny onnx-qnn-fp16 image has graphs for SM8550, SM86",
        ),
        ("$(reboot)", r"does not tell its chip"),
    ],
)
def test_another_chip_is_refused_in_one_line(
    snapdragon: TestPhone, measure: Measure, prepared: Artifact, chip: str, words: str
) -> None:
    snapdragon.alter_properties(model=chip)
    with pytest.raises(DeviceUnsupportedError, match=words) as refusal:
        measure(prepared, settings=NPU)
    assert "\n" not in str(refusal.value)


def test_the_cpu_is_not_asked_of_graphs_for_the_npu(
    snapdragon: TestPhone, measure: Measure, prepared: Artifact
) -> None:
    with pytest.raises(DeviceUnsupportedError, match="it runs only on the NPU, and --accelerator is cpu"):
        measure(prepared, settings=QUICK)


def test_a_bundle_by_the_command(
    snapdragon: TestPhone, apk: Path, plain: Artifact, prepared: Artifact, tmp_path: Path
) -> None:
    bundle, store, table = tmp_path / "clip.bundle", tmp_path / "s.sqlite", tmp_path / "devices.toml"
    write_bundle(BundleRequest(plain, build_artifact(tmp_path / "text", Tower.TEXT), npu=(prepared,)), bundle)
    table.write_text(device_table(snapdragon))
    options = ("--iterations", "3", "--launches", "1", "--cooldown", "0", "--store", store)
    phone = ("--device", "test-phone", "--devices", table, "--app", apk)
    ended = subprocess.run(
        [sys.executable, "-m", "pocketclip", "bench", *phone, "--accelerator", "npu", "--artifact", bundle, *options],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "COLUMNS": "160", "NO_COLOR": "1"},
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("skipped, not run:") == 2
    with open_store(str(store)) as opened:
        (record,) = opened.benchmarks()
    assert record.artifact.sha256 == prepared.manifest.sha256
    assert (record.status, record.runtime.accelerator_observed) == (Status.MEASURED, "npu")
    assert record.npu is not None and record.npu.soc == "SM8650"
