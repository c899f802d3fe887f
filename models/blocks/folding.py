"""Structural re-parameterisation: parallel linear branches become one convolution.

Source: RepVGG (2101.03697), MobileOne (2206.04040, section 3), FastViT (2303.14189, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional


@runtime_checkable
class Foldable(Protocol):
    """A module that has an equal form with fewer branches."""

    def fold(self) -> nn.Module:
        """The equal module for inference; `self` is left alone."""
        ...


@dataclass(frozen=True)
class Kernel:
    """Weight `(out, in / groups, kh, kw)` and bias `(out,)` of a convolution."""

    weight: Tensor
    bias: Tensor

    def __add__(self, other: Kernel) -> Kernel:
        """Sum of two parallel convolutions; the smaller kernel is centred in the larger."""
        height = max(self.weight.shape[2], other.weight.shape[2])
        width = max(self.weight.shape[3], other.weight.shape[3])
        return Kernel(
            _centred(self.weight, height, width) + _centred(other.weight, height, width),
            self.bias + other.bias,
        )

    def __sub__(self, other: Kernel) -> Kernel:
        return self + Kernel(-other.weight, -other.bias)

    def scaled(self, factor: Tensor) -> Kernel:
        """The convolution followed by a factor per output channel, `factor` of shape `(out, 1, 1)`."""
        return Kernel(self.weight * factor.unsqueeze(-1), self.bias * factor.flatten())


def identity_kernel(channels: int, groups: int, like: Tensor) -> Kernel:
    """The 1x1 convolution that returns its input."""
    per_group = channels // groups
    weight = torch.zeros(channels, per_group, 1, 1, dtype=like.dtype, device=like.device)
    index = torch.arange(channels, device=like.device)
    weight[index, index % per_group] = 1
    return Kernel(weight, torch.zeros(channels, dtype=like.dtype, device=like.device))


def kernel_of(conv: nn.Conv2d) -> Kernel:
    """Weight and bias of a convolution; a missing bias is zero."""
    bias = torch.zeros_like(conv.weight[:, 0, 0, 0]) if conv.bias is None else conv.bias
    return Kernel(conv.weight, bias)


def with_norm(kernel: Kernel, norm: nn.BatchNorm2d) -> Kernel:
    """A convolution followed by BatchNorm in eval mode, as one convolution."""
    assert norm.running_mean is not None and norm.running_var is not None
    factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return Kernel(
        kernel.weight * factor.reshape(-1, 1, 1, 1),
        norm.bias + (kernel.bias - norm.running_mean) * factor,
    )


def with_norm_before(kernel: Kernel, norm: nn.BatchNorm2d) -> Kernel:
    """BatchNorm in eval mode followed by a 1x1 convolution without groups, as one convolution.

    A larger kernel cannot be folded this way: its zero padding comes after the norm.
    """
    assert norm.running_mean is not None and norm.running_var is not None
    assert kernel.weight.shape[2:] == (1, 1)
    factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    shift = norm.bias - norm.running_mean * factor
    return Kernel(
        kernel.weight * factor.reshape(1, -1, 1, 1),
        kernel.bias + kernel.weight[:, :, 0, 0] @ shift,
    )


def folded_conv(
    kernel: Kernel, *, stride: int | tuple[int, int] = 1, groups: int = 1, padding: int | None = None
) -> nn.Conv2d:
    """A convolution with the kernel's own copy of values; padding None is 'same' for its odd size."""
    out_channels, per_group, height, width = kernel.weight.shape
    conv = nn.Conv2d(
        per_group * groups,
        out_channels,
        (height, width),
        stride=stride,
        padding=(height // 2, width // 2) if padding is None else padding,
        groups=groups,
        device=kernel.weight.device,
        dtype=kernel.weight.dtype,
    )
    with torch.no_grad():
        conv.weight.copy_(kernel.weight)
        assert conv.bias is not None
        conv.bias.copy_(kernel.bias)
    return conv


def _centred(weight: Tensor, height: int, width: int) -> Tensor:
    rows, columns = (height - weight.shape[2]) // 2, (width - weight.shape[3]) // 2
    return functional.pad(weight, (columns, columns, rows, rows))
