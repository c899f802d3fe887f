"""Batches of a shard or table source: ordered here, decoded by worker processes, equal for any number of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from pocketclip.models.data.batches import Batch, TeacherEmbeddings, caption_id
from pocketclip.models.data.decoding import CorruptSample, DecodedSample, ReinforcedPart, SampleDecoder
from pocketclip.models.data.indexes import SampleIndex
from pocketclip.models.data.left_out import LeftOut
from pocketclip.models.data.order import Cursor, SampleOrder, cursor_from_state
from pocketclip.models.data.references import SampleReference
from pocketclip.models.data.skips import SkipLog, SkippedSample
from pocketclip.models.errors import ConfigError, DatasetError
from pocketclip.models.pixels.preprocess import PreprocessSpec, normalize
from pocketclip.models.processes import end_with_parent

# Several samples travel between processes at once; their order does not depend on how many.
_CHUNK = 8

Ordered = tuple[Cursor, SampleReference]
Decoded = tuple[Cursor, DecodedSample | CorruptSample]


class _Decoding(Dataset[Decoded]):
    """The decoder in the form that `DataLoader` takes; an "index" is a cursor and a reference."""

    def __init__(self, decoder: SampleDecoder) -> None:
        self._decoder = decoder

    def __getitem__(self, index: Ordered) -> Decoded:
        cursor, reference = index
        return cursor, self._decoder(cursor, reference)


class StreamBatches:
    """A `BatchSource` over the samples of an index."""

    def __init__(
        self,
        index: SampleIndex,
        order: SampleOrder,
        decoder: SampleDecoder,
        log: SkipLog,
        *,
        batch_size: int,
        workers: int,
    ) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {batch_size}")
        if workers < 0:
            raise ConfigError(f"the number of data workers must be 0 or more, got {workers}")
        self._index, self._order, self._decoder, self._log = index, order, decoder, log
        self._batch_size, self._workers = batch_size, workers
        self._cursor = Cursor()
        self._samples: Iterator[Decoded] | None = None

    def next_batch(self) -> Batch:
        """The next batch; corrupt samples are left out and replaced by those that follow.

        Raises:
            DatasetError: too many samples cannot be used, the source has none, or a worker process ended.
        """
        try:
            return self._next_batch()
        except RuntimeError as error:
            # torch's words for a worker that the system ended; its handler may raise them anywhere in here.
            if "DataLoader worker" not in str(error):
                raise
            raise DatasetError(
                f"a data worker ended unexpectedly ({str(error).splitlines()[0]}); if memory ran out, use fewer workers"
            ) from error

    def state(self) -> dict[str, Any]:
        """The cursor behind the last batch, what was skipped, and which order it belongs to."""
        return {"order": self._order.identity, "cursor": list(self._cursor), "skips": self._log.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on behind the batch after which `state` was taken."""
        if not isinstance(state, Mapping) or not {"order", "cursor", "skips"} <= state.keys():
            raise DatasetError("the stored position does not belong to shards or a table")
        if state["order"] != self._order.identity:
            raise DatasetError(
                "the stored position belongs to other data, another seed or another number of processes",
                fix="use the run's --data, --seed and number of processes",
            )
        self.close()
        self._cursor = cursor_from_state(state["cursor"])
        self._log.restore(state["skips"])

    @property
    def skipped(self) -> Sequence[SkippedSample]:
        """The first skipped samples."""
        return self._log.first

    @property
    def skipped_count(self) -> int:
        """How many samples were skipped."""
        return self._log.count

    @property
    def ignored_profiles(self) -> tuple[int, str | None]:
        """How many images have a colour profile that cannot be used, and the first with the reason."""
        return self._log.ignored_profiles, self._log.first_ignored_profile

    @property
    def left_out(self) -> Mapping[str, Sequence[LeftOut]]:
        """What was passed over in the shards read so far, by shard."""
        return {self._index.shards[shard]: entries for shard, entries in self._index.left_out.items()}

    def close(self) -> None:
        """Ends workers and transfers; the next batch starts them again."""
        # Dropping the iterator is how a DataLoader is told to end its workers.
        self._samples = None
        self._index.close()

    def _decode_from(self, start: Cursor) -> Iterator[Decoded]:
        loader = DataLoader(
            _Decoding(self._decoder),
            batch_sampler=_chunks(self._order.walk(start)),  # pyright: ignore[reportArgumentType]
            num_workers=self._workers,
            collate_fn=list,
            worker_init_fn=end_with_parent,
        )
        return itertools.chain.from_iterable(loader)

    def _next_batch(self) -> Batch:
        if self._samples is None:
            self._samples = self._decode_from(self._cursor)
        chosen: list[DecodedSample] = []
        while len(chosen) < self._batch_size:
            self._cursor, sample = next(self._samples)
            if isinstance(sample, CorruptSample):
                epoch = self._cursor.epoch if sample.whole_shard else None
                self._log.skip(sample.skipped, broken_shard_of_epoch=epoch)
            else:
                self._log.used()
                # Once a sample: each comes once an epoch.
                if sample.ignored_profile is not None and self._cursor.epoch == 0:
                    self._log.ignored_profile(sample.ignored_profile)
                chosen.append(sample)
        return assemble(chosen, self._decoder.preprocess)


def assemble(samples: Sequence[DecodedSample], preprocess: PreprocessSpec) -> Batch:
    """Decoded samples as a batch."""
    captions = [sample.caption for sample in samples]
    parts = [sample.reinforced for sample in samples if sample.reinforced is not None]
    return Batch(
        images=torch.from_numpy(normalize(np.stack([sample.pixels for sample in samples]), preprocess)),
        token_ids=_stack([sample.token_ids for sample in samples]),
        caption_ids=_ids(captions, samples),
        synthetic_token_ids=_stack([part.synthetic_token_ids for part in parts]) if parts else None,
        synthetic_caption_ids=_ids([part.synthetic_caption for part in parts], samples) if parts else None,
        teachers=_teachers(parts) if parts else None,
        captions=tuple(captions),
    )


def _teachers(parts: Sequence[ReinforcedPart]) -> TeacherEmbeddings:
    return TeacherEmbeddings(
        image=_stack([part.image for part in parts]),
        text=_stack([part.text for part in parts]),
        synthetic_text=_stack([part.synthetic_text for part in parts]),
    )


def _stack(rows: Sequence[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(rows))


def _ids(captions: Sequence[str], samples: Sequence[DecodedSample]) -> torch.Tensor:
    pairs = zip(captions, samples, strict=True)
    return torch.tensor([caption_id(caption, sample.label) for caption, sample in pairs], dtype=torch.int64)


def _chunks(samples: Iterator[Ordered]) -> Iterator[list[Ordered]]:
    while chunk := list(itertools.islice(samples, _CHUNK)):
        yield chunk
