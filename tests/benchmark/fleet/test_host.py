"""A host's own part: it measures on this computer as `bench` does, and every fault is an answer."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pocketclip.benchmark.devices.leases import lease
from pocketclip.benchmark.errors import FleetAnswerError, FleetPlanError
from pocketclip.benchmark.fleet import host as host_module
from pocketclip.benchmark.fleet.cluster import Answer, Examination, FleetDevice
from pocketclip.benchmark.fleet.host import BenchHost, Order
from pocketclip.benchmark.fleet.parcels import pack, parcel_key, unpacked
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, RunSettings
from pocketclip.benchmark.records.launch import MachineState
from pocketclip.export.artifact.reading import Artifact
from pocketclip.models import documents
from tests.benchmark.fleet.conftest import work

BuildArtifact = Callable[..., Artifact]


@pytest.fixture
def side(tmp_path: Path) -> BenchHost:
    return BenchHost(folder=tmp_path / "host", name="bench-1")


@pytest.fixture
def own(side: BenchHost) -> FleetDevice:
    """This computer as it announces itself."""
    return next(each for each in side.announce() if each.name == "host")


def order(artifact: Artifact, device: FleetDevice, parcel: dict[str, bytes], **changes: Any) -> str:
    wanted = work(
        device.name,
        artifact_sha256=artifact.manifest.sha256,
        settings=RunSettings(launches=1, iterations=5),
        **changes,
    )
    return json.dumps(documents.to_builtin(Order("1" * 64, device.key, parcel_key(parcel), wanted)))


def answered(text: str) -> Answer:
    return documents.parse(Answer, text, source="test", error=FleetAnswerError)


def refuse() -> Any:
    raise AssertionError("it is there already")


def test_this_computer_is_measured_once_for_a_job(
    side: BenchHost, own: FleetDevice, build_artifact: BuildArtifact
) -> None:
    assert own.whole_host and own.obstacle is None
    artifact = build_artifact()
    parcel = pack(artifact.folder)
    answer = answered(side.measure(order(artifact, own, parcel), lambda: parcel))
    assert answer.record is not None, answer
    record = documents.parse(BenchmarkRecord, answer.record, source="test", error=FleetAnswerError)
    assert (record.artifact.sha256, record.device.name) == (artifact.manifest.sha256, "host")
    assert record.device.instance == own.key and len(record.launches) == 1
    # A head that did not hear the answer gets it again; nothing is measured or fetched.
    assert answered(side.measure(order(artifact, own, parcel), refuse)) == answer


def test_faults_are_answers(
    side: BenchHost, own: FleetDevice, build_artifact: BuildArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = build_artifact()
    parcel = pack(artifact.folder)

    def fault(*words: Any, device: FleetDevice = own, fetch: Any = lambda: parcel, **changes: Any) -> tuple[str, str]:
        found = answered(side.measure(order(artifact, device, parcel, **changes), fetch)).fault
        assert found is not None
        return found.code, found.message

    altered = parcel | {"model.onnx": b"other"}
    code, message = fault(fetch=lambda: altered)
    assert (code, "arrived altered" in message) == ("fleet-answer", True)
    outside = {"../evil": b"x"}
    code, message = fault(fetch=lambda: outside)
    assert code == "fleet-answer" and "must be a path below the folder" in message
    assert not list(side.folder.parent.glob("evil"))
    with lease("host", name="another bench"):
        code, message = fault()
    assert (code, "in use by another process" in message) == ("device-busy", True)
    gone = FleetDevice("0" * 16, "host", "bench-1")
    assert fault(device=gone)[0] == "device-not-found"
    monkeypatch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
    (side.folder / "parcels" / parcel_key(parcel)).rename(side.folder / "aside")
    code, message = fault()
    assert code == "storage" and "No space left" in message


def test_a_full_disk_loses_no_record(
    side: BenchHost, own: FleetDevice, build_artifact: BuildArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = build_artifact()
    parcel = pack(artifact.folder)

    def full(*_: Any) -> None:
        raise host_module.StorageError("cannot write: No space left on device")

    monkeypatch.setattr(host_module.atomic, "write_text", full)
    assert answered(side.measure(order(artifact, own, parcel), lambda: parcel)).record is not None


def test_a_hot_phone_refuses(
    side: BenchHost, own: FleetDevice, build_artifact: BuildArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from pocketclip.benchmark.devices import HostDevice
    from pocketclip.benchmark.platforms import host as platform
    from pocketclip.benchmark.records.benchmark import DeviceKind

    artifact = build_artifact()
    parcel = pack(artifact.folder)
    facts = replace(platform.host_facts("host"), kind=DeviceKind.PHONE)
    monkeypatch.setattr(HostDevice, "facts", lambda _: facts)
    hot = MachineState("2026-03-01T00:00:00+00:00", thermal_status=3)
    monkeypatch.setattr(HostDevice, "state", lambda _: hot)
    found = answered(side.measure(order(artifact, own, parcel), lambda: parcel)).fault
    assert found is not None and (found.code, "thermal status 3" in found.message) == ("device-unfit", True)


def test_examinations(side: BenchHost, own: FleetDevice) -> None:
    def examined(key: str) -> Examination:
        return documents.parse(Examination, side.examine(key), source="test", error=FleetAnswerError)

    # Whatever else this computer does: being busy takes it out of use no more than `bench` would.
    assert examined(own.key).healthy
    missing = examined("0" * 16)
    assert not missing.healthy and "is not attached to bench-1 any more" in missing.reason


def test_parcels(tmp_path: Path, build_artifact: BuildArtifact) -> None:
    artifact = build_artifact()
    parcel = pack(artifact.folder)
    place = unpacked(parcel_key(parcel), lambda: parcel, tmp_path / "parcels")
    assert pack(place) == parcel
    assert unpacked(parcel_key(parcel), refuse, tmp_path / "parcels") == place
    with pytest.raises(FleetAnswerError, match="must be 64 hex digits"):
        unpacked("../up", refuse, tmp_path / "parcels")
    (artifact.folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(FleetPlanError, match="it is a link"):
        pack(artifact.folder)
    (artifact.folder / "link").unlink()
    (artifact.folder / "sp ace").write_text("x")
    with pytest.raises(FleetPlanError, match="its name must be a path"):
        pack(artifact.folder)
