"""What a host of a fleet does: tells which devices it has, examines them, and measures on them as `bench` does."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from pocketclip.benchmark.devices import Device, open_device
from pocketclip.benchmark.devices.attached import Attached, list_attached
from pocketclip.benchmark.devices.doctor import examine
from pocketclip.benchmark.devices.leases import lease
from pocketclip.benchmark.devices.table import DeviceEntry, Match, TransportName, load_table
from pocketclip.benchmark.errors import DeviceNotFoundError, DeviceUnfitError, FleetAnswerError
from pocketclip.benchmark.fleet.cluster import Answer, Examination, Fault, FleetDevice
from pocketclip.benchmark.fleet.jobs import BenchWork, UnitKey
from pocketclip.benchmark.fleet.judging import HEATED, UNFIT
from pocketclip.benchmark.fleet.parcels import Parcel, unpacked
from pocketclip.benchmark.measuring.bundled_artifacts import measurable_artifacts
from pocketclip.benchmark.measuring.cooldown import wait_until_fit
from pocketclip.benchmark.measuring.plan import BenchmarkPlan, SilentWatch, run_plan
from pocketclip.benchmark.platforms.host import host_facts, instance_id
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, DeviceKind, Status
from pocketclip.benchmark.records.validity import InvalidityCode, gates_for, judge_state
from pocketclip.benchmark.store.codec import encode
from pocketclip.models import atomic, documents
from pocketclip.models.documents import document
from pocketclip.models.errors import PocketClipError, StorageError
from pocketclip.models.untrusted.names import Sha256
from pocketclip.models.user_cache import user_cache

# Answers that the head may not have heard, so that the same job is not measured again.
_MOST_KEPT = 200
_ANSWERS, _PARCELS = "answers", "parcels"
# Of a computer, other programs come and go: that it is busy does not take it out of use.
_PASSING = frozenset({InvalidityCode.BUSY, InvalidityCode.STOLEN})


@document
class Order:
    """A job as a host gets it: what to measure, on which unit, and the parcel that has it."""

    job_id: Sha256
    key: UnitKey
    parcel: Sha256
    work: BenchWork


class HostSide(Protocol):
    """A host's own part; it can be sent to another process there. Its answers are JSON texts, which the head checks."""

    @property
    def name(self) -> str:
        """What messages call the host."""
        ...

    def announce(self) -> list[FleetDevice]:
        """The devices that are attached now."""
        ...

    def examine(self, key: str) -> str:
        """An `Examination` of a device."""
        ...

    def measure(self, order: str, fetch: Callable[[], Parcel]) -> str:
        """An `Answer` to an `Order`; `fetch` gives its parcel."""
        ...


@dataclass(frozen=True)
class BenchHost:
    """This computer and its devices.

    Attributes:
        devices: the user's table of devices; None means the usual one.
        app: the measuring app for phones; None means the last build.
        folder: where parcels and answers are kept.
    """

    devices: Path | None = None
    app: Path | None = None
    folder: Path = field(default_factory=lambda: user_cache() / "fleet")
    name: str = field(default_factory=socket.gethostname)

    def announce(self) -> list[FleetDevice]:
        """The devices that are attached now, only known ones."""
        return [device for device, _ in self._units(load_table(self.devices))]

    def examine(self, key: str) -> str:
        """What the doctor says of a device: the first thing that is not met."""
        try:
            entry = self._entry(key)
            bad = [each for each in examine(entry, self.app) if not each.met and each.precondition not in _PASSING]
            reason = "; ".join(f"{each.precondition}: {each.detail}" for each in bad)
        except PocketClipError as error:
            reason = str(error)
        return _text(Examination(key, not reason, reason[:4000]))

    def measure(self, order: str, fetch: Callable[[], Parcel]) -> str:
        """Measures as `bench` does; every fault is an answer."""
        asked = documents.parse(Order, order, source="an order of the head", error=FleetAnswerError)
        kept = self._kept(asked.job_id)
        if kept is not None:
            return kept
        try:
            folder = unpacked(asked.parcel, fetch, self.folder / _PARCELS)
            record = self._measured(asked, folder)
        except PocketClipError as error:
            code = UNFIT if isinstance(error, DeviceUnfitError) else error.code
            return _text(Answer(asked.job_id, fault=Fault(code[:200], str(error)[:20_000])))
        answer = _text(Answer(asked.job_id, record=encode(record).text))
        if record.status is not Status.FAILED:
            # A full disk loses no more than this second chance.
            with suppress(StorageError, OSError):
                self._keep(asked.job_id, answer)
        return answer

    def _measured(self, order: Order, folder: Path) -> BenchmarkRecord:
        work = order.work
        with measurable_artifacts([folder]) as found:
            chosen = [each for each in found if each.manifest.sha256 == work.artifact_sha256]
            if not chosen:
                raise FleetAnswerError(f"parcel {order.parcel[:12]} does not hold {work.label}")
            entry = self._entry(order.key)
            device = open_device(entry.name, {entry.name: entry}, app=self.app)
            with lease(device.lease_key, name=entry.name):
                device.check()
                _await_fitness(device, work.cooldown_seconds)
                plan = BenchmarkPlan(
                    artifacts=(chosen[0],),
                    settings=(device.settings(work.settings),),
                    timeout_seconds=work.timeout_seconds,
                    cooldown_seconds=work.cooldown_seconds,
                    profile=work.profile,
                    tag=work.tag,
                )
                records: list[BenchmarkRecord] = []
                run_plan(plan, device, append=records.append, watch=SilentWatch())
        return records[-1]

    def _entry(self, key: str) -> DeviceEntry:
        """The entry of one attached unit, with what tells it from others of its model."""
        for device, entry in self._units(load_table(self.devices)):
            if device.key == key:
                if device.obstacle is not None:
                    raise DeviceUnfitError(f"{device.name} cannot be used: {device.obstacle}", fix="see what it shows")
                return entry
        raise DeviceNotFoundError(f"the device {key[:8]} is not attached to {self.name} any more", fix="plug it in")

    def _units(self, table: Mapping[str, DeviceEntry]) -> Iterator[tuple[FleetDevice, DeviceEntry]]:
        attached, _ = list_attached(table)
        for each in attached:
            if each.name is None or each.state == "not created":
                continue
            entry = table[each.name]
            # The first word is what our own lists call a state; phones that are not ready say why.
            usable = each.state.split(",")[0] in ("ready", "running", "configured", "created")
            yield (
                FleetDevice(
                    key=_key(each),
                    name=each.name,
                    host=self.name,
                    words=f"{each.transport}, {each.state}"[:200],
                    obstacle=None if usable else f"it is {each.state}"[:200],
                    whole_host=each.transport is TransportName.LOCAL,
                ),
                _of_unit(entry, each),
            )

    def _kept(self, job_id: str) -> str | None:
        try:
            text = (self.folder / _ANSWERS / f"{job_id}.json").read_text()
            documents.parse(Answer, text, source="a kept answer", error=FleetAnswerError)
        except (OSError, UnicodeDecodeError, FleetAnswerError):
            return None
        return text

    def _keep(self, job_id: str, answer: str) -> None:
        folder = self.folder / _ANSWERS
        atomic.write_text(folder / f"{job_id}.json", answer)
        files = sorted(folder.glob("*.json"), key=lambda each: each.stat().st_mtime)
        for old in files[:-_MOST_KEPT]:
            old.unlink(missing_ok=True)


def _await_fitness(device: Device, limit_seconds: float) -> None:
    """Refuses a phone that is hot or low on battery, also after it had time to cool down.

    Raises:
        DeviceUnfitError: it is.
    """
    facts = device.facts()
    if facts.kind is not DeviceKind.PHONE:
        return
    gates = gates_for(facts.logical_cores)
    # That it is busy, `bench` itself waits for and notes in the record.
    if not any(each.code in HEATED for each in judge_state(device.state(), gates)):
        return
    unfit = [each for each in wait_until_fit(device.state, limit_seconds, gates=gates) if each.code in HEATED]
    if unfit:
        raise DeviceUnfitError(f"{unfit[0].code}: {unfit[0].reason}", fix=unfit[0].fix)


def _key(attached: Attached) -> str:
    """The key of a unit: what records call its instance, where that can be told without asking it."""
    match attached.transport:
        case TransportName.LOCAL:
            return host_facts("host").instance or instance_id(socket.gethostname())
        case TransportName.EMULATOR:
            return instance_id(f"{host_facts('host').instance} {attached.name}")
        case _:
            return instance_id(attached.identity)


def _of_unit(entry: DeviceEntry, attached: Attached) -> DeviceEntry:
    match attached.transport:
        case TransportName.ADB:
            return replace(entry, match=Match(serial=attached.identity))
        case TransportName.IOS:
            return replace(entry, match=Match(udid=attached.identity))
        case _:
            return entry


def _text(content: object) -> str:
    return json.dumps(documents.to_builtin(content))
