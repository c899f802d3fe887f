"""The activations that a configuration may choose, and why one would."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from pocketclip.models.config import Activation

ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    Activation.GELU: nn.GELU,
    Activation.GELU_TANH: lambda: nn.GELU(approximate="tanh"),
    Activation.RELU: nn.ReLU,
    Activation.HARDSWISH: nn.Hardswish,
}


def new_activation(kind: Activation) -> nn.Module:
    """A fresh module for an activation."""
    return ACTIVATIONS[kind]()
