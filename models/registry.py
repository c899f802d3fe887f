"""Models by name: their configurations, weights, tokenizer and preprocessing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models import documents
from models.errors import ConfigError, UnknownModelError, choices

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from models.clip import ClipModel
    from models.config import ModelConfig
    from models.tokenizer import Tokenizer

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class RegisteredModel:
    """A named model: its configuration file and, where we ship them, its trained weights."""

    config_path: Path
    weights_path: Path | None


def _shipped(config: str, weights: str | None = None) -> RegisteredModel:
    return RegisteredModel(_FOLDER / "configs" / config, None if weights is None else _FOLDER / "weights" / weights)


MODELS: dict[str, RegisteredModel] = {
    "pocketclip_nano": _shipped("pocketclip_nano.json", "pocketclip_nano.safetensors"),
    "mobileclip_s0": _shipped("mobileclip_s0.json"),
    "mobileclip_s1": _shipped("mobileclip_s1.json"),
    "mobileclip_s2": _shipped("mobileclip_s2.json"),
    "mobileclip_b": _shipped("mobileclip_b.json"),
}


def find_model(name: str) -> RegisteredModel:
    """The registered model of that name.

    Raises:
        UnknownModelError: there is none; the message lists those that exist.
    """
    try:
        return MODELS[name]
    except KeyError:
        raise UnknownModelError(f"there is no model {name!r}; known are: {choices(MODELS)}") from None


@functools.cache
def load_config(name: str) -> ModelConfig:
    """The configuration of a registered model."""
    from models.config import ModelConfig

    config = documents.read(ModelConfig, find_model(name).config_path, error=ConfigError)
    if config.name != name:
        raise ConfigError(f"the configuration registered as {name!r} names itself {config.name!r}")
    return config


def create_model(name: str, weights: str | Path | None = None) -> ClipModel:
    """Builds a model in eval mode.

    Args:
        name: a registered model.
        weights: path of a checkpoint (`.safetensors`, or a `.pt` state dict); None takes the weights shipped
            with the model, and fresh random ones where none are shipped.

    Raises:
        UnknownModelError: there is no such model.
        CheckpointError: the checkpoint cannot be read or does not fit.
    """
    from models.checkpoint import load_weights
    from models.clip import ClipModel

    registered = find_model(name)
    model = ClipModel(load_config(name))
    source = registered.weights_path if weights is None else Path(weights)
    if source is not None:
        load_weights(model, source)
    return model.eval()


def get_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of a model: `(texts) -> (N, context_length)` int32 ids."""
    from models.tokenizer import load_tokenizer

    return load_tokenizer(load_config(name).tokenizer)


def get_preprocess(name: str) -> Callable[[Image.Image], np.ndarray]:
    """The preprocessing of a model: `(PIL image) -> (3, S, S)` float32."""
    from models.preprocess import preprocessor

    return preprocessor(load_config(name).preprocess)
