"""A host in a Ray cluster: an actor that announces its devices, and the tasks that measure on them.

Actor and tasks are Ray's processes on the host. The actor lives as long as the program that joined; a task belongs to
the head that gave the job, and ends with it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from annotated_types import Ge, Le, MaxLen

from pocketclip.benchmark.errors import FleetLostError
from pocketclip.benchmark.fleet.cluster import FleetDevice
from pocketclip.benchmark.fleet.host import HostSide
from pocketclip.benchmark.records.benchmark import BENCHMARK_SCHEMA_VERSION
from pocketclip.benchmark.records.fields import Name
from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.terminal.version import tool_version
from pocketclip.models.untrusted.names import PlainName
from pocketclip.models.untrusted.numbers import Count

ACTOR_PREFIX = "host-"


@document
class Announcement:
    """What a host says of itself. `resources` are the names of Ray's custom resources that its node has."""

    host: Name
    node_id: PlainName
    version: Name
    schema_version: Count
    unix_seconds: float
    resources: Annotated[tuple[Name, ...], MaxLen(10_000)]
    cores: Annotated[int, Ge(0), Le(100_000)]
    devices: Annotated[tuple[FleetDevice, ...], MaxLen(10_000)]


def unit_resource(key: str) -> str:
    """Ray's custom resource of a device, one of it: no two jobs can have it."""
    return f"pocketclip-unit-{key}"


def host_resource(identity: str) -> str:
    """Ray's custom resource of a host."""
    return f"pocketclip-host-{identity}"


class HostActor:
    """Announces what is attached, also what is plugged in after the host joined."""

    def __init__(self, side: HostSide, resources: tuple[str, ...], cores: int) -> None:
        self._side = side
        self._resources = resources
        self._cores = cores

    def announce(self) -> str:
        """An `Announcement`."""
        import ray

        return json.dumps(
            documents.to_builtin(
                Announcement(
                    host=self._side.name,
                    node_id=ray.get_runtime_context().get_node_id(),
                    version=tool_version(),
                    schema_version=BENCHMARK_SCHEMA_VERSION,
                    unix_seconds=time.time(),
                    resources=self._resources,
                    cores=self._cores,
                    devices=tuple(self._side.announce()),
                )
            )
        )

    def side(self) -> HostSide:
        """The host's own part, for the tasks on it."""
        return self._side


def measure_task(side: HostSide, order: str, parcel: list[Any]) -> str:
    """Measures; the parcel is a reference in a list, so that its bytes travel only where they are missing."""
    import ray

    return side.measure(order, lambda: ray.get(parcel[0]))


def examine_task(side: HostSide, key: str) -> str:
    """Examines a device."""
    return side.examine(key)


@contextmanager
def served(
    ray: Any, side: HostSide, *, cores: int, resources: tuple[str, ...] = (), node: str | None = None
) -> Iterator[Any]:
    """Announces a host for as long as the block lasts.

    Args:
        ray: Ray, connected.
        side: the host's own part.
        cores: of the host, as Ray counts them.
        resources: the custom resources of the host's node.
        node: the one of these that only this node has, where there are several.
    """
    name = f"{ACTOR_PREFIX}{os.urandom(8).hex()}"
    on = {} if node is None else {node: 0.001}
    actor = ray.remote(HostActor).options(name=name, num_cpus=0, resources=on, max_concurrency=4)
    handle = actor.remote(side, resources, cores)
    try:
        yield handle
    except FleetLostError:
        # It is gone with the fleet, and Ray would wait for that.
        raise
    except BaseException:
        ray.kill(handle)
        raise
    ray.kill(handle)
