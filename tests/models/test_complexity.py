"""Counts of a model: against a count of our own, layer by layer, and by hand for memory."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from pocketclip import models
from pocketclip.models.complexity import ActivationMemory, measure
from pocketclip.models.registry import load_config


def counted_by_layers(tower: nn.Module, example: torch.Tensor) -> int:
    """Convolutions and linear maps, two operations for each multiply-add."""
    total = 0

    def count(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        weight = module.weight
        per_output = math.prod(weight.shape[1:])
        total += 2 * output.numel() * per_output

    hooks = [m.register_forward_hook(count) for m in tower.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    with torch.inference_mode():
        tower(example)
    for hook in hooks:
        hook.remove()
    return total


@pytest.mark.parametrize("name", ["pocketclip_nano", "pocketclip_xs"])
def test_flops_agree_with_a_count_by_layers(name: str) -> None:
    config = load_config(name)
    complexity = measure(config)
    folded = models.reparameterize(models.create_model(name))
    size = config.preprocess.image_size
    image = counted_by_layers(folded.image_encoder, torch.rand(1, 3, size, size))
    # Attention's products and the last projection are no layers.
    tokens = (size // 32) ** 2
    stage = config.image.stages[3]
    attention = stage.depth * 2 * 2 * tokens * tokens * stage.width
    projection = 2 * stage.width * config.image.expansion * config.embedding_dim
    assert complexity.image.flops == image + attention + projection
    assert complexity.image.parameters == sum(p.numel() for p in folded.image_encoder.parameters())


def test_activation_memory_counts_what_is_alive_at_once() -> None:
    memory = ActivationMemory()
    x = torch.empty(1000, device="meta")
    with memory, torch.no_grad():
        y = torch.relu(x)
        z = y + 1
        del y
        w = z.reshape(10, 100) * 2
        del z
        w.sum()
    assert memory.peak_bytes == 2 * 4000
