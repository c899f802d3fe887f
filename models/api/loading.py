"""The public functions about models: `pocketclip.load_model` and what it returns."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pocketclip.models.errors import UntrainedError
from pocketclip.models.registry import FRESH_WEIGHTS, ChosenModel, build_model, choose_model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from pocketclip.models.complexity import ModelComplexity
    from pocketclip.models.config import AnyConfig
    from pocketclip.models.evaluation.encoders import TorchEncoder
    from pocketclip.models.towers.clip import AnyModel

T = TypeVar("T")

# Images or sentences that PyTorch takes at a time.
_BATCH_SIZE = 64
_LOG = logging.getLogger("pocketclip.models")


@dataclass(frozen=True)
class Model:
    """A model: its configuration, the source of its weights and, on demand, the PyTorch module.

    Get one from `load_model`. Nothing heavy is loaded before `module` or an `embed_` method is used.
    """

    choice: ChosenModel

    @property
    def name(self) -> str:
        """The name of the configuration, e.g. `pocketclip_nano`."""
        return self.choice.config.name

    @property
    def config(self) -> AnyConfig:
        """The configuration, after all changes."""
        return self.choice.config

    @property
    def trained(self) -> bool:
        """False for random weights: then only latency and size are meaningful."""
        return self.choice.trained

    @functools.cached_property
    def module(self) -> AnyModel:
        """The PyTorch module in eval mode, in its training form (branches not folded).

        Raises:
            CheckpointError: the weights do not fit.
        """
        return build_model(self.choice.config, self.choice.weights)

    @functools.cached_property
    def complexity(self) -> ModelComplexity:
        """Parameters, FLOPs, activation memory and sizes of each tower, with branches folded."""
        from pocketclip.models.complexity import measure

        return measure(self.choice.config)

    @functools.cached_property
    def _encoder(self) -> TorchEncoder:
        from pocketclip.models.checkpoints.checkpoint import weights_sha256
        from pocketclip.models.evaluation.encoders import TorchEncoder

        return TorchEncoder(self.module, weights_sha256(self.module), batch_size=_BATCH_SIZE)

    def embed_images(self, images: str | Path | Sequence[Image.Image | str | Path]) -> NDArray[np.float32]:
        """Normalised embeddings `(N, D)` of images: PIL images, or paths of image files. One path is a list of one.

        Raises:
            ImageError: a file is not a usable image.
        """
        import numpy as np

        from pocketclip.models.pixels.preprocess import load_image, preprocess

        spec = self.choice.config.preprocess

        def embed(part: Sequence[Image.Image | str | Path]) -> NDArray[np.float32]:
            opened = (load_image(Path(each)) if isinstance(each, str | Path) else each for each in part)
            return self._encoder.encode_images(np.stack([preprocess(image, spec) for image in opened]))

        return self._in_parts(embed, [images] if isinstance(images, str | Path) else images)

    def embed_texts(self, texts: str | Sequence[str]) -> NDArray[np.float32]:
        """Normalised embeddings `(N, D)` of sentences. One sentence is a list of one."""
        return self._in_parts(self._encoder.encode_texts, [texts] if isinstance(texts, str) else texts)

    def _in_parts(self, embed: Callable[[Sequence[T]], NDArray[np.float32]], given: Sequence[T]) -> NDArray[np.float32]:
        """Embeds a batch at a time: thousands of images at once would fill the memory."""
        import numpy as np

        parts = [embed(given[start : start + _BATCH_SIZE]) for start in range(0, len(given), _BATCH_SIZE)]
        return np.concatenate(parts) if parts else np.empty((0, self.choice.config.embedding_dim), np.float32)


def load_model(
    name_or_path: str | Path,
    *,
    weights: str | Path | None = None,
    changes: Mapping[str, object] | Sequence[str] = (),
    fresh_weights: bool = False,
) -> Model:
    """Loads a model by its registered name, a training run's folder, a configuration file, or `open_clip:NAME`.

    Args:
        name_or_path: see `pocketclip models` for the names.
        weights: a checkpoint's path or `hf:OWNER/REPO`; None uses the weights of the model or the run.
        changes: modifications by dotted path, e.g. `{"image.stages.3.mixer": "repmixer"}` (docs/modifications.md).
        fresh_weights: random weights, the same every time. Use them to measure latency and size.

    Raises:
        UnknownModelError, ConfigError: the model or a change does not exist.
        CheckpointError: the weights cannot be found.
        UntrainedError: the model has no weights, and you did not ask for fresh ones.
    """
    if fresh_weights and weights is not None:
        raise UntrainedError(
            "fresh_weights and weights cannot be used together", fix="omit one of them", code="weights-given-twice"
        )
    given = FRESH_WEIGHTS if fresh_weights else None if weights is None else str(weights)
    choice = choose_model(str(name_or_path), change_words(changes), given)
    if not choice.trained and not fresh_weights:
        raise UntrainedError(
            f"{choice.config.name} has no trained weights: {choice.untrained}",
            fix="give weights, or use fresh weights to measure latency and size (fresh_weights, --fresh-weights)",
            code="untrained",
        )
    for caution in choice.cautions:
        _LOG.warning("%s: %s", choice.config.name, caution)
    return Model(choice)


def change_words(changes: Mapping[str, object] | Sequence[str]) -> list[str]:
    """Modifications as `--set` takes them, e.g. `image.stages.3.mixer=repmixer`."""
    return [f"{path}={value}" for path, value in changes.items()] if isinstance(changes, Mapping) else list(changes)
