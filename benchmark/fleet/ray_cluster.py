"""A fleet that Ray connects: hosts are actors, jobs are tasks that are bound to a host and to a device's resource."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pocketclip.benchmark.errors import FleetAnswerError, FleetError
from pocketclip.benchmark.fleet.cluster import Answered, Event, Examined, FleetDevice, Lost
from pocketclip.benchmark.fleet.host import Order
from pocketclip.benchmark.fleet.jobs import Job
from pocketclip.benchmark.fleet.parcels import Parcel, parcel_key
from pocketclip.benchmark.fleet.ray_host import (
    ACTOR_PREFIX,
    Announcement,
    examine_task,
    measure_task,
    unit_resource,
)
from pocketclip.benchmark.fleet.ray_setup import NAMESPACE, Pulse
from pocketclip.benchmark.records.benchmark import BENCHMARK_SCHEMA_VERSION
from pocketclip.models import documents
from pocketclip.models.errors import first_line

# A host that says nothing for so long is gone, whatever Ray thinks of it.
_SILENT_SECONDS = 60.0
_FIRST_SECONDS = 30.0
_KILL_SECONDS = 5.0
_MOST_BYTES = 16 << 20


@dataclass
class _Host:
    """A host as it announced itself last; `asked` is the question that it has not answered yet."""

    actor: Any
    side: Any
    asked: Any | None = None
    heard_at: float = 0.0
    told: Announcement | None = None
    devices: tuple[FleetDevice, ...] = ()


@dataclass
class _Task:
    event: Callable[[str], Event]
    lost: Callable[[str, bool], Event]
    host: _Host | None = None


@dataclass
class RayCluster:
    """The hosts that are in a cluster now. `parcels` give the files of an artefact by its hash."""

    ray: Any
    parcels: Callable[[str], Parcel]
    say: Callable[[str], object]
    clock: Callable[[], float] = time.monotonic
    _pulse: Pulse = field(init=False)
    _hosts: dict[str, _Host] = field(default_factory=dict[str, _Host])
    _where: dict[str, _Host] = field(default_factory=dict[str, _Host])
    _functions: dict[Callable[..., str], Any] = field(default_factory=dict[Callable[..., str], Any])
    _tasks: dict[Any, _Task] = field(default_factory=dict[Any, _Task])
    # By an artefact's hash: its parcel's key and Ray's reference to it.
    _sent: dict[str, tuple[str, Any]] = field(default_factory=dict[str, tuple[str, Any]])

    def __post_init__(self) -> None:
        self._pulse = Pulse(self.ray.get_runtime_context().gcs_address, self.clock)

    def devices(self) -> Sequence[FleetDevice]:
        """What hosts announce; a device that two of them have is the first one's.

        None while the computer that started the fleet does not answer.
        """
        if not self._pulse.beats():
            return []
        self._find_hosts()
        self._ask()
        self._where = {}
        found: dict[str, FleetDevice] = {}
        for name in sorted(self._hosts):
            host = self._hosts[name]
            for device in host.devices:
                if device.key not in found:
                    found[device.key] = device
                    self._where[device.key] = host
        return list(found.values())

    def start(self, job: Job, device: FleetDevice) -> None:
        """Gives a job to its device's host."""
        host = self._where.get(device.key)
        key, reference = self._parcel(job.work.artifact_sha256)
        order = json.dumps(documents.to_builtin(Order(job.job_id, device.key, key, job.work)))
        # The reference in a list is fetched only by a host that lacks the files.
        self._begin(
            host,
            device,
            measure_task,
            (order, [reference]),
            _Task(
                lambda text: Answered(job.job_id, device.key, text),
                lambda reason, gone: Lost(job.job_id, device.key, reason, gone),
            ),
        )

    def examine(self, device: FleetDevice) -> None:
        """Has a device examined on its host."""
        self._begin(
            self._where.get(device.key),
            device,
            examine_task,
            (device.key,),
            _Task(lambda text: Examined(device.key, text), lambda reason, gone: Examined(device.key, None)),
        )

    def wait(self, seconds: float) -> Sequence[Event]:
        """What ended."""
        if not self._tasks:
            time.sleep(seconds)
            return []
        references = list(self._tasks)
        try:
            ready, _ = self.ray.wait(references, num_returns=1, timeout=seconds, fetch_local=True)
            if ready and len(references) > 1:
                ready, _ = self.ray.wait(references, num_returns=len(references), timeout=0, fetch_local=True)
        except Exception as error:
            raise FleetError(f"the fleet is gone: {first_line(error)}", fix="the same command goes on") from error
        return [self._ended(reference) for reference in ready]

    def close(self) -> None:
        """Ends the tasks that still run."""
        if self._pulse.lost:
            # Ray would wait for it.
            return
        for reference in self._tasks:
            try:
                self.ray.cancel(reference, force=True)
            except Exception:
                # It has ended, or its host has.
                continue
        self._tasks.clear()

    def _begin(
        self,
        host: _Host | None,
        device: FleetDevice,
        function: Callable[..., str],
        values: tuple[Any, ...],
        task: _Task,
    ) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        # What is begun while the head node is silent would wait for it, and Ray then ends this process.
        told = host.told if host is not None and self._pulse.beats() else None
        if host is None or told is None:
            # Nothing of Ray's: its answer is that there is no host.
            reference = self.ray.put(None)
            self._tasks[reference] = replace(task, event=lambda _: task.lost(f"{device.host} is not there", True))
            return
        # What was plugged in after its host joined has no resource of its own: Ray fixes them when a node starts. The
        # host's own lease keeps two jobs apart there, as it does between a fleet and a `bench` beside it.
        unit = unit_resource(device.key)
        options: dict[str, Any] = {"num_cpus": told.cores if device.whole_host else 0, "max_retries": 0}
        if unit in told.resources:
            options["resources"] = {unit: 1}
        if function not in self._functions:
            # Ray sends a function to its head node once for each time that it is made remote.
            self._functions[function] = self.ray.remote(function)
        remote = self._functions[function].options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(told.node_id, soft=False), **options
        )
        self._tasks[remote.remote(host.side, *values)] = replace(task, host=host)

    def _ended(self, reference: Any) -> Event:
        task = self._tasks.pop(reference)
        exceptions = self.ray.exceptions
        try:
            return task.event(self.ray.get(reference))
        except (exceptions.NodeDiedError, exceptions.TaskUnschedulableError, exceptions.ActorDiedError) as error:
            if task.host is not None:
                # Until it announces them again: Ray may list its actor a while longer.
                task.host.devices = ()
            return task.lost(f"its host went away ({type(error).__name__})", True)
        except (exceptions.RayError, OSError) as error:
            cause = first_line(getattr(error, "cause", None) or error)
            return task.lost(f"the process that measured ended ({type(error).__name__}: {cause})", False)

    def _parcel(self, artifact_sha256: str) -> tuple[str, Any]:
        if artifact_sha256 not in self._sent:
            parcel = self.parcels(artifact_sha256)
            self._sent[artifact_sha256] = parcel_key(parcel), self.ray.put(dict(parcel))
        return self._sent[artifact_sha256]

    def _find_hosts(self) -> None:
        try:
            listed = self.ray.util.list_named_actors(all_namespaces=True)
        except Exception as error:
            raise FleetError(f"the fleet is gone: {first_line(error)}", fix="the same command goes on") from error
        names = {each["name"] for each in listed if each["namespace"] == NAMESPACE}
        names = {name for name in names if name.startswith(ACTOR_PREFIX)}
        for name in names - self._hosts.keys():
            try:
                actor = self.ray.get_actor(name, namespace=NAMESPACE)
                self._hosts[name] = _Host(actor, actor.side.remote(), heard_at=self.clock())
            except ValueError:
                # It has just left.
                continue
        for name in self._hosts.keys() - names:
            del self._hosts[name]

    def _ask(self) -> None:
        """Asks those hosts that owe no answer, and takes what is there; a new host is waited for a while."""
        for host in self._hosts.values():
            if host.asked is None:
                host.asked = host.actor.announce.remote()
        fresh = [host.asked for host in self._hosts.values()]
        # Only at the beginning: later on, jobs of other hosts would wait for a slow one.
        if fresh and all(host.told is None for host in self._hosts.values()):
            self.ray.wait(fresh, num_returns=len(fresh), timeout=_FIRST_SECONDS)
        asked = [host.asked for host in self._hosts.values()]
        if not asked:
            return
        ready = set(self.ray.wait(asked, num_returns=len(asked), timeout=0.2)[0])
        for name, host in list(self._hosts.items()):
            if host.asked in ready:
                self._hear(name, host)
            elif self.clock() - host.heard_at > _SILENT_SECONDS:
                host.devices = ()

    def _hear(self, name: str, host: _Host) -> None:
        reference, host.asked = host.asked, None
        try:
            told = documents.parse(
                Announcement,
                self.ray.get(reference),
                source=f"what host {name} announces",
                error=FleetAnswerError,
                most_bytes=_MOST_BYTES,
            )
        except FleetAnswerError as error:
            self.say(str(error))
            host.devices = ()
            return
        except (self.ray.exceptions.RayError, OSError, TypeError) as error:
            self.say(f"a host went away: {first_line(error)}")
            del self._hosts[name]
            return
        host.told, host.heard_at = told, self.clock()
        host.devices = tuple(_placed(device, told) for device in told.devices)


def _placed(device: FleetDevice, told: Announcement) -> FleetDevice:
    """A device with what the head itself knows of its host."""
    obstacle = device.obstacle
    if told.schema_version != BENCHMARK_SCHEMA_VERSION:
        obstacle = (
            f"{told.host} has PocketCLIP {told.version}, whose records are of schema {told.schema_version}, "
            f"not {BENCHMARK_SCHEMA_VERSION}: install the same version on all hosts"
        )[:200]
    return replace(device, host=told.host, obstacle=obstacle, clock_ahead_seconds=told.unix_seconds - time.time())
