"""Batches that several sources fill together, each a fixed part of every batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from pocketclip.models.data.batches import Batch, BatchSource
from pocketclip.models.data.left_out import LeftOut
from pocketclip.models.data.skips import MOST_NAMED, SkippedSample
from pocketclip.models.errors import DatasetError


class MixedBatches:
    """One batch from a batch of each source, in their order; equal captions and classes are equal across sources."""

    def __init__(self, sources: Sequence[BatchSource]) -> None:
        self._sources = tuple(sources)

    def next_batch(self) -> Batch:
        """The sources' next batches as one."""
        parts = [source.next_batch() for source in self._sources]
        return Batch(
            images=torch.cat([part.images for part in parts]),
            token_ids=torch.cat([part.token_ids for part in parts]),
            caption_ids=torch.cat([part.caption_ids for part in parts]),
            captions=tuple(caption for part in parts for caption in part.captions),
        )

    def state(self) -> dict[str, Any]:
        """Where each source goes on."""
        return {"parts": [source.state() for source in self._sources]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on where `state` was taken.

        Raises:
            DatasetError: the state belongs to other data.
        """
        parts = state.get("parts") if isinstance(state, Mapping) else None
        if not isinstance(parts, list) or len(parts) != len(self._sources):
            raise DatasetError(
                f"the stored position does not belong to a mixture of {len(self._sources)} sources",
                fix="resume with the run's own --data",
            )
        for source, part in zip(self._sources, parts, strict=True):
            source.restore(part)

    @property
    def skipped(self) -> Sequence[SkippedSample]:
        """The first skipped samples, of all sources."""
        return [sample for source in self._sources for sample in source.skipped][:MOST_NAMED]

    @property
    def skipped_count(self) -> int:
        """How many samples all sources skipped."""
        return sum(source.skipped_count for source in self._sources)

    @property
    def ignored_profiles(self) -> tuple[int, str | None]:
        """How many images have a colour profile that cannot be used, and the first with the reason."""
        found = [source.ignored_profiles for source in self._sources]
        return sum(count for count, _ in found), next((first for _, first in found if first is not None), None)

    @property
    def left_out(self) -> Mapping[str, Sequence[LeftOut]]:
        """What was passed over, by shard."""
        return {shard: entries for source in self._sources for shard, entries in source.left_out.items()}

    def close(self) -> None:
        """Ends the sources' worker processes."""
        for source in self._sources:
            source.close()
