"""Optimiser, schedule and weight average of a run: torch's own, with the run's settings."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from pocketclip.models.towers.clip import AnyModel
from pocketclip.models.training.config import TrainingConfig

# Adam's second moment as in CLIP and MobileCLIP: shorter memory than the default, for large batches.
BETAS = (0.9, 0.98)
# Parts of the names of parameters that have two dimensions and are no weights.
_NOT_DECAYED = ("layer_scale", "log_scale", "pos_embed", "positional")


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Linear warm-up, then half a cosine down to zero; `step` counts from 0."""
    warmup = config.warmup
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, config.steps - warmup)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def new_optimizer(student: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW; norms, biases, scales (of logits, layers, weights' grids) and positions are not decayed, as in CLIP."""
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for name, parameter in student.named_parameters():
        exempt = parameter.ndim < 2 or any(part in name for part in _NOT_DECAYED)
        (plain if exempt else decayed).append(parameter)
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=config.learning_rate,
        betas=BETAS,
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The rate of every parameter group."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def new_average(model: AnyModel, decay: float) -> AveragedModel:
    """An exponential moving average of the weights and of BatchNorm's statistics.

    At first it forgets faster, so that it never consists of fresh weights: after n steps, at most (1 + n) / (10 + n) of
    it stays.
    """

    @torch.no_grad()
    def move(averages: Sequence[Tensor], values: Sequence[Tensor], averaged: Tensor | int) -> None:
        # The first call copies, and is not counted here.
        steps = int(averaged)
        kept = min(decay, (1 + steps) / (10 + steps))
        for average, value in zip(averages, values, strict=True):
            if average.is_floating_point():
                average.lerp_(value, 1 - kept)
            else:
                average.copy_(value)

    return AveragedModel(model, multi_avg_fn=move, use_buffers=True)
