"""How long the rest of a run takes, from how long its jobs took so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from pocketclip.benchmark.fleet.history import Duration


class Estimate:
    """What jobs took, by target and label. Where none of a kind has ended, the nearest kind stands for it."""

    def __init__(self, durations: Iterable[Duration] = ()) -> None:
        self._sums: dict[tuple[str, str], tuple[float, int]] = {}
        for each in durations:
            self._add(each.target, each.label, each.seconds * each.count, each.count)

    def took(self, target: str, label: str, seconds: float) -> None:
        """One more job ended."""
        self._add(target, label, seconds, 1)

    def seconds(self, target: str, label: str) -> float | None:
        """What one job takes: of its own kind, else of its target, else of all; None where none has ended."""
        for fits in (
            lambda key: key == (target, label),
            lambda key: key[0] == target,
            lambda key: True,
        ):
            chosen = [self._sums[key] for key in self._sums if fits(key)]
            if chosen:
                return sum(total for total, _ in chosen) / sum(count for _, count in chosen)
        return None

    def left_seconds(self, queues: Iterable[tuple[str, str, int]], units: Mapping[str, int]) -> float | None:
        """Until the longest queue is empty; None where nobody can tell: no job has ended, or a queue has no device.

        Args:
            queues: targets, labels and how many jobs wait for or run on them.
            units: how many devices a target has.
        """
        totals: defaultdict[str, float] = defaultdict(float)
        for target, label, count in queues:
            each = self.seconds(target, label)
            if each is None or not units.get(target):
                return None
            totals[target] += each * count
        return max((total / units[target] for target, total in totals.items()), default=0.0)

    def _add(self, target: str, label: str, total: float, count: int) -> None:
        known, before = self._sums.get((target, label), (0.0, 0))
        self._sums[target, label] = known + total, before + count
