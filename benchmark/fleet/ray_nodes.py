"""Nodes that Ray connects: each call is a task that takes cores of one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pocketclip.benchmark.errors import FleetError
from pocketclip.benchmark.fleet.nodes import Call, Key
from pocketclip.models.errors import PocketClipError, WorkerEndedError, first_line

# A task whose node or process goes away is begun again so often.
_RETRIES = 2


@dataclass(frozen=True)
class RayNodes:
    """The nodes of a connected cluster."""

    ray: Any

    def run(self, calls: Sequence[Call[Key]], *, cores: int) -> Iterator[tuple[Key, Any]]:
        """See `Nodes`. Ray gives each task the cores that nobody else has just then."""
        most = max((int(node["Resources"].get("CPU", 0)) for node in self.ray.nodes() if node["Alive"]), default=0)
        if cores > most:
            raise FleetError(
                f"no node of the fleet has {cores} cores for this; the largest has {most}",
                fix="ask for fewer, or let hosts join with more --cores",
            )
        options = {"num_cpus": cores, "max_retries": _RETRIES, "scheduling_strategy": "SPREAD"}
        functions = {call.function: self.ray.remote(call.function).options(**options) for call in calls}
        keys: dict[Any, Key] = {functions[call.function].remote(*call.arguments): call.key for call in calls}
        try:
            while keys:
                ready, _ = self.ray.wait(list(keys), num_returns=1)
                for reference in ready:
                    yield keys.pop(reference), self._result(reference)
        finally:
            for reference in keys:
                self.ray.cancel(reference, force=True)

    def _result(self, reference: Any) -> Any:
        exceptions = self.ray.exceptions
        try:
            return self.ray.get(reference)
        except exceptions.RayTaskError as error:
            if isinstance(error.cause, PocketClipError):
                return error.cause
            raise
        except exceptions.RayError as error:
            return WorkerEndedError(
                f"the process that worked on it ended {_RETRIES + 1} times ({first_line(error)})",
                fix="look whether its node has enough memory",
            )
