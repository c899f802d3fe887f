"""Works, phones that are not there, and what they answer."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pocketclip.benchmark.fleet.cluster import Answer, Answered, Event, Examination, Examined, Fault, FleetDevice
from pocketclip.benchmark.fleet.heads import Head
from pocketclip.benchmark.fleet.jobs import BenchWork, Job
from pocketclip.benchmark.fleet.ledger import Ledger, Run, open_ledger
from pocketclip.benchmark.fleet.running import FleetRun
from pocketclip.benchmark.fleet.simulated import SimulatedClock, SimulatedCluster
from pocketclip.benchmark.fleet.timing import Timing
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, DeviceKind, RunSettings, new_record_id
from pocketclip.benchmark.store import Store, open_store
from pocketclip.benchmark.store.codec import encode
from pocketclip.models import documents

# Its fixtures of SQLite and PostgreSQL.
from tests.benchmark.store.conftest import location, postgres, postgres_server  # noqa: F401


def work(device: str = "pixel7", repetition: int = 0, **changes: Any) -> BenchWork:
    values = {
        "artifact_sha256": "a" * 64,
        "label": "tiny onnx-fp32 image",
        "device": device,
        "unit": None,
        "repetition": repetition,
        "settings": RunSettings(launches=1, iterations=5),
        "timeout_seconds": 60.0,
        "cooldown_seconds": 0.0,
    }
    return BenchWork(**(values | changes))


def works(count: int, device: str = "pixel7", priority: int = 0, **changes: Any) -> list[tuple[int, BenchWork]]:
    return [(priority, work(device, repetition, **changes)) for repetition in range(count)]


def phone(number: int, name: str = "pixel7", host: str = "bench-1", **changes: Any) -> FleetDevice:
    return FleetDevice(f"{number:016x}", name, host, "test phone", **changes)


@dataclass
class Scripted:
    """Phones that answer well after some seconds, except where `faults` has something for a job's number of starts."""

    record: BenchmarkRecord
    seconds: float = 10.0
    seed: int = 3
    # What a start brings instead, by its number from 0: an answer's fault, a record's changes, or any text.
    faults: dict[int, Any] = field(default_factory=dict)
    # By a device's key: whether the doctor finds it well.
    ill: dict[str, str] = field(default_factory=dict)
    started: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def job(self, job: Job, device: FleetDevice) -> tuple[float, Event]:
        fault = self.faults.get(len(self.started))
        self.started.append((job.job_id, device.key))
        seconds = self.seconds * self._random.uniform(0.8, 1.2)
        if isinstance(fault, Event):
            return seconds, fault
        if isinstance(fault, str):
            return seconds, Answered(job.job_id, device.key, fault)
        answer = Answer(job.job_id, fault=fault) if isinstance(fault, Fault) else None
        return seconds, Answered(job.job_id, device.key, text(answer or self.answer(job, device, fault or {})))

    def answer(self, job: Job, device: FleetDevice, changes: dict[str, Any]) -> Answer:
        record = record_of(self.record, job, device)
        return Answer(job.job_id, record=encode(replace(record, **changes)).text)

    def examination(self, device: FleetDevice) -> tuple[float, Examined]:
        reason = self.ill.get(device.key)
        return 2.0, Examined(device.key, text(Examination(device.key, reason is None, reason or "")))


def record_of(template: BenchmarkRecord, job: Job, device: FleetDevice) -> BenchmarkRecord:
    return replace(
        template,
        record_id=new_record_id(),
        artifact=replace(template.artifact, sha256=job.work.artifact_sha256),
        device=replace(template.device, name=device.name, instance=device.key, kind=DeviceKind.PHONE),
        settings=replace(template.settings, threads=job.work.settings.threads),
        tag=job.work.tag,
    )


def text(document: object) -> str:
    return json.dumps(documents.to_builtin(document))


@dataclass
class Fleet:
    """A store, its ledger and heads that carry runs out on simulated phones."""

    ledger: Ledger
    store: Store
    said: list[str] = field(default_factory=list)

    def begin(self, wanted: list[tuple[int, BenchWork]], key: str = "f" * 64) -> Run:
        return self.ledger.begin(key, "plan.toml", wanted)

    def head(self, run: Run, cluster: Any, name: str = "head", **changes: Any) -> FleetRun:
        clock = cluster.clock
        head = Head(f"00000000-0000-4000-8000-{sum(map(ord, name)):012d}", "machine", name)
        values = {"timing": Timing(tell=60.0), "clock": clock, "sleep": clock.skip}
        return FleetRun(run, head, cluster, self.ledger, self.store, self.said.append, **(values | changes))

    def record_ids(self) -> list[str]:
        return [each.record_id for each in self.store.texts()]


@pytest.fixture
def fleet(location: str) -> Iterator[Fleet]:  # noqa: F811
    """On SQLite and on PostgreSQL."""
    with ExitStack() as held:
        yield Fleet(held.enter_context(open_ledger(location)), held.enter_context(open_store(location)))


@pytest.fixture
def scripted(make: Any) -> Callable[..., Scripted]:
    """A script of phones that answer with records."""
    template = make.benchmark(launches=1)
    return lambda **changes: Scripted(template, **changes)


@pytest.fixture
def simulated(scripted: Callable[..., Scripted]) -> Callable[..., SimulatedCluster]:
    """A cluster of phones on a clock that only waiting moves."""

    def build(count: int = 4, *, phones: list[FleetDevice] | None = None, script: Any = None, **changes: Any) -> Any:
        chosen = phones if phones is not None else [phone(number) for number in range(count)]
        return SimulatedCluster(chosen, script or scripted(), SimulatedClock(real=False), **changes)

    return build
