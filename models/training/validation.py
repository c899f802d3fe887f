"""How good a model is in the middle of a run: the score by which the best checkpoint is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.nn import functional

from pocketclip.models.data.mixture import parse_mixture
from pocketclip.models.data.pairs import read_pairs
from pocketclip.models.data.source import DataSource, SceneSource, parse_source
from pocketclip.models.errors import DatasetError
from pocketclip.models.pixels.preprocess import normalize, preprocess
from pocketclip.models.scenes import SceneDataset, Split, class_prompts, render_arrays, scene_classes
from pocketclip.models.text.tokenizer import load_tokenizer
from pocketclip.models.towers.clip import AnyModel
from pocketclip.models.training.config import TrainingConfig
from pocketclip.models.training.data_notes import ReadNotes, notes_of

_BATCH = 64
# Other scenes than parity and calibration look at.
_SCENE_SEED = 3


class Validation:
    """Scores a model on samples it does not train on, encoded in batches.

    `metric` is `scenes_accuracy`, zero-shot on scenes of the classes that training shows, for runs on scenes; else
    `recall_at_1`, of finding an image's caption and a caption's image among the validation samples, averaged. `notes`
    says what of the user's data was left out; None for scenes.
    """

    notes: ReadNotes | None = None

    def __init__(self, config: TrainingConfig, model: AnyModel) -> None:
        source = _source(config)
        self._tokenizer = load_tokenizer(model.config.tokenizer)
        spec = model.config.preprocess
        if isinstance(source, SceneSource):
            self.metric = "scenes_accuracy"
            pixels, _ = render_arrays(Split.VALIDATION, config.validation_samples, _SCENE_SEED, spec.image_size)
            labels = SceneDataset(Split.VALIDATION, config.validation_samples, seed=_SCENE_SEED).labels()
            shown = np.flatnonzero(labels >= 0)
            self._images, self._goals = normalize(pixels[shown], spec), labels[shown]
            self._texts = [class_prompts(entry.name)[1] for entry in scene_classes(Split.VALIDATION)]
            return

        self.metric = "recall_at_1"
        pairs = read_pairs(source, config.validation_samples, max_skipped_share=config.max_skipped_share)
        # One photograph at a time: as model input they are small.
        shown = [(preprocess(pair.image, spec), pair.caption) for pair in pairs]
        if len(shown) < 2:
            raise DatasetError(f"validation needs at least two samples, {config.validation} has {len(shown)}")
        self.notes = notes_of(pairs, pairs.left_out_by_shard)
        self._images = np.stack([image for image, _ in shown])
        self._texts = [caption for _, caption in shown]
        # A caption that belongs to several images is right for each of them.
        _, self._goals = np.unique(self._tokenizer(self._texts), axis=0, return_inverse=True)

    @torch.no_grad()
    def score(self, model: AnyModel, device: torch.device) -> float:
        """The metric, between 0 and 1; the model's mode is as it was afterwards."""
        with _evaluating(model):
            images = _encoded(model.encode_image, torch.from_numpy(self._images), device)
            texts = _encoded(model.encode_text, torch.from_numpy(self._tokenizer(self._texts)), device)
        similarity = images @ texts.T
        goals = torch.from_numpy(self._goals).reshape(-1)
        if self.metric == "scenes_accuracy":
            return (similarity.argmax(1) == goals).float().mean().item()
        found = [(goals[similarity.argmax(side)] == goals).float().mean().item() for side in (0, 1)]
        return sum(found) / 2


def wants_validation(config: TrainingConfig) -> bool:
    """Whether there is anything to validate on that the run does not train on."""
    return config.validation is not None or isinstance(_source(config), SceneSource)


def _source(config: TrainingConfig) -> DataSource:
    """What `validation` names; else scenes, where the run trains on scenes, too."""
    if config.validation is not None:
        return parse_source(config.validation)
    sources = [part.source for part in parse_mixture(config.data)]
    return next((source for source in sources if isinstance(source, SceneSource)), sources[0])


def _encoded(encode: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor, device: torch.device) -> torch.Tensor:
    return torch.cat(
        [functional.normalize(encode(part.to(device)).float(), dim=-1).cpu() for part in rows.split(_BATCH)]
    )


@contextmanager
def _evaluating(model: AnyModel) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
