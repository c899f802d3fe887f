"""Batches of rendered scenes, each determined by its step alone, so that a resumed run sees the same ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.preprocess import PreprocessSpec, normalize
from models.scenes import Split, render_arrays, sample_scene
from models.scenes.captions import caption
from models.tokenizer import Tokenizer
from models.training.config import TrainingConfig


@dataclass(frozen=True)
class Batch:
    """`images` (N, 3, S, S) float32, `token_ids` (N, T) int32, `caption_ids` (N,) equal for equal captions."""

    images: Tensor
    token_ids: Tensor
    caption_ids: Tensor


class SceneBatches:
    """Renders the training scenes once, then serves the batch of any step."""

    def __init__(
        self, config: TrainingConfig, preprocess: PreprocessSpec, tokenizer: Tokenizer, *, workers: int
    ) -> None:
        self._config, self._preprocess = config, preprocess
        self._pixels, _ = render_arrays(Split.TRAIN, config.scenes, config.seed, preprocess.image_size, workers=workers)
        captions = [
            caption(
                sample_scene(config.seed, index, Split.TRAIN),
                np.random.default_rng([config.seed, index, draw]),
            )
            for index in range(config.scenes)
            for draw in range(config.captions_per_scene)
        ]
        unique, inverse = np.unique(np.asarray(captions), return_inverse=True)
        self._token_ids = tokenizer(unique.tolist())
        self._caption_ids: NDArray[np.int64] = inverse.reshape(config.scenes, config.captions_per_scene)

    def batch(self, step: int) -> Batch:
        """The batch of a step, counted from 0. Every scene is seen once per pass over the data."""
        config = self._config
        per_epoch = config.scenes // config.batch_size
        epoch, place = divmod(step, per_epoch)
        order = np.random.default_rng([config.seed, epoch]).permutation(config.scenes)
        chosen = order[place * config.batch_size : (place + 1) * config.batch_size]
        draws = np.random.default_rng([config.seed, step, 1]).integers(
            config.captions_per_scene, size=config.batch_size
        )
        caption_ids = self._caption_ids[chosen, draws]
        return Batch(
            torch.from_numpy(normalize(self._pixels[chosen], self._preprocess)),
            torch.from_numpy(self._token_ids[caption_ids]),
            torch.from_numpy(caption_ids),
        )
