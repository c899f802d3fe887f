"""Token mixers without attention or re-centring: a large depthwise kernel, and pooling.

Both fold into one depthwise convolution, so that their cost on a device is its kernel's alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from pocketclip.models.blocks.folding import Kernel, folded_conv, identity_kernel
from pocketclip.models.blocks.mixers import ConvFeedForward, Residual, layer_scale
from pocketclip.models.blocks.mobileone import ConvNorm


class LargeKernelMixer(nn.Module):
    """`x + layer_scale * (large(x) + small(x))`, both depthwise with norms (RepLKNet, 2203.06717, section 3).

    Shape: `(N, C, H, W)` in and out.
    """

    def __init__(self, channels: int, *, kernel: int, scale_start: float) -> None:
        super().__init__()
        self.large = ConvNorm(channels, channels, kernel, groups=channels)
        self.small = ConvNorm(channels, channels, 3, groups=channels)
        self.layer_scale = layer_scale(channels, scale_start)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layer_scale * (self.large(x) + self.small(x))

    def fold(self) -> nn.Module:
        channels = self.layer_scale.shape[0]
        identity = identity_kernel(channels, channels, like=self.layer_scale)
        mixed = (self.large.kernel() + self.small.kernel()).scaled(self.layer_scale)
        return folded_conv(identity + mixed, groups=channels)


class PoolingMixer(nn.Module):
    """`x + layer_scale * (mean of the neighbours - x)`: no weights but the scale (MetaFormer, 2111.11418).

    The mean counts the zeros beyond the border, unlike MetaFormer's: that makes it a convolution.
    Shape: `(N, C, H, W)` in and out.
    """

    def __init__(self, channels: int, *, kernel: int, scale_start: float) -> None:
        super().__init__()
        self.size = kernel
        self.layer_scale = layer_scale(channels, scale_start)

    def forward(self, x: Tensor) -> Tensor:
        mean = functional.avg_pool2d(x, self.size, stride=1, padding=self.size // 2)
        return x + self.layer_scale * (mean - x)

    def fold(self) -> nn.Module:
        channels = self.layer_scale.shape[0]
        identity = identity_kernel(channels, channels, like=self.layer_scale)
        weight = torch.full((channels, 1, self.size, self.size), self.size**-2.0).to(self.layer_scale)
        mixed = (Kernel(weight, identity.bias) - identity).scaled(self.layer_scale)
        return folded_conv(identity + mixed, groups=channels)


class PlainMixerBlock(nn.Module):
    """A mixer that adds its own residual, then the convolutional feed-forward part with a layer scale."""

    def __init__(
        self,
        mixer: LargeKernelMixer | PoolingMixer,
        channels: int,
        *,
        ffn_kernel: int,
        ffn_ratio: float,
        activation: nn.Module,
        scale_start: float,
    ) -> None:
        super().__init__()
        self.token_mixer = mixer
        self.convffn = ConvFeedForward(channels, kernel=ffn_kernel, ratio=ffn_ratio, activation=activation)
        self.layer_scale = layer_scale(channels, scale_start)

    def forward(self, x: Tensor) -> Tensor:
        x = self.token_mixer(x)
        return x + self.layer_scale * self.convffn(x)

    def fold(self) -> nn.Module:
        return nn.Sequential(self.token_mixer.fold(), Residual(self.convffn.folded(self.layer_scale)))
