"""Opens the data that a source names as batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.models.data.skips import SkippedSample
from pocketclip.models.errors import DatasetError

if TYPE_CHECKING:
    from pocketclip.models.config import AnyConfig
    from pocketclip.models.data.source import DataSource
from pocketclip.models.data.batches import BatchSource


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
    rand_augment: bool = False,
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
        rand_augment: apply two operations of RandAugment after the crop, likewise.
        max_skipped_share: share of samples that may be corrupt.
        on_skip: told of every sample that is skipped.
        cache: folder of fetched shards.

    Raises:
        DatasetError: the source is empty, cannot be read or has fewer shards than processes.
        ConfigError: a setting is out of range.
    """
    from pocketclip.models.data.augmentation import require_scale
    from pocketclip.models.data.decoding import SampleDecoder
    from pocketclip.models.data.indexes import open_index
    from pocketclip.models.data.order import SampleOrder
    from pocketclip.models.data.reinforcement import teacher_dims_of
    from pocketclip.models.data.skips import SkipLog
    from pocketclip.models.data.source import SceneSource, ShardSource, parse_source
    from pocketclip.models.data.stream import StreamBatches
    from pocketclip.models.text.tokenizer import clip_bpe, load_tokenizer

    source = parse_source(source) if isinstance(source, str) else source
    if isinstance(source, SceneSource):
        raise DatasetError(
            "scenes are rendered by the trainer", fix="give webdataset:PATTERN, csv:FILE or folder:PATH here"
        )
    if reinforced and not isinstance(source, ShardSource):
        raise DatasetError(
            "tables and folders hold no teacher embeddings", fix="create shards from it with pocketclip reinforce"
        )
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
        rand_augment,
    )
    log = SkipLog(max_skipped_share, shards=order.shards, on_skip=on_skip)
    return StreamBatches(index, order, decoder, log, batch_size=batch_size, workers=workers)
