"""Corrupt samples: skipped, counted, named, and bounded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from pocketclip.models.errors import ConfigError, DatasetError, ModelsError
from pocketclip.models.untrusted.printable import printable_line

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
        max_share: the share of skipped samples, in 0 to 1, from which on the data count as broken; judged once
            `LEAST_SEEN` samples were seen, with room for chance. Shards that cannot be read are held to the same share
            of all shards in each epoch, where one is always allowed.
        shards: how many shards an epoch has.
        on_skip: told of every skipped sample.
    """

    def __init__(
        self, max_share: float, *, shards: int = 1, on_skip: Callable[[SkippedSample], object] | None = None
    ) -> None:
        if not 0 <= max_share <= 1:
            raise ConfigError(f"the share of samples that may be skipped must lie between 0 and 1, got {max_share}")
        self._max_share, self._shards, self._on_skip = max_share, shards, on_skip
        # The epoch, and how many of its shards were skipped so far.
        self._broken_shards = (0, 0)
        self.seen = 0
        self.count = 0
        self._first: list[SkippedSample] = []
        self.ignored_profiles = 0
        self.first_ignored_profile: str | None = None

    @property
    def first(self) -> Sequence[SkippedSample]:
        """The first skipped samples, at most `MOST_NAMED`."""
        return tuple(self._first)

    def used(self) -> None:
        """Notes a sample that could be used."""
        self.seen += 1
        self._judge()

    def skip(self, sample: SkippedSample, *, broken_shard_of_epoch: int | None = None) -> None:
        """Notes a skipped sample, which stands for a whole shard where its epoch is given.

        Raises:
            DatasetError: more than the allowed share was skipped.
        """
        self.seen += 1
        self.count += 1
        if len(self._first) < MOST_NAMED:
            self._first.append(sample)
        if self._on_skip is not None:
            self._on_skip(sample)
        if broken_shard_of_epoch is not None:
            self._judge_shards(broken_shard_of_epoch)
        self._judge()

    def ignored_profile(self, sample: str) -> None:
        """Notes an image that was used although its colour profile cannot be; `sample` names it with the reason."""
        self.ignored_profiles += 1
        self.first_ignored_profile = self.first_ignored_profile or printable_line(sample)

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as JSON values."""
        return {
            "seen": self.seen,
            "count": self.count,
            "broken_shards": list(self._broken_shards),
            "first": [[sample.name, sample.reason] for sample in self._first],
            "ignored_profiles": [self.ignored_profiles, self.first_ignored_profile],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes back to an earlier `state`."""
        self.seen, self.count = int(state["seen"]), int(state["count"])
        epoch, broken = state["broken_shards"]
        self._broken_shards = (int(epoch), int(broken))
        self._first = [SkippedSample(str(name), str(reason)) for name, reason in state["first"]]
        # Older states hold none.
        count, first = state.get("ignored_profiles", (0, None))
        self.ignored_profiles, self.first_ignored_profile = int(count), first

    def _judge_shards(self, epoch: int) -> None:
        earlier, broken = self._broken_shards
        broken = broken + 1 if earlier == epoch else 1
        self._broken_shards = (epoch, broken)
        if broken > max(1, self._max_share * self._shards):
            self._stop(f"{broken} of {self._shards} shards")

    def _judge(self) -> None:
        share, seen = self._max_share, self.seen
        # Three standard deviations above: data within the share must not stop a run by an unlucky start.
        bound = share * seen + 3 * math.sqrt(share * (1 - share) * seen)
        if seen >= LEAST_SEEN and self.count > bound:
            self._stop(f"{self.count} of {self.seen} samples")

    def _stop(self, what: str) -> NoReturn:
        named = "; ".join(map(str, self._first[:3]))
        raise DatasetError(
            f"{what} cannot be used, more than the allowed share of {self._max_share:.0%} (first: {named})",
            fix="repair or leave out these files, or allow a larger share (--max-skipped)",
        )


def reason_of(error: Exception) -> str:
    """Why a sample cannot be used, in one line; errors that are not ours with their class."""
    words = printable_line((str(error).splitlines() or [""])[0])
    if isinstance(error, ModelsError):
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
