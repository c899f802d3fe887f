"""Heads: who carries runs out. One that was killed is noticed at once on its own computer, elsewhere by its silence."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pocketclip.benchmark.devices.leases import lease, lease_file
from pocketclip.benchmark.errors import DeviceBusyError
from pocketclip.benchmark.fleet.ledger import Ledger
from pocketclip.benchmark.platforms.host import host_facts, instance_id
from pocketclip.benchmark.records.benchmark import new_record_id


@dataclass(frozen=True)
class Head:
    """Who carries a run out: an id of its own, the machine it runs on, and both in words."""

    head_id: str
    machine: str
    words: str


@contextmanager
def living_head(ledger: Ledger) -> Iterator[Head]:
    """A head for as long as the block lasts; heads of this computer that have died lose their claims first.

    Raises:
        StoreError: the store cannot be written.
        StorageError: the cache cannot be written.
    """
    machine = host_facts("host").instance or instance_id(socket.gethostname())
    head = Head(new_record_id(), machine, f"process {os.getpid()} on {socket.gethostname()}"[:200])
    with lease(_key(head.head_id), name="this head"):
        try:
            dead = [each.head_id for each, _ in ledger.heads() if each.machine == machine and not _lives(each.head_id)]
            ledger.bury(dead, "its head was killed")
            yield head
        finally:
            lease_file(_key(head.head_id)).unlink(missing_ok=True)


def _lives(head_id: str) -> bool:
    try:
        with lease(_key(head_id), name="another head"):
            pass
    except DeviceBusyError:
        return True
    lease_file(_key(head_id)).unlink(missing_ok=True)
    return False


def _key(head_id: str) -> str:
    return f"fleet-head-{head_id}"
