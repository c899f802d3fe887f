"""Batches of rendered scenes, each determined by its step alone, so that a resumed run sees the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pocketclip.models.data.batches import Batch, caption_id
from pocketclip.models.data.left_out import LeftOut
from pocketclip.models.data.skips import SkippedSample
from pocketclip.models.errors import ConfigError
from pocketclip.models.pixels.preprocess import PreprocessSpec, normalize
from pocketclip.models.scenes import Split, render_arrays, sample_scene
from pocketclip.models.scenes.captions import caption
from pocketclip.models.text.tokenizer import Tokenizer
from pocketclip.models.training.config import TrainingConfig
from pocketclip.models.training.distributed import Processes


class SceneBatches:
    """Renders the training scenes once, then serves this process's share of each step's batch of `batch_size`.

    Every scene is seen once per pass over the data. Raises `ConfigError` where a batch exceeds the scenes.
    """

    def __init__(
        self,
        config: TrainingConfig,
        scenes: int,
        preprocess: PreprocessSpec,
        tokenizer: Tokenizer,
        processes: Processes,
        *,
        batch_size: int,
        workers: int,
    ) -> None:
        if batch_size > scenes:
            raise ConfigError(f"batch_size {batch_size} exceeds the {scenes} scenes to draw from")
        self._config, self._scenes, self._preprocess, self._processes = config, scenes, preprocess, processes
        self._batch_size = batch_size
        self._pixels, _ = render_arrays(Split.TRAIN, scenes, config.seed, preprocess.image_size, workers=workers)
        captions = [
            caption(
                sample_scene(config.seed, index, Split.TRAIN),
                np.random.default_rng([config.seed, index, draw]),
            )
            for index in range(scenes)
            for draw in range(config.captions_per_scene)
        ]
        unique, inverse = np.unique(np.asarray(captions), return_inverse=True)
        self._captions: list[str] = unique.tolist()
        self._token_ids = tokenizer(self._captions)
        self._drawn: NDArray[np.int64] = inverse.reshape(scenes, config.captions_per_scene)
        self._caption_ids = torch.tensor([caption_id(each) for each in self._captions], dtype=torch.int64)
        self._step = 0

    def next_batch(self) -> Batch:
        """The batch of the next step."""
        config, batch_size = self._config, self._batch_size
        epoch, place = divmod(self._step, self._scenes // batch_size)
        order = np.random.default_rng([config.seed, epoch]).permutation(self._scenes)
        chosen = order[place * batch_size : (place + 1) * batch_size]
        draws = np.random.default_rng([config.seed, self._step, 1]).integers(config.captions_per_scene, size=batch_size)
        self._step += 1
        share = batch_size // self._processes.world
        mine = slice(self._processes.rank * share, (self._processes.rank + 1) * share)
        shown = self._drawn[chosen, draws][mine]
        return Batch(
            images=torch.from_numpy(normalize(self._pixels[chosen[mine]], self._preprocess)),
            token_ids=torch.from_numpy(self._token_ids[shown]),
            caption_ids=self._caption_ids[shown],
            captions=tuple(self._captions[each] for each in shown),
        )

    def state(self) -> dict[str, Any]:
        """Where the batches go on."""
        return {"step": self._step}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on where `state` was taken."""
        self._step = int(state["step"])

    @property
    def skipped(self) -> Sequence[SkippedSample]:
        """None: generated scenes cannot be corrupt."""
        return ()

    @property
    def skipped_count(self) -> int:
        """0."""
        return 0

    @property
    def ignored_profiles(self) -> tuple[int, str | None]:
        """None."""
        return 0, None

    @property
    def left_out(self) -> Mapping[str, Sequence[LeftOut]]:
        """Nothing."""
        return {}

    def close(self) -> None:
        """Nothing to free."""
