"""Token mixers and feed-forward parts of the hybrid towers (FastViT, 2303.14189; MobileCLIP, 2311.17049).

All work on maps `(N, C, H, W)`; the text tower feeds its sequences as `(N, C, 1, T)`.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from pocketclip.models.blocks.folding import Kernel, folded_conv, identity_kernel, kernel_of, with_norm_before
from pocketclip.models.blocks.mobileone import ConvNorm, MobileOneBlock


def layer_scale(channels: int, start: float) -> nn.Parameter:
    """A learned factor per channel, shape `(C, 1, 1)`."""
    return nn.Parameter(torch.full((channels, 1, 1), start))


class Residual(nn.Module):
    """Adds what a module computes to its input."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return x + self.module(x)


class RepMixer(nn.Module):
    """`x + layer_scale * (mixer(x) - norm(x))`, which folds into one depthwise convolution."""

    def __init__(self, channels: int, *, kernel: int | tuple[int, int], scale_branch: bool, scale_start: float) -> None:
        super().__init__()
        # Both are depthwise MobileOne blocks; `norm` keeps its BatchNorm skip alone.
        self.norm = MobileOneBlock(
            channels, channels, kernel=kernel, groups=channels, conv_branches=0, scale_branch=False
        )
        self.mixer = MobileOneBlock(channels, channels, kernel=kernel, groups=channels, scale_branch=scale_branch)
        self.layer_scale = layer_scale(channels, scale_start)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layer_scale * (self.mixer(x) - self.norm(x))

    def fold(self) -> nn.Module:
        channels = self.layer_scale.shape[0]
        identity = identity_kernel(channels, channels, like=self.layer_scale)
        mixed = (self.mixer.kernel() - self.norm.kernel()).scaled(self.layer_scale)
        return folded_conv(identity + mixed, groups=channels)


class ConvFeedForward(nn.Module):
    """Depthwise convolution with norm, then 1x1 up, GELU, 1x1 down."""

    def __init__(self, channels: int, *, kernel: int | tuple[int, int], ratio: float, activation: nn.Module) -> None:
        super().__init__()
        hidden = int(channels * ratio)
        self.conv = ConvNorm(channels, channels, kernel, groups=channels)
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.act = activation
        self.fc2 = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(self.conv(x))))

    def folded(self, scale: Tensor) -> nn.Module:
        """The same with its norm folded and a factor per channel, `(C, 1, 1)`, in the weights of `fc2`."""
        layers = {"conv": self.conv.fold(), "fc1": self.fc1, "act": self.act}
        layers["fc2"] = folded_conv(kernel_of(self.fc2).scaled(scale))
        return nn.Sequential(OrderedDict(layers))


class RepMixerBlock(nn.Module):
    """RepMixer, then the convolutional feed-forward part with a residual and a layer scale."""

    def __init__(
        self,
        channels: int,
        *,
        kernel: int | tuple[int, int],
        ffn_kernel: int | tuple[int, int],
        ffn_ratio: float,
        activation: nn.Module,
        scale_branch: bool = True,
        scale_start: float,
    ) -> None:
        super().__init__()
        self.token_mixer = RepMixer(channels, kernel=kernel, scale_branch=scale_branch, scale_start=scale_start)
        self.convffn = ConvFeedForward(channels, kernel=ffn_kernel, ratio=ffn_ratio, activation=activation)
        self.layer_scale = layer_scale(channels, scale_start)

    def forward(self, x: Tensor) -> Tensor:
        x = self.token_mixer(x)
        return x + self.layer_scale * self.convffn(x)

    def fold(self) -> nn.Module:
        return nn.Sequential(self.token_mixer.fold(), Residual(self.convffn.folded(self.layer_scale)))


class MapAttention(nn.Module):
    """Multi-head self-attention over the positions of a map; `qkv` without bias, `proj` with.

    Written with three-dimensional batched products and slices: the form that XNNPACK's delegates take whole.
    `query_scaled`: the weights of the query hold the factor 1 / sqrt(head_dim) already.
    """

    def __init__(self, channels: int, *, head_dim: int) -> None:
        super().__init__()
        self.query_scaled = False
        self.heads, self.head_dim = channels // head_dim, head_dim
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        tokens = x.flatten(2).transpose(1, 2)
        mixed = attend(self.qkv(tokens), heads=self.heads, mask=None, scale_query=not self.query_scaled)
        return self.proj(mixed).transpose(1, 2).reshape(batch, channels, height, width)

    def folded(self, norm: nn.BatchNorm2d, scale: Tensor) -> nn.Module:
        """The same with the norm before it in `qkv`, and a factor per channel, `(C, 1, 1)`, in `proj`."""
        qkv, proj = self.qkv.weight[..., None, None], self.proj.weight[..., None, None]
        normed = with_norm_before(Kernel(qkv, torch.zeros_like(qkv[:, 0, 0, 0])), norm)
        scaled = Kernel(proj, self.proj.bias).scaled(scale)
        attention = MapAttention(self.heads * self.head_dim, head_dim=self.head_dim)
        attention.qkv, attention.proj = _linear(normed), _linear(scaled)
        return attention


def _linear(kernel: Kernel) -> nn.Linear:
    out_features, in_features = kernel.weight.shape[:2]
    linear = nn.Linear(in_features, out_features, device=kernel.weight.device, dtype=kernel.weight.dtype)
    with torch.no_grad():
        linear.weight.copy_(kernel.weight[:, :, 0, 0])
        linear.bias.copy_(kernel.bias)
    return linear


def scale_query_rows(qkv: nn.Linear, head_dim: int) -> nn.Linear:
    """Multiplies the query's rows of a fused projection by 1 / sqrt(head_dim), in place; returns it."""
    rows = qkv.out_features // 3
    with torch.no_grad():
        qkv.weight[:rows] *= head_dim**-0.5
        if qkv.bias is not None:
            qkv.bias[:rows] *= head_dim**-0.5
    return qkv


def attend(qkv: Tensor, *, heads: int, mask: Tensor | None, scale_query: bool = True) -> Tensor:
    """Scaled dot-product attention from the fused projection.

    Args:
        qkv: `(N, T, 3 * C)`, laid out as (3, heads, head_dim) in its last axis.
        heads: number of heads; must divide C.
        mask: `(T, T)`, added to the scores, or None.
        scale_query: multiply the query by 1 / sqrt(head_dim); False where its weights hold the factor already.

    Returns:
        `(N, T, C)`.
    """
    batch, length, fused = qkv.shape
    channels = fused // 3
    head_dim = channels // heads
    query, key, value = (
        qkv[..., start : start + channels]
        .reshape(batch, length, heads, head_dim)
        .transpose(1, 2)
        .reshape(batch * heads, length, head_dim)
        for start in (0, channels, 2 * channels)
    )
    scores = torch.bmm(query * head_dim**-0.5 if scale_query else query, key.transpose(1, 2))
    if mask is not None:
        scores = scores + mask
    mixed = torch.bmm(torch.softmax(scores, dim=-1), value)
    return mixed.reshape(batch, heads, length, head_dim).transpose(1, 2).reshape(batch, length, channels)


class AttentionBlock(nn.Module):
    """BatchNorm and attention, then the convolutional feed-forward part, both with layer-scaled residuals."""

    def __init__(
        self,
        channels: int,
        *,
        head_dim: int,
        ffn_kernel: int,
        ffn_ratio: float,
        activation: nn.Module,
        scale_start: float,
    ) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.token_mixer = MapAttention(channels, head_dim=head_dim)
        self.convffn = ConvFeedForward(channels, kernel=ffn_kernel, ratio=ffn_ratio, activation=activation)
        self.layer_scale_1 = layer_scale(channels, scale_start)
        self.layer_scale_2 = layer_scale(channels, scale_start)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.layer_scale_1 * self.token_mixer(self.norm(x))
        return x + self.layer_scale_2 * self.convffn(x)

    def fold(self) -> nn.Module:
        return nn.Sequential(
            Residual(self.token_mixer.folded(self.norm, self.layer_scale_1)),
            Residual(self.convffn.folded(self.layer_scale_2)),
        )


class PositionEncoding(nn.Module):
    """RepCPE: a depthwise convolution added to its input (conditional position encoding)."""

    def __init__(self, channels: int, *, kernel: int) -> None:
        super().__init__()
        self.pe = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.pe(x)

    def fold(self) -> nn.Module:
        channels = self.pe.out_channels
        identity = identity_kernel(channels, channels, like=self.pe.weight)
        return folded_conv(identity + kernel_of(self.pe), groups=channels)
