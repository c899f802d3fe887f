"""What a run starts from: fresh or inherited weights, or a trained model in the form that learns its quantisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from pocketclip.models.config import AnyConfig, ModelConfig
from pocketclip.models.data.batches import BatchSource
from pocketclip.models.errors import ConfigError
from pocketclip.models.inheritance import InheritanceReport, inherit_weights
from pocketclip.models.quantization.schemes import QatScheme
from pocketclip.models.quantization.training_form import quantized_form, start_ranges
from pocketclip.models.registry import build_trained_model, new_model
from pocketclip.models.towers.clip import AnyModel, ClipModel
from pocketclip.models.training.config import TrainingConfig
from pocketclip.models.training.step import inputs_of
from pocketclip.models.training.student import Student

# Enough samples for the percentiles of ranges that are learned from there on.
OBSERVED_SAMPLES = 512


def starting_model(
    config: TrainingConfig, model_config: AnyConfig, inherited: Callable[[InheritanceReport], object] | None
) -> AnyModel:
    """The model that is trained, in its form for training.

    Args:
        config: the run's settings; `seed` is set already.
        model_config: what the run's model is.
        inherited: called with what `init_from` gave; None where a checkpoint brings the weights anyway.

    Raises:
        ConfigError: `init_from` does not suit: untrained, trained for quantisation, or with `qat` of another design.
        UnknownModelError, CheckpointError: as `build_trained_model`.
    """
    if config.qat is not None:
        assert config.init_from is not None
        return _quantized(config.qat, config.init_from, model_config)
    model = new_model(model_config)
    if config.init_from is not None and inherited is not None:
        source = build_trained_model(config.init_from)
        if isinstance(source, ClipModel) and source.quantization is not None:
            raise ConfigError(
                f"{config.init_from} was trained for quantisation: its branches and norms are folded",
                fix="start with the model that it was made from",
            )
        inherited(inherit_weights(model, source))
    return model


def observe_ranges(config: TrainingConfig, student: Student, batches: BatchSource, device: torch.device) -> None:
    """Runs the first batches without gradients, and takes the ranges of activations from them."""
    with torch.inference_mode():
        for _ in range(max(1, OBSERVED_SAMPLES // config.batch_size)):
            inputs = inputs_of(batches.next_batch(), device)
            student(inputs.images, inputs.token_ids)
    start_ranges(student)


def _quantized(scheme: QatScheme, reference: str, model_config: AnyConfig) -> ClipModel:
    source = build_trained_model(reference)
    if not isinstance(source, ClipModel) or not isinstance(model_config, ModelConfig):
        raise ConfigError(
            "quantisation-aware training takes MobileCLIP's and PocketCLIP's designs, not OpenCLIP's",
            fix="choose another --model",
        )
    if source.quantization is not None:
        raise ConfigError(
            f"{reference} was trained for quantisation already", fix="start with the model that it was made from"
        )
    if replace(source.config, name=model_config.name, description=model_config.description) != model_config:
        raise ConfigError(
            f"{reference} is of another design than the model to train: quantisation-aware training keeps the design",
            fix="train the changed model first, then start from its run",
        )
    model = quantized_form(source, scheme)
    model.config = model_config
    return model
