"""Ways to a device: push, pull, execute. The host is a device too, reached by copying."""

from __future__ import annotations

from pocketclip.benchmark.transport.base import Execution, Transport
from pocketclip.benchmark.transport.local import LocalTransport

__all__ = ["Execution", "LocalTransport", "Transport"]
