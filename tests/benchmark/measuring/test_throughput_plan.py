"""Throughputs of a scripted device: turns, failures that stay their own, waiting, what may not be ranked."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pocketclip.benchmark.commands.throughput_table import throughput_table
from pocketclip.benchmark.devices.emulated_device import EmulatedDevice
from pocketclip.benchmark.devices.host_device import HostDevice
from pocketclip.benchmark.devices.shell_device import ShellDevice
from pocketclip.benchmark.devices.table import load_table
from pocketclip.benchmark.errors import AgentError, DeviceUnsupportedError, OptionError, RecordError
from pocketclip.benchmark.measuring.plan import SilentWatch
from pocketclip.benchmark.measuring.throughput import ThroughputPlan, image_artifacts, measure
from pocketclip.benchmark.phone_app.app_throughput import checked
from pocketclip.benchmark.records.benchmark import DEVICE_DEFAULT, DeviceFacts, DeviceKind, RunSettings
from pocketclip.benchmark.records.launch import MachineState
from pocketclip.benchmark.records.throughput import (
    MOST_NAMED,
    PhotoSet,
    ThroughputLaunch,
    ThroughputRecord,
    UnreadablePhoto,
)
from pocketclip.benchmark.records.validity import InvalidityCode
from pocketclip.benchmark.runners.photo_folder import PhotoFolder
from pocketclip.benchmark.runners.throughput_runner import ThroughputRun, ThroughputRunner, ThroughputSettings
from pocketclip.benchmark.transport.ssh import SshTransport
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.precision import TargetName, Tower
from tests.android_app.test_phone.npu import stand_in

QUIET = MachineState("2026-03-01T00:00:00+00:00", thermal_status=0, battery_percent=88, temperature_celsius=38.0)
LAUNCH = ThroughputLaunch(100, 5 * 10**9, 62 * 10**6, 3 * 10**6, 12_300_000, QUIET, QUIET)
PHOTOS = PhotoFolder((), PhotoSet(3, 3_000_000, 12_000_000, "b" * 64), None)

BuildArtifact = Callable[..., Artifact]


class ScriptedDevice(HostDevice):
    """Encodes nothing: launches are given, and artefacts in `broken` fail in the given launch."""

    def __init__(self, kind: DeviceKind = DeviceKind.PHONE, broken: dict[str, int] | None = None) -> None:
        super().__init__("pixel7")
        self.kind = kind
        self.broken = broken or {}
        self.launch = LAUNCH
        self.states = itertools.repeat(QUIET)
        self.asked: list[tuple[str, ThroughputSettings]] = []

    def facts(self) -> DeviceFacts:
        return replace(super().facts(), kind=self.kind)

    def state(self) -> MachineState:
        return next(self.states)

    @contextmanager
    def open_throughput(self) -> Iterator[ThroughputRunner]:
        yield self

    def run(
        self,
        artifact: Artifact,
        runtime: str,
        photos: PhotoFolder,
        settings: ThroughputSettings,
        *,
        timeout_seconds: float,
    ) -> ThroughputRun:
        name = artifact.folder.name
        self.asked.append((name, settings))
        if sum(asked == name for asked, _ in self.asked) == self.broken.get(name):
            raise AgentError("it was ended by SIGSEGV", "app-crashed")
        return ThroughputRun(self.launch, f"{runtime} 1.0", "cpu")


class Seen(SilentWatch):
    """A watch that remembers what it is told."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.notes: list[str] = []

    def advance(self, label: str) -> None:
        self.labels.append(label)

    def note(self, message: str) -> None:
        self.notes.append(message)


def execute(
    device: ScriptedDevice, *artifacts: Artifact, watch: Seen | None = None, **changes: Any
) -> list[ThroughputRecord]:
    plan = ThroughputPlan(artifacts, PHOTOS, [RunSettings()], [1], launches=2, seconds=5.0, cooldown_seconds=0.0)
    kept: list[list[ThroughputRecord]] = []
    returned = measure(replace(plan, **changes), device, watch=watch or Seen(), on_records=kept.append)
    assert returned == kept[-1]
    return returned


def test_launches_take_turns_and_one_failure_stays_its_own(build_artifact: BuildArtifact) -> None:
    device, seen = ScriptedDevice(broken={"a": 2}), Seen()
    first, second = execute(device, build_artifact("a"), build_artifact("b"), watch=seen, launches=3)
    assert [name for name, _ in device.asked] == ["a", "b", "a", "b", "b"]
    assert len(seen.labels) == 6
    assert (first.reason, len(first.launches)) == ("app-crashed: it was ended by SIGSEGV", 1)
    assert (second.reason, len(second.launches)) == (None, 3)
    assert (second.runtime.version, second.runtime.accelerator_observed) == ("onnxruntime 1.0", "cpu")
    assert second.photographs == PHOTOS.content


def test_every_setting_has_a_record(build_artifact: BuildArtifact) -> None:
    device = ScriptedDevice()
    settings = [RunSettings(threads=1), RunSettings(threads=4, accelerator="xnnpack")]
    records = execute(device, build_artifact(), settings=settings, decoders=[1, 3], launches=1)
    assert [(record.threads, record.decoders) for record in records] == [(1, 1), (1, 3), (4, 1), (4, 3)]
    assert [record.runtime.accelerator_requested for record in records] == ["cpu", "cpu", "xnnpack", "xnnpack"]
    assert [asked for _, asked in device.asked] == [
        ThroughputSettings(record.threads, record.decoders, 5.0, record.runtime.accelerator_requested)
        for record in records
    ]
    assert len({record.record_id for record in records}) == 4


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"after": replace(QUIET, thermal_status=2)}, InvalidityCode.HOT),
        ({"after": replace(QUIET, temperature_celsius=95.0)}, InvalidityCode.HOT),
        ({"before": replace(QUIET, battery_percent=12, charging=False)}, InvalidityCode.LOW_BATTERY),
        ({"before": replace(QUIET, power_saver=True)}, InvalidityCode.POWER_SAVER),
        ({"others_busy_cores": 60.0}, InvalidityCode.BUSY),
        ({"stolen_share": 0.3}, InvalidityCode.STOLEN),
        ({"after": replace(QUIET, clock_khz=(900_000,), clock_limit_khz=2_850_000)}, InvalidityCode.THROTTLED),
    ],
)
def test_what_may_not_be_ranked_is_marked(
    changes: dict[str, Any], code: InvalidityCode, build_artifact: BuildArtifact
) -> None:
    device = ScriptedDevice()
    device.launch = replace(LAUNCH, **changes)
    (record,) = execute(device, build_artifact())
    assert [each.code for each in record.invalid] == [code]
    table = throughput_table([record])
    assert "20*" in [str(cell) for cell in table.rows[0]] and table.caption == "* not ranked"
    # An emulated device says nothing of itself.
    device.kind = DeviceKind.EMULATED
    (record,) = execute(device, build_artifact("again"))
    assert record.invalid == ()


def test_a_device_that_is_hot_is_waited_for(build_artifact: BuildArtifact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pocketclip.benchmark.measuring.cooldown._PAUSE_S", 0.001)
    device, seen = ScriptedDevice(), Seen()
    hot = replace(QUIET, temperature_celsius=95.0)
    device.states = itertools.chain([hot, hot], itertools.repeat(QUIET))
    (record,) = execute(device, build_artifact(), watch=seen, cooldown_seconds=1000.0)
    assert record.reason is None
    assert len(seen.notes) == 1
    assert seen.notes[0].startswith("waiting for the device, up to 1000 s: 95 °C, at most 80 wanted; let the device")


def test_what_a_phone_does_not_take(build_artifact: BuildArtifact) -> None:
    one, text = build_artifact("one"), build_artifact("text", tower=Tower.TEXT)
    spec = replace(one.manifest.inputs[0], shape=(4, *one.manifest.inputs[0].shape[1:]))
    four = Artifact(one.folder, replace(one.manifest, inputs=(spec,)))
    seen = Seen()
    with pytest.raises(OptionError, match="it takes 4 photographs at once, and the apps give it one"):
        image_artifacts([four, text], ScriptedDevice(), seen)
    assert image_artifacts([four, text], ScriptedDevice(DeviceKind.HOST), seen) == [four]
    assert seen.notes == []


def test_devices_that_cannot_say_what_can(tmp_path: Path) -> None:
    table = load_table()
    board = ShellDevice(table["raspberry-pi-5"], SshTransport("pi", "raspberry-pi-5"), "pi", say=print)
    phone = ShellDevice(table["pixel7"], SshTransport("x", "pixel7"), "x", say=print)
    emulated = EmulatedDevice(table["emulator-arm64"], phone=None, say=print)  # pyright: ignore[reportArgumentType]
    for device, words in (
        (board, "raspberry-pi-5 is measured by the Python agent, which decodes no photographs; run it on the board"),
        (phone, 'pixel7 is measured by the Python agent, .*; let the app measure .runner = "app"'),
        (emulated, "photographs a second on it mean nothing; use --device host, or a phone that the app measures on"),
    ):
        for refuses in (device.check_throughput, device.open_throughput):
            with pytest.raises(DeviceUnsupportedError, match=words) as caught:
                refuses()
            assert caught.value.exit_code == 2


NAMES = {"run/0.jpg": "holiday/a.jpg", "run/1.jpg": "b.jpg"}


def unreadable(*names: str, count: int | None = None) -> ThroughputLaunch:
    named = tuple(UnreadablePhoto(name, "damaged") for name in names)
    return replace(LAUNCH, unreadable=len(names) if count is None else count, first_unreadable=named)


def test_what_an_app_tells_is_named_as_the_user_names_it() -> None:
    assert checked(LAUNCH, NAMES, 5.0) == LAUNCH
    found = checked(unreadable("run/0.jpg"), NAMES, 5.0)
    assert [each.name for each in found.first_unreadable] == ["holiday/a.jpg"]


@pytest.mark.parametrize(
    ("launch", "words"),
    [
        (unreadable("run/7.jpg"), "not all of them sent"),
        (unreadable("/etc/passwd"), "not all of them sent"),
        (replace(unreadable("run/0.jpg"), unreadable=2), "could not decode 2 photographs, 2 were sent"),
        (replace(LAUNCH, elapsed_ns=4_999_999_999), r"encoded for 5\.000 s, asked for 5"),
    ],
)
def test_what_cannot_be_true_is_not_believed(launch: ThroughputLaunch, words: str) -> None:
    with pytest.raises(AgentError, match=words) as caught:
        checked(launch, NAMES, 5.0)
    assert caught.value.code == "result-invalid"


def test_launches_that_no_record_holds() -> None:
    with pytest.raises(RecordError, match="elapsed_ns is 0"):
        replace(LAUNCH, elapsed_ns=0)
    with pytest.raises(RecordError, match="1 photographs are named as unreadable, of 0"):
        unreadable("run/0.jpg", count=0)
    with pytest.raises(RecordError, match=f"{MOST_NAMED + 1} photographs are named .* at most {MOST_NAMED} may be"):
        unreadable(*(str(place) for place in range(MOST_NAMED + 1)))


class Snapdragon(ScriptedDevice):
    """A phone that runs artefacts for its chip's NPU."""

    def untimed_reason(self, target: TargetName) -> str | None:
        return None

    @property
    def chip(self) -> str | None:
        return "SM8650"


def test_an_artefact_for_npus_is_measured_by_the_graph_for_the_phones_chip(
    build_artifact: BuildArtifact, tmp_path: Path
) -> None:
    notes: list[str] = []

    class Watch(SilentWatch):
        def note(self, message: str) -> None:
            notes.append(message)

    plain = build_artifact("plain")
    fits = stand_in(plain, tmp_path / "fits")
    other = stand_in(build_artifact("other", weights_scale=2.0), tmp_path / "unfit", ("SM8550",))
    (chosen,) = image_artifacts([fits], Snapdragon(), Watch())
    assert (chosen.manifest.entry_point, chosen.manifest.sha256) == ("contexts/sm8650.onnx", fits.manifest.sha256)
    with pytest.raises(OptionError, match="has no graph for SM8650 of pixel7, it has SM8550"):
        image_artifacts([other], Snapdragon(), Watch())
    device = Snapdragon()
    plan = ThroughputPlan([chosen], PHOTOS, [RunSettings(accelerator=DEVICE_DEFAULT)], [1], 1, 1.0, cooldown_seconds=0)
    measure(plan, device, watch=SilentWatch(), on_records=lambda _: None)
    assert [asked.accelerator for _, asked in device.asked] == ["npu"]
