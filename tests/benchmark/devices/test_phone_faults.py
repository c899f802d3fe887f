"""What can go wrong on a phone, on the emulated one through its real adbd; the table is in docs/devices.md.

Each time: a worded reason with a code, other records kept, the rest finished, the workspace gone, the phone usable.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from pocketclip.benchmark.arm64.phone import ADDRESS, Phone
from pocketclip.benchmark.devices.shell_device import ShellDevice
from pocketclip.benchmark.devices.table import DeviceEntry, Match, TransportName
from pocketclip.benchmark.errors import DeviceDisconnectedError, DeviceFullError, TransferError
from pocketclip.benchmark.measuring.plan import BenchmarkPlan, SilentWatch, run_plan
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, RunSettings, Status
from pocketclip.benchmark.records.validity import InvalidityCode
from pocketclip.benchmark.transport.adb import AdbTransport, run_adb
from pocketclip.export.artifact.reading import Artifact

pytestmark = pytest.mark.slow

BuildArtifact = Callable[..., Artifact]
Workspaces = Callable[[], list[Path]]
ENTRY = DeviceEntry("phone", "a phone", TransportName.ADB, Match(serial=ADDRESS))


@pytest.fixture
def measure(phone: Phone, phone_folder: str, scripted_agent: bytes) -> Callable[..., list[BenchmarkRecord]]:
    """Runs a plan on the phone; records that were kept before an exception are in `stored`."""

    def run(
        *artifacts: Artifact,
        transport: AdbTransport | None = None,
        workspace: str | None = None,
        reconnect_seconds: float = 30,
        timeout: float = 60,
        stored: list[BenchmarkRecord] | None = None,
    ) -> list[BenchmarkRecord]:
        entry = DeviceEntry("phone", "a phone", TransportName.ADB, ENTRY.match, workspace=workspace or phone_folder)
        device = ShellDevice(
            entry,
            transport or phone.transport("phone"),
            ADDRESS,
            say=lambda _: None,
            agent=scripted_agent,
            reconnect_seconds=reconnect_seconds,
        )
        plan = BenchmarkPlan(artifacts, (RunSettings(iterations=3, launches=1),), timeout)
        kept = [] if stored is None else stored
        run_plan(plan, device, append=kept.append, watch=SilentWatch())
        return kept

    return run


def faulty(build_artifact: BuildArtifact, *faults: str) -> list[Artifact]:
    return [build_artifact(f"{index}-{fault}", model_bytes=f"{fault}\n".encode()) for index, fault in enumerate(faults)]


def assert_clean(phone: Phone, workspaces: Workspaces) -> None:
    """No folder of ours, and no agent, is left on the phone."""
    assert workspaces() == []
    assert running_agents(phone) == []


def running_agents(phone: Phone) -> list[int]:
    first = phone.running()
    assert first is not None
    family = psutil.Process(first).children(recursive=True)
    found = []
    for process in family:
        with suppress(psutil.Error):
            if any("agent.pyz" in word for word in process.cmdline()):
                found.append(process.pid)
    return found


def when_started(workspaces: Workspaces, action: Callable[[], object], launch: int = 1) -> threading.Thread:
    """Does something the moment that the agent of a launch runs on the phone."""

    def watch() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if any(list(folder.glob(f"launch-{launch}/started")) for folder in workspaces()):
                action()
                return
            time.sleep(0.05)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def kill_adbd(phone: Phone) -> None:
    first = phone.running()
    assert first is not None
    for process in psutil.Process(first).children(recursive=True):
        with suppress(psutil.Error):
            if process.cmdline()[-1:] == ["/arm64/usr/lib/android-sdk/platform-tools/adbd"]:
                process.kill()


def test_an_agent_that_fails_in_every_way(
    phone: Phone, measure: Callable[..., list[BenchmarkRecord]], build_artifact: BuildArtifact, workspaces: Workspaces
) -> None:
    faults = ("none", "segv", "out-of-memory", "hang", "nan", "truncated", "flipped", "foreign", "clock-jump", "none")
    records = measure(*faulty(build_artifact, *faults), timeout=10)
    first, *bad, jumped, last = records
    assert [record.status for record in (first, jumped, last)] == [Status.MEASURED] * 3
    codes = [(record.reason or "").partition(":")[0] for record in bad]
    assert codes == [
        "agent-crashed",
        "agent-killed",
        "agent-hung",
        "non-finite-output",
        "result-truncated",
        "result-altered",
        "result-foreign",
    ]
    assert {record.status for record in bad} == {Status.FAILED}
    assert "SIGSEGV" in (bad[0].reason or "")
    assert "memory ran out" in (bad[1].reason or "")
    assert "raise --timeout" in (bad[2].reason or "")
    assert [each.code for each in jumped.invalid] == [InvalidityCode.CLOCK_JUMP]
    assert last.rankable
    assert_clean(phone, workspaces)


def test_adbd_killed_in_mid_run(
    phone: Phone, measure: Callable[..., list[BenchmarkRecord]], build_artifact: BuildArtifact, workspaces: Workspaces
) -> None:
    watcher = when_started(workspaces, lambda: kill_adbd(phone))
    # The first takes a minute where nobody kills adbd; repeated, it takes a moment.
    records = measure(*faulty(build_artifact, "slow-once", "none"))
    watcher.join(5)
    assert [record.status for record in records] == [Status.MEASURED] * 2
    assert_clean(phone, workspaces)


def test_a_phone_that_stays_away(
    phone: Phone, measure: Callable[..., list[BenchmarkRecord]], build_artifact: BuildArtifact, workspaces: Workspaces
) -> None:
    class PluggedInAtLast(AdbTransport):
        def remove(self, folder: str) -> None:
            phone.start()
            super().remove(folder)

    transport = PluggedInAtLast(ADDRESS, "phone", server=phone.server, address=ADDRESS)
    artifacts = faulty(build_artifact, "none", "slow-once", "none", "none")
    when_started(workspaces, phone.stop, launch=2)
    first, *rest = measure(*artifacts, transport=transport, reconnect_seconds=1)
    assert first.status is Status.MEASURED
    assert {record.status for record in rest} == {Status.FAILED}
    assert {(record.reason or "").partition(":")[0] for record in rest} == {"device-disconnected"}
    assert_clean(phone, workspaces)
    assert [record.status for record in measure(artifacts[2])] == [Status.MEASURED]


def test_unplugged_between_push_and_run(
    phone: Phone, measure: Callable[..., list[BenchmarkRecord]], build_artifact: BuildArtifact, workspaces: Workspaces
) -> None:
    class Unplugged(AdbTransport):
        times = 1

        def execute(self, *arguments: object, **options: object):
            if self.times:
                self.times -= 1
                run_adb(["disconnect", ADDRESS], server=phone.server)
            return super().execute(*arguments, **options)  # type: ignore[arg-type]

    transport = Unplugged(ADDRESS, "phone", server=phone.server, address=ADDRESS)
    records = measure(*faulty(build_artifact, "none", "none"), transport=transport)
    assert transport.times == 0
    assert [record.status for record in records] == [Status.MEASURED] * 2
    assert_clean(phone, workspaces)


@pytest.fixture
def small_disk(phone: Phone, phone_folder: str) -> Iterator[str]:
    """A folder of the phone with room for 256 kB."""
    folder = phone.root / phone_folder.lstrip("/") / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        folder.rmdir()
        pytest.skip("no small disk can be made here: mounting a tmpfs is not allowed")
    # A file system mounted later is seen by the phone, which has no mounts of its own.
    yield f"{phone_folder}/small"
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


def test_a_full_disk(
    phone: Phone,
    measure: Callable[..., list[BenchmarkRecord]],
    build_artifact: BuildArtifact,
    workspaces: Workspaces,
    small_disk: str,
) -> None:
    small = build_artifact("small", model_bytes=b"none\n")
    large = build_artifact("large", model_bytes=b"none\n" + bytes(400_000))
    rest = build_artifact("rest", model_bytes=b"none\n ")
    records = measure(small, large, rest, workspace=small_disk)
    assert [record.status for record in records] == [Status.MEASURED, Status.FAILED, Status.MEASURED]
    assert (records[1].reason or "").startswith("device-full: phone cannot take ")
    assert "free some and run it again" in (records[1].reason or "")
    assert list((phone.root / small_disk.lstrip("/")).iterdir()) == []
    assert_clean(phone, workspaces)


class Interrupting(AdbTransport):
    """Ctrl-C at a stage; half of a file is on its way where that is `push` or `pull`."""

    def __init__(self, phone: Phone, stage: str) -> None:
        super().__init__(ADDRESS, "phone", server=phone.server, address=ADDRESS)
        self._stage = stage

    def push(self, local: Path, remote: str) -> None:
        if self._stage == "before-push":
            raise KeyboardInterrupt
        super().push(local, remote)

    def _send(self, local: Path, remote: str, timeout_seconds: float) -> None:
        if self._stage == "push" and "golden" in local.name:
            half = local.with_name("half")
            half.write_bytes(local.read_bytes()[: local.stat().st_size // 2])
            super()._send(half, remote, timeout_seconds)
            raise KeyboardInterrupt
        super()._send(local, remote, timeout_seconds)

    def _receive(self, remote: str, local: Path, timeout_seconds: float) -> None:
        super()._receive(remote, local, timeout_seconds)
        if self._stage == "pull":
            raise KeyboardInterrupt


@pytest.mark.parametrize("stage", ["before-push", "push", "run", "pull"])
def test_interrupted_at_every_stage(
    phone: Phone,
    measure: Callable[..., list[BenchmarkRecord]],
    build_artifact: BuildArtifact,
    workspaces: Workspaces,
    stage: str,
) -> None:
    (artifact,) = faulty(build_artifact, "slow-once")
    if stage == "run":
        when_started(workspaces, lambda: os.kill(os.getpid(), signal.SIGINT))
    elif stage == "pull":
        (artifact,) = faulty(build_artifact, "none")
    with pytest.raises(KeyboardInterrupt):
        measure(artifact, transport=Interrupting(phone, stage))
    assert_clean(phone, workspaces)
    assert phone.transport().shell("true").exit_code == 0


def test_files_that_arrive_damaged_are_refused(phone: Phone, phone_folder: str, tmp_path: Path) -> None:
    class Damaging(AdbTransport):
        def _send(self, local: Path, remote: str, timeout_seconds: float) -> None:
            damaged = tmp_path / "damaged"
            damaged.write_bytes(local.read_bytes()[:-1] + b"x")
            super()._send(damaged, remote, timeout_seconds)

        def _receive(self, remote: str, local: Path, timeout_seconds: float) -> None:
            super()._receive(remote, local, timeout_seconds)
            local.write_bytes(local.read_bytes()[:-1])

    (tmp_path / "file").write_bytes(b"content")
    damaging = Damaging(ADDRESS, "phone", server=phone.server)
    with phone.transport().workspace(phone_folder) as folder:
        with pytest.raises(TransferError, match="altered or truncated on its way"):
            damaging.push(tmp_path / "file", f"{folder}/file")
        assert phone.transport().shell(f"test -e {folder}/file").exit_code == 1
        phone.transport().push(tmp_path / "file", f"{folder}/file")
        with pytest.raises(TransferError, match="altered or truncated"):
            damaging.pull(f"{folder}/file", tmp_path / "back")
        assert not list(tmp_path.glob("back*"))


def test_errors_of_a_full_and_of_an_absent_phone(phone: Phone, tmp_path: Path, small_disk: str) -> None:
    (tmp_path / "big").write_bytes(bytes(1_000_000))
    transport = phone.transport("phone")
    with pytest.raises(DeviceFullError) as full:
        transport.push(tmp_path / "big", f"{small_disk}/a/big")
    assert full.value.exit_code == 16
    run_adb(["disconnect", ADDRESS], server=phone.server)
    with pytest.raises(DeviceDisconnectedError, match="disconnected") as gone:
        transport.shell("true")
    assert gone.value.exit_code == 15
    assert transport.wait_until_back(10)
