"""MobileOne blocks and squeeze-excite (2206.04040), and the large-kernel block (FastViT, 2303.14189)."""

from __future__ import annotations

import functools
import operator

import torch
from torch import Tensor, nn

from pocketclip.models.blocks.folding import Kernel, folded_conv, identity_kernel, kernel_of, with_norm


class SqueezeExcite(nn.Module):
    """Channel gates from the average over the whole map: 1x1 conv, ReLU, 1x1 conv, sigmoid.

    `names` are the state-dict names of the two convolutions, which differ between block families.
    Shape: `(N, C, H, W)` in and out.
    """

    def __init__(self, channels: int, *, reduction: int, names: tuple[str, str]) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.names = names
        self.add_module(names[0], nn.Conv2d(channels, hidden, 1))
        self.add_module(names[1], nn.Conv2d(hidden, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        squeeze, expand = (self.get_submodule(name) for name in self.names)
        pooled = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(expand(torch.relu(squeeze(pooled))))


class PointwiseConv(nn.Conv2d):
    """A strided 1x1 convolution that drops the pixels between its strides before it multiplies.

    oneDNN's backward pass of such a convolution over few channels writes beyond its memory, in PyTorch 2.13 too: at 96
    and 256 pixels the stem's ended the process (oneDNN issue #6035).
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        rows, columns = self.stride
        return nn.functional.conv2d(input[:, :, ::rows, ::columns], weight, bias, groups=self.groups)


class ConvNorm(nn.Module):
    """Convolution without bias and BatchNorm, with the state-dict names `conv` and `bn`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int | tuple[int, int],
        *,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        convolution = PointwiseConv if height == width == 1 and stride > 1 else nn.Conv2d
        self.conv = convolution(
            in_channels,
            out_channels,
            (height, width),
            stride=stride,
            padding=(height // 2, width // 2),
            groups=groups,
            bias=False,
        )
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))

    def kernel(self) -> Kernel:
        """Convolution and norm as one kernel."""
        return with_norm(kernel_of(self.conv), self.bn)

    def fold(self) -> nn.Module:
        return folded_conv(self.kernel(), stride=_stride(self.conv), groups=self.conv.groups)


class FoldedConv(nn.Module):
    """What a multi-branch block becomes: convolution, optional squeeze-excite, activation."""

    def __init__(self, conv: nn.Conv2d, se: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.reparam_conv = conv
        self.se = se
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.se(self.reparam_conv(x)))


class MobileOneBlock(nn.Module):
    """Sum of a BatchNorm skip, conv branches and a 1x1 scale branch; then squeeze-excite and activation.

    The skip exists where shapes allow it (stride 1, equal channels), the scale branch where the kernel is
    larger than 1. Shape: `(N, in, H, W)` to `(N, out, H / stride, W / stride)`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int | tuple[int, int],
        stride: int = 1,
        groups: int = 1,
        conv_branches: int = 1,
        scale_branch: bool = True,
        squeeze_excite: bool = False,
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.stride, self.groups = stride, groups
        self.se = (
            SqueezeExcite(out_channels, reduction=16, names=("reduce", "expand")) if squeeze_excite else nn.Identity()
        )
        self.activation = activation or nn.Identity()
        has_skip = stride == 1 and in_channels == out_channels
        self.rbr_skip = nn.BatchNorm2d(in_channels) if has_skip else None
        self.rbr_conv = nn.ModuleList(
            ConvNorm(in_channels, out_channels, kernel, stride=stride, groups=groups) for _ in range(conv_branches)
        )
        self.rbr_scale = (
            ConvNorm(in_channels, out_channels, 1, stride=stride, groups=groups)
            if scale_branch and kernel not in (1, (1, 1))
            else None
        )

    def branches(self, x: Tensor) -> Tensor:
        """The sum of the linear branches, before squeeze-excite and activation."""
        outputs = [branch(x) for branch in self.rbr_conv]
        if self.rbr_scale is not None:
            outputs.append(self.rbr_scale(x))
        if self.rbr_skip is not None:
            outputs.append(self.rbr_skip(x))
        return functools.reduce(operator.add, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.se(self.branches(x)))

    def kernel(self) -> Kernel:
        """All branches as one kernel."""
        kernels = [branch.kernel() for branch in self.rbr_conv if isinstance(branch, ConvNorm)]
        if self.rbr_scale is not None:
            kernels.append(self.rbr_scale.kernel())
        if self.rbr_skip is not None:
            identity = identity_kernel(self.in_channels, self.groups, like=self.rbr_skip.weight)
            kernels.append(with_norm(identity, self.rbr_skip))
        return functools.reduce(operator.add, kernels)

    def fold(self) -> nn.Module:
        conv = folded_conv(self.kernel(), stride=self.stride, groups=self.groups)
        return FoldedConv(conv, self.se, self.activation)


class LargeKernelBlock(nn.Module):
    """A strided large-kernel convolution with a parallel 3x3, one group per input channel.

    Shape: `(N, in, H, W)` to `(N, out, H / stride, W / stride)`; `out` is a multiple of `in`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int,
        stride: int,
        squeeze_excite: bool,
        activation: nn.Module,
    ) -> None:
        super().__init__()
        self.se = SqueezeExcite(out_channels, reduction=4, names=("fc1", "fc2")) if squeeze_excite else nn.Identity()
        self.lkb_origin = ConvNorm(in_channels, out_channels, kernel, stride=stride, groups=in_channels)
        self.small_conv = ConvNorm(in_channels, out_channels, 3, stride=stride, groups=in_channels)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.se(self.lkb_origin(x) + self.small_conv(x)))

    def fold(self) -> nn.Module:
        conv = folded_conv(
            self.lkb_origin.kernel() + self.small_conv.kernel(),
            stride=_stride(self.lkb_origin.conv),
            groups=self.lkb_origin.conv.groups,
        )
        return FoldedConv(conv, self.se, self.activation)


def _stride(conv: nn.Conv2d) -> tuple[int, int]:
    return (int(conv.stride[0]), int(conv.stride[1]))
