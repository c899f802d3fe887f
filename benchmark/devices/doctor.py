"""The preconditions of a device, one after the other: each met or not, and what to do about it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from pocketclip.benchmark.arm64.phone import Phone, find_phone
from pocketclip.benchmark.arm64.root import check_host
from pocketclip.benchmark.devices.android_app_device import AndroidAppDevice
from pocketclip.benchmark.devices.attached import find_adb_device
from pocketclip.benchmark.devices.finding import LEAST_FREE_BYTES, Finding, attempt
from pocketclip.benchmark.devices.leases import lease
from pocketclip.benchmark.devices.opening import local_device, open_adb_device
from pocketclip.benchmark.devices.shell_device import ShellDevice
from pocketclip.benchmark.devices.table import DeviceEntry, TransportName
from pocketclip.benchmark.errors import BenchmarkError
from pocketclip.benchmark.phone_app.apk import Apk, find_apk
from pocketclip.benchmark.phone_app.installing import WORKSPACES as APP_WORKSPACES
from pocketclip.benchmark.phone_app.installing import installed_sha256
from pocketclip.benchmark.phone_app.steady import check_unlocked
from pocketclip.benchmark.platforms import host
from pocketclip.benchmark.platforms.android.storage import free_bytes
from pocketclip.benchmark.records.launch import MachineState
from pocketclip.benchmark.records.validity import gates_for, judge_state
from pocketclip.benchmark.runners.scratch import scratch_folder
from pocketclip.benchmark.transport.adb import adb_devices
from pocketclip.benchmark.transport.shell import ShellTransport
from pocketclip.benchmark.transport.ssh import SshTransport


def examine(entry: DeviceEntry, app: Path | None = None) -> Iterator[Finding]:
    """Checks a device; what cannot be checked for an earlier failure is left out. `app` is as for `open_device`."""
    yield from _EXAMINATIONS[entry.transport](entry, app)


def _local(entry: DeviceEntry, app: Path | None) -> Iterator[Finding]:
    facts = host.host_facts(entry.name)
    yield Finding("what it is", f"{facts.cpu}, {facts.logical_cores} cores, {facts.os}")
    device = local_device(entry)
    finding, _ = attempt("system", device.check, lambda _: facts.os)
    if not finding.met:
        yield finding
        return
    yield from _fitness(device.state(), facts.logical_cores)


def _emulator(entry: DeviceEntry, app: Path | None) -> Iterator[Finding]:
    phone = find_phone()
    finding, _ = attempt("this computer", check_host, lambda _: "Linux on x86-64, with the rights of root")
    yield finding
    if not finding.met:
        return
    create = f"create it with `pocketclip devices create {entry.name}`"
    yield Finding("created", str(phone.root) if phone.created else "no", None if phone.created else create)
    if not phone.created:
        return
    started = phone.running() is None
    finding, _ = attempt("starts", phone.start, lambda _: "adbd answers" if started else "runs already")
    yield finding
    if not finding.met:
        return
    try:
        yield from _running_phone(entry, phone)
    finally:
        if started:
            phone.stop()


def _running_phone(entry: DeviceEntry, phone: Phone) -> Iterator[Finding]:
    transport = phone.transport(entry.name)
    yield from _files(transport, "/data/local/tmp")
    finding, _ = attempt("Python", lambda: _told(transport, "python3 --version"), str)
    yield finding


def _adb(entry: DeviceEntry, app: Path | None) -> Iterator[Finding]:
    finding, listed = attempt(
        "adb", lambda: adb_devices(server=entry.server), lambda found: f"{len(found)} devices attached"
    )
    yield finding
    if listed is None:
        yield from _app_here(entry, app)
        return
    finding, found = attempt("attached", lambda: find_adb_device(entry, listed), lambda each: each.serial)
    yield finding
    if found is None:
        yield from _app_here(entry, app)
        return
    said: list[str] = []
    finding, device = attempt(
        "answers", lambda: open_adb_device(entry, found, say=said.append, app=app), lambda _: "its shell"
    )
    if device is None:
        yield finding
        yield from _app_here(entry, app)
    elif isinstance(device, ShellDevice):
        yield from _shell_device(device)
    else:
        yield from _app_device(device, said)


def _app_here(entry: DeviceEntry, app: Path | None) -> Iterator[Finding]:
    """What can be told of a phone's app without the phone, so that one visit mends both."""
    if entry.runner != "agent":
        finding, _ = attempt("app", lambda: find_apk(app), lambda each: each.path.name)
        yield finding


def _app_device(device: AndroidAppDevice, said: list[str]) -> Iterator[Finding]:
    """`said` is what the device tells while it is looked at."""
    finding, facts = attempt("what it is", device.facts, lambda each: f"{each.cpu}, {each.os}")
    yield finding
    if facts is None:
        return
    finding, _ = attempt("free", lambda: _put_back(device), lambda _: "; ".join(said) or "no bench is using it")
    yield finding
    finding, apk = attempt("app", lambda: device.apk, lambda each: _compared(device, each))
    yield finding
    android = device.android
    told = ", ".join([android.platform, *android.abis])
    finding, _ = attempt("Android", device.check_android if apk else lambda: None, lambda _: told)
    yield finding
    finding, _ = attempt("unlocked", lambda: check_unlocked(device.transport), lambda _: "or locked only by a swipe")
    yield finding
    yield from _files(device.transport, APP_WORKSPACES)
    finding, state = attempt("state", device.state, lambda _: "told")
    if state is None:
        yield finding
    else:
        yield from _fitness(state, facts.logical_cores)


def _put_back(device: AndroidAppDevice) -> None:
    # Not under the hands of a bench that is at work there.
    with lease(device.lease_key, name=device.entry.name):
        device.put_back_leftovers()


def _compared(device: AndroidAppDevice, apk: Apk) -> str:
    found = installed_sha256(device.transport)
    there = (
        "not installed yet" if found is None else "installed" if found == apk.sha256 else "another build is installed"
    )
    return f"{apk.path.name}, {there}"


def _ssh(entry: DeviceEntry, app: Path | None) -> Iterator[Finding]:
    host_name = entry.match.host or ""
    transport = SshTransport(host_name, entry.name, options=entry.ssh)
    finding, answer = attempt("ssh", lambda: transport.shell("true"), lambda _: f"{host_name} accepts the login")
    yield finding
    if answer is not None:
        yield from _shell_device(ShellDevice(entry, transport, host_name, say=lambda _: None))
    transport.close()


def _ios(entry: DeviceEntry, app: Path | None) -> Iterator[Finding]:
    from pocketclip.benchmark.devices.iphone_doctor import examine_iphone

    yield from examine_iphone(entry, app)


def _shell_device(device: ShellDevice) -> Iterator[Finding]:
    """All that can be told at once: a visit to the device mends several things."""
    finding, facts = attempt("what it is", device.facts, lambda each: f"{each.cpu}, {each.os}")
    yield finding
    yield from _files(device.transport, device.workspaces)
    finding, state = attempt("state", device.state, lambda _: "told")
    if state is None or facts is None:
        yield finding
    else:
        yield from _fitness(state, facts.logical_cores)
    finding, _ = attempt("Python", device.check, lambda _: f"{device.entry.python} answers")
    yield finding


def _fitness(state: MachineState, logical_cores: int) -> Iterator[Finding]:
    found = judge_state(state, gates_for(logical_cores))
    yield from (Finding(str(each.code), each.reason, each.fix) for each in found)
    if not found:
        yield Finding("cool, idle, at full speed", "no problem found")


def _files(transport: ShellTransport, parent: str) -> Iterator[Finding]:
    finding, _ = attempt("files arrive whole", lambda: _round_trip(transport, parent), lambda _: "there and back")
    yield finding
    finding, free = attempt("space", lambda: _free_bytes(transport, parent), lambda found: f"{found / 1e9:.1f} GB free")
    if free is not None and free < LEAST_FREE_BYTES:
        finding = Finding("space", finding.detail, f"free {LEAST_FREE_BYTES / 1e9:.1f} GB on it, in {parent}")
    yield finding


def _round_trip(transport: ShellTransport, parent: str) -> None:
    with scratch_folder("pocketclip-doctor-") as name, transport.workspace(parent) as folder:
        sent, back = Path(name, "sent"), Path(name, "back")
        sent.write_bytes(secrets.token_bytes(1 << 20))
        transport.push(sent, f"{folder}/probe")
        transport.pull(f"{folder}/probe", back)


def _free_bytes(transport: ShellTransport, parent: str) -> int:
    found = free_bytes(transport, parent)
    if found is None:
        raise BenchmarkError(f"neither `stat -f` nor `df -k` shows the free space in {parent} there")
    return found


def _told(transport: ShellTransport, line: str) -> str:
    execution = transport.shell(line)
    if execution.exit_code != 0:
        raise BenchmarkError(f"`{line}` fails there: {execution.describe()}")
    return execution.stdout.strip()


_EXAMINATIONS: dict[TransportName, Callable[[DeviceEntry, Path | None], Iterator[Finding]]] = {
    TransportName.LOCAL: _local,
    TransportName.EMULATOR: _emulator,
    TransportName.ADB: _adb,
    TransportName.SSH: _ssh,
    TransportName.IOS: _ios,
}
