"""Ray's processes of one host: a node that starts a cluster or joins one, and ends with the program that began it.

`python -m pocketclip.benchmark.fleet.ray_node start ...` is Ray's own `ray start`, which ends with its parent.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pocketclip.benchmark.errors import FleetUnreachableError, FleetVersionError
from pocketclip.benchmark.fleet.ray_setup import HEALTH_CHECKS, Address, ray_environment
from pocketclip.models.processes import watch_parent
from pocketclip.models.untrusted.printable import printable_line

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_READY = "Ray runtime started"


@contextmanager
def ray_node(
    address: Address,
    *,
    head: bool,
    cores: int,
    resources: Mapping[str, float],
    memory_bytes: int = 256 << 20,
    temporary: str | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Ray's processes on this computer, for as long as the block lasts.

    Args:
        address: where the head listens (`head`), or of the cluster to join.
        head: whether it starts a cluster.
        cores: what exports and trainings may take here.
        resources: custom resources of the node.
        memory_bytes: of what travels between hosts.
        temporary: the folder of Ray's logs and sockets; only a head chooses it.

    Raises:
        FleetUnreachableError: it does not start.
        FleetVersionError: the cluster has other versions.
    """
    words = [sys.executable, "-m", "pocketclip.benchmark.fleet.ray_node", "start", "--block", "--log-style=record"]
    words += [f"--num-cpus={cores}", "--num-gpus=0", f"--object-store-memory={memory_bytes}"]
    words += [f"--resources={json.dumps(dict(resources))}", "--disable-usage-stats"]
    if head:
        words += ["--head", f"--node-ip-address={address.host}", f"--port={address.port}", "--include-dashboard=false"]
        # Of Ray's client for computers outside, which no part of a fleet uses: any port that is free.
        words += [f"--ray-client-server-port={_free_port()}", f"--system-config={json.dumps(HEALTH_CHECKS)}"]
        words += [] if temporary is None else [f"--temp-dir={temporary}"]
    else:
        words.append(f"--address={address}")
    environment = os.environ | ray_environment(open_to_network=True)
    # A session of its own: Ctrl-C is for the program that joined, which ends the node in order.
    child = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
        start_new_session=True,
    )
    try:
        _await_start(child, address)
        yield child
    finally:
        _stop(child)


def _await_start(child: subprocess.Popen[str], address: Address) -> None:
    assert child.stdout is not None
    said: list[str] = []
    deadline = time.monotonic() + _START_SECONDS
    for line in child.stdout:
        said.append(line.strip())
        if _READY in line:
            return
        if time.monotonic() > deadline:
            break
    text, last = " ".join(said), next(filter(None, reversed(said)), "it says nothing")
    if "Version mismatch" in text:
        raise FleetVersionError(
            f"the fleet at {address} has other versions than this computer: {printable_line(text[-600:])}",
            fix="install the same versions on all hosts",
        )
    raise FleetUnreachableError(
        f"Ray does not start on this computer: {printable_line(last[-600:])}", fix="see its logs in /tmp/ray"
    )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        return free.getsockname()[1]


def _stop(child: subprocess.Popen[str]) -> None:
    """Ends a node, all of its processes."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
    try:
        child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
    if child.stdout is not None:
        child.stdout.close()


def main() -> None:
    """`ray`, which ends with its parent."""
    # SIGTERM lets Ray end what it started.
    watch_parent(os.getppid(), grace_s=_STOP_SECONDS)
    from ray.scripts.scripts import main as ray_main

    ray_main()


if __name__ == "__main__":
    main()
