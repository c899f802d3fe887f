"""The emulated phone as a device: its life, and records that hold instructions in the place of time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pocketclip.benchmark.arm64.phone import Phone
from pocketclip.benchmark.devices.emulated_device import MOST_COUNTED, EmulatedDevice
from pocketclip.benchmark.devices.table import DeviceEntry, TransportName
from pocketclip.benchmark.errors import DeviceUnsupportedError, EmulatorError
from pocketclip.benchmark.measuring.measurement import counts_differ
from pocketclip.benchmark.measuring.plan import BenchmarkPlan, SilentWatch, run_plan
from pocketclip.benchmark.records.benchmark import DeviceKind, RunSettings, Status
from pocketclip.benchmark.runners.agent_runner import CountedRun
from pocketclip.benchmark.transport.adb import adb_devices
from pocketclip.export.artifact.reading import Artifact, load_artifact
from pocketclip.export.job import ExportResult
from pocketclip.export.precision import TargetName, Tower

BuildArtifact = Callable[..., Artifact]
ENTRY = DeviceEntry("emulator-arm64", "emulated", TransportName.EMULATOR)


@pytest.fixture
def absent(tmp_path: Path) -> EmulatedDevice:
    return EmulatedDevice(ENTRY, Phone(tmp_path / "root", tmp_path / "state"), say=lambda _: None)


def test_settings_that_only_time_needs_are_refused(absent: EmulatedDevice) -> None:
    asked = RunSettings(iterations=100, minimum_seconds=3.0, launches=2)
    assert absent.settings(asked) == replace(asked, iterations=MOST_COUNTED, minimum_seconds=0.0)
    assert absent.settings(replace(asked, iterations=1)).iterations == 1
    with pytest.raises(DeviceUnsupportedError, match=r"leave --threads at 1 \(got 4\)"):
        absent.settings(RunSettings(threads=4))
    with pytest.raises(DeviceUnsupportedError, match="omit --until, --sustained and --cores"):
        absent.settings(RunSettings(until_share=0.01))


def test_a_phone_that_was_never_made(absent: EmulatedDevice) -> None:
    with pytest.raises(EmulatorError, match="create it with `pocketclip devices create emulator-arm64`"):
        absent.check()
    assert absent.phone.running() is None
    assert absent.phone.stop() is False
    assert absent.phone.delete() is False


def test_counts_that_do_not_repeat_fail_in_words() -> None:
    def runs(*means: int) -> list[CountedRun]:
        return [CountedRun("cortex-a76", (mean, mean), 1) for mean in means]

    assert counts_differ(runs(1_000_000)) is None
    assert counts_differ(runs(1_000_000, 1_001_000)) is None
    differ = counts_differ(runs(1_000_000, 1_002_000))
    assert differ is not None
    assert differ.startswith("counts-differ: instructions differ by 0.20 % between 2 processes, at most 0.1 % allowed")


@pytest.mark.slow
def test_the_phones_life(phone: Phone) -> None:
    pid = phone.running()
    phone.start()
    assert phone.running() == pid
    assert phone.transport().shell("uname -m").stdout == "aarch64\n"
    # The user's own adb server knows nothing of it.
    assert [device.state for device in adb_devices(server=phone.server)] == ["device"]
    assert phone.stop()
    assert phone.running() is None
    assert phone.stop() is False
    phone.start()
    assert phone.running() not in (None, pid)


@pytest.mark.slow
def test_a_bench_counts_instructions(
    phone: Phone, phone_folder: str, workspaces: Callable[[], list[Path]], build_artifact: BuildArtifact
) -> None:
    device = EmulatedDevice(replace(ENTRY, workspace=phone_folder), phone, say=lambda _: None)
    device.check()
    settings = device.settings(RunSettings(launches=2))
    plan = BenchmarkPlan((build_artifact("good"), build_artifact("bad", model_bytes=b"no model")), (settings,))
    records = run_plan(plan, device, append=lambda _: None, watch=SilentWatch())
    bad, good = sorted(records, key=lambda record: record.status is Status.COUNTED)
    assert (bad.status, (bad.reason or "")[:12]) == (Status.FAILED, "load-failed:")
    assert good.status is Status.COUNTED and good.reason is None
    assert good.instructions is not None and good.golden_check is not None
    assert good.launches == () and not good.rankable
    assert good.device.kind is DeviceKind.EMULATED
    assert good.instructions.cpu == "cortex-a76"
    assert [len(process) for process in good.instructions.per_inference] == [2, 2]
    assert good.golden_check.samples == 4 and good.golden_check.max_abs < 1e-4
    assert (good.runtime.version or "").startswith("onnxruntime ")
    assert workspaces() == []


@pytest.mark.slow
def test_the_shipped_model_runs_on_arms_kernels(
    phone: Phone, phone_folder: str, nano_exports: dict[tuple[str, str, str], ExportResult]
) -> None:
    device = EmulatedDevice(replace(ENTRY, workspace=phone_folder), phone, say=lambda _: None)
    targets = (TargetName.ONNX, TargetName.EXECUTORCH, TargetName.TFLITE)
    artifacts = tuple(load_artifact(nano_exports[target, "fp32", Tower.IMAGE].folder) for target in targets)
    plan = BenchmarkPlan(artifacts, (device.settings(RunSettings(launches=2)),))
    records = run_plan(plan, device, append=lambda _: None, watch=SilentWatch())
    assert [record.reason for record in records] == [None] * 3
    for record in records:
        assert record.instructions is not None and record.golden_check is not None
        counts = [count for process in record.instructions.per_inference for count in process]
        assert max(counts) / min(counts) < 1.001
        assert 1e6 < min(counts) < 1e8
        assert record.golden_check.max_abs < 1e-4
