"""Corrupt samples: skipped, counted, named, and bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.errors import ConfigError, DatasetError

MOST_NAMED = 20
LEAST_SEEN = 20


@dataclass(frozen=True)
class SkippedSample:
    """A sample or shard that could not be used: where it is (shard and key, file, or row) and what is wrong."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class SkipLog:
    """Counts what was seen and what was skipped, keeps the first names, and says when it is too much.

    Args:
        max_share: the share of skipped samples from which on the data count as broken, in 0 to 1; judged once
            `LEAST_SEEN` samples were seen.
        on_skip: told of every skipped sample.
    """

    def __init__(self, max_share: float, on_skip: Callable[[SkippedSample], object] | None = None) -> None:
        if not 0 <= max_share <= 1:
            raise ConfigError(f"the share of samples that may be skipped must lie in 0 to 1, got {max_share}")
        self._max_share, self._on_skip = max_share, on_skip
        self.seen = 0
        self.count = 0
        self._first: list[SkippedSample] = []

    @property
    def first(self) -> Sequence[SkippedSample]:
        """The first skipped samples, at most `MOST_NAMED`."""
        return tuple(self._first)

    def used(self) -> None:
        """Notes a sample that could be used."""
        self.seen += 1
        self._judge()

    def skip(self, sample: SkippedSample) -> None:
        """Notes a skipped sample.

        Raises:
            DatasetError: more than the allowed share was skipped.
        """
        self.seen += 1
        self.count += 1
        if len(self._first) < MOST_NAMED:
            self._first.append(sample)
        if self._on_skip is not None:
            self._on_skip(sample)
        self._judge()

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as JSON values."""
        return {
            "seen": self.seen,
            "count": self.count,
            "first": [[sample.name, sample.reason] for sample in self._first],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes back to an earlier `state`."""
        self.seen, self.count = int(state["seen"]), int(state["count"])
        self._first = [SkippedSample(str(name), str(reason)) for name, reason in state["first"]]

    def _judge(self) -> None:
        if self.seen < LEAST_SEEN or self.count <= self._max_share * self.seen:
            return
        named = "; ".join(map(str, self._first[:3]))
        raise DatasetError(
            f"{self.count} of {self.seen} samples cannot be used, more than the allowed share of "
            f"{self._max_share:.0%} (first: {named}); repair or leave out these files, "
            "or allow a larger share (--max-skipped)"
        )
