"""Adds up the calls of each op."""

from __future__ import annotations

from dataclasses import dataclass

from pocketclip.benchmark.records.profile import OpTime


@dataclass
class _Sum:
    calls: int = 0
    total_ns: int = 0


class Tally:
    """Calls and time by node, in the order in which nodes were first met."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str, str | None], _Sum] = {}

    def add(self, name: str, op: str, delegate: str | None, elapsed_ns: int) -> None:
        """One call."""
        found = self._sums.setdefault((name, op, delegate), _Sum())
        found.calls += 1
        found.total_ns += elapsed_ns

    def ops(self) -> tuple[OpTime, ...]:
        """What was added up."""
        return tuple(
            OpTime(name, op, delegate, found.calls, found.total_ns)
            for (name, op, delegate), found in self._sums.items()
        )
