"""Batches as the trainer takes them, and what every source of batches promises."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from models.data.left_out import LeftOut
from models.data.skips import SkippedSample
from models.errors import DatasetError

if TYPE_CHECKING:
    from models.config import AnyConfig
    from models.data.source import DataSource


@dataclass(frozen=True)
class TeacherEmbeddings:
    """Stored teacher embeddings of a batch, each `(N, sum of teacher dims)` float32.

    The slices of the teachers lie side by side; a loss normalises each slice on its own.
    """

    image: Tensor
    text: Tensor
    synthetic_text: Tensor


@dataclass(frozen=True)
class Batch:
    """One batch of image-caption pairs.

    Attributes:
        images: `(N, 3, S, S)` float32, normalised as the student's `PreprocessSpec` says.
        token_ids: `(N, T)` int32.
        caption_ids: `(N,)` int64, equal for equal captions (see `caption_id`).
        synthetic_token_ids, synthetic_caption_ids: the same of one synthetic caption each; None in plain data.
        teachers: the embeddings that belong to exactly these images and captions; None in plain data.
        captions: the N real captions as text, for teachers with a tokenizer of their own.
    """

    images: Tensor
    token_ids: Tensor
    caption_ids: Tensor
    synthetic_token_ids: Tensor | None = None
    synthetic_caption_ids: Tensor | None = None
    teachers: TeacherEmbeddings | None = None
    captions: tuple[str, ...] = ()


class BatchSource(Protocol):
    """An endless sequence of batches, the same ones whenever it is read, with a cursor."""

    def next_batch(self) -> Batch:
        """The next batch, always full.

        Raises:
            DatasetError: too many samples cannot be used, or the source holds none.
        """
        ...

    def state(self) -> dict[str, Any]:
        """The position behind the last batch, as a few JSON values."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes to the position of a `state`: the next batch is the one that followed it.

        Raises:
            DatasetError: the state belongs to other data, another seed or another division among processes.
        """
        ...

    @property
    def skipped(self) -> Sequence[SkippedSample]:
        """The first of the samples that were skipped, with reasons."""
        ...

    @property
    def skipped_count(self) -> int:
        """How many samples were skipped."""
        ...

    @property
    def ignored_profiles(self) -> tuple[int, str | None]:
        """How many images have a colour profile that cannot be used (taken as sRGB), and the first with the reason."""
        ...

    @property
    def left_out(self) -> Mapping[str, Sequence[LeftOut]]:
        """What was passed over in what was read so far, by shard: members and files that are no samples."""
        ...

    def close(self) -> None:
        """Ends worker processes."""
        ...


def caption_id(caption: str) -> int:
    """A number in 0 to 2**63 - 1 that is equal for equal captions: the first 8 bytes of the sha256."""
    return int.from_bytes(hashlib.sha256(caption.encode()).digest()[:8], "big") >> 1


def open_batches(
    source: DataSource | str,
    *,
    config: AnyConfig,
    batch_size: int,
    seed: int,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
    reinforced: bool = False,
    teacher_dims: Sequence[int] | None = None,
    crop_scale: tuple[float, float] = (0.9, 1.0),
    max_skipped_share: float = 0.05,
    on_skip: Callable[[SkippedSample], object] | None = None,
    cache: Path | None = None,
) -> BatchSource:
    """The batches of shards, a table or a folder, the same ones for any number of workers.

    Args:
        source: as `models.data.source.parse_source` reads it; scenes are not served here.
        config: the student: its preprocessing, its tokenizer.
        batch_size: samples per batch of this process.
        seed: decides the order and all that is drawn.
        rank, world: this process's number among all that share the data.
        workers: processes that decode; 0 decodes in this one.
        reinforced: serve stored augmentations, synthetic captions and teacher embeddings, too.
        teacher_dims: widths of the teachers' slices; by default those of the `reinforced.json` beside the shards.
        crop_scale: share of the image's area that a random crop keeps, for data that are not reinforced; (1, 1)
            is the preprocessing of evaluation.
        max_skipped_share: share of samples that may be corrupt.
        on_skip: told of every sample that is skipped.
        cache: folder of fetched shards.

    Raises:
        DatasetError: the source is empty, cannot be read or has fewer shards than processes.
        ConfigError: a setting is out of range.
    """
    from models.data.augmentation import require_scale
    from models.data.decoding import SampleDecoder
    from models.data.indexes import open_index
    from models.data.order import SampleOrder
    from models.data.reinforcement import teacher_dims_of
    from models.data.skips import SkipLog
    from models.data.source import SceneSource, ShardSource, parse_source
    from models.data.stream import StreamBatches
    from models.tokenizer import clip_bpe, load_tokenizer

    source = parse_source(source) if isinstance(source, str) else source
    if isinstance(source, SceneSource):
        raise DatasetError("scenes are rendered by the trainer; give webdataset:PATTERN, csv:FILE or folder:PATH here")
    if reinforced and not isinstance(source, ShardSource):
        raise DatasetError("tables and folders hold no teacher embeddings; make shards of it with pocketclip reinforce")
    require_scale("crop_scale", crop_scale)
    width = sum(teacher_dims or teacher_dims_of(source)) if reinforced and isinstance(source, ShardSource) else None
    index = open_index(source, cache=cache)
    order = SampleOrder(index, seed=seed, rank=rank, world=world)
    # Loaded once here, so that worker processes start with it.
    clip_bpe()
    decoder = SampleDecoder(
        config.preprocess,
        load_tokenizer(config.tokenizer),
        seed,
        (float(crop_scale[0]), float(crop_scale[1])),
        width,
    )
    log = SkipLog(max_skipped_share, shards=order.shards, on_skip=on_skip)
    return StreamBatches(index, order, decoder, log, batch_size=batch_size, workers=workers)
