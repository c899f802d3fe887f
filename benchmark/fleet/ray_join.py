"""A host's part of a fleet from beginning to end: Ray's node, the actor that announces its devices, and the wait."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable

from pocketclip.benchmark.errors import FleetLostError
from pocketclip.benchmark.fleet.host import HostSide
from pocketclip.benchmark.fleet.ray_host import host_resource, served, unit_resource
from pocketclip.benchmark.fleet.ray_node import ray_node
from pocketclip.benchmark.fleet.ray_setup import Address, Pulse, import_ray, joined_ray, listening, make_token, probe

_LOOK_SECONDS = 1.0


def serve_host(
    address: Address,
    side: HostSide,
    *,
    head: bool,
    cores: int,
    say: Callable[[str], object],
    on_ready: Callable[[str], object],
    temporary: str | None = None,
) -> None:
    """Announces a host's devices in a cluster until this process is interrupted.

    Args:
        address: where to listen (`head`), or the cluster to join.
        side: the host's own part.
        head: whether it starts the cluster.
        cores: what exports and trainings may take here.
        say: told in words what goes on.
        on_ready: told in words when all is there.
        temporary: as for `ray_node`.

    Raises:
        FleetUnreachableError: the cluster cannot be reached.
        FleetLostError: it has ended, or lost this host.
        FleetLoginError, FleetVersionError: it does not let this host in.
    """
    import_ray(open_to_network=True)
    if head:
        address = listening(address)
        make_token()
    else:
        probe(address)
    devices = side.announce()
    identity = os.urandom(8).hex()
    own = host_resource(identity)
    units = [unit_resource(each.key) for each in devices]
    resources: dict[str, float] = dict.fromkeys([own, *units], 1.0)
    with (
        ray_node(address, head=head, cores=cores, resources=resources, temporary=temporary) as node,
        joined_ray(address) as ray,
        served(ray, side, cores=cores, resources=tuple(resources), node=own) as actor,
    ):
        ray.get(actor.announce.remote(), timeout=60)
        names = ", ".join(f"{each.name}/{each.key[:8]}" for each in devices) or "no device yet"
        on_ready(f"{side.name} is in the fleet at ray://{address} with {names}")
        _wait_for_end(node, address, Pulse(str(ray.get_runtime_context().gcs_address)))


def _wait_for_end(node: subprocess.Popen[str], address: Address, pulse: Pulse) -> None:
    while node.poll() is None:
        time.sleep(_LOOK_SECONDS)
        pulse.beats()
    raise FleetLostError(f"the fleet at {address} has ended, or lost this host", fix="join it again once it is back")
