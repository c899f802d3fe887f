"""The image tower MCi: MobileCLIP's FastViT form (2311.17049, appendix; 2303.14189).

State-dict names are those of Apple's checkpoints, below `image_encoder.model`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.blocks.mixers import AttentionBlock, PositionEncoding, RepMixerBlock
from models.blocks.mobileone import LargeKernelBlock, MobileOneBlock
from models.config import ImageTowerConfig, StageConfig, TokenMixer

STEM_STRIDE = 4


class ImageTower(nn.Module):
    """Images `(N, 3, S, S)` in the range of the model's preprocessing to embeddings `(N, embedding_dim)`."""

    def __init__(self, config: ImageTowerConfig, embedding_dim: int) -> None:
        super().__init__()
        self.model = HybridEncoder(config, embedding_dim)

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images)


class HybridEncoder(nn.Module):
    """Stem, stages with down-samplers between them, expanding convolution, pooled linear head."""

    def __init__(self, config: ImageTowerConfig, embedding_dim: int) -> None:
        super().__init__()
        stages = config.stages
        self.patch_embed = _stem(stages[0].width)
        network: list[nn.Module] = []
        for index, stage in enumerate(stages):
            if index > 0:
                network.append(Downsampler(stages[index - 1].width, stage))
            if stage.position_encoding:
                network.append(PositionEncoding(stage.width, kernel=config.position_kernel))
            network.append(nn.Sequential(*(_block(stage, config) for _ in range(stage.depth))))
        self.network = nn.Sequential(*network)
        width = stages[-1].width
        self.conv_exp = MobileOneBlock(
            width,
            width * config.expansion,
            kernel=3,
            groups=width,
            squeeze_excite=True,
            activation=nn.GELU(),
        )
        self.head = PooledProjection(width * config.expansion, embedding_dim)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.conv_exp(self.network(self.patch_embed(images))))


class Downsampler(nn.Module):
    """Halves the resolution and widens: large-kernel block, then a 1x1 MobileOne block."""

    def __init__(self, in_channels: int, stage: StageConfig) -> None:
        super().__init__()
        self.proj = nn.Sequential(
            LargeKernelBlock(
                in_channels,
                stage.width,
                kernel=stage.downsample_kernel,
                stride=2,
                squeeze_excite=stage.downsample_squeeze_excite,
                activation=nn.GELU(),
            ),
            MobileOneBlock(stage.width, stage.width, kernel=1, activation=nn.GELU()),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x)


class PooledProjection(nn.Module):
    """Mean over the map, then a linear map without bias. Shape: `(N, C, H, W)` to `(N, D)`."""

    def __init__(self, channels: int, embedding_dim: int) -> None:
        super().__init__()
        self.proj = nn.Parameter(torch.randn(channels, embedding_dim) * channels**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)) @ self.proj


def _stem(width: int) -> nn.Sequential:
    return nn.Sequential(
        MobileOneBlock(3, width, kernel=3, stride=2, activation=nn.GELU()),
        MobileOneBlock(width, width, kernel=3, stride=2, groups=width, activation=nn.GELU()),
        MobileOneBlock(width, width, kernel=1, activation=nn.GELU()),
    )


def _block(stage: StageConfig, config: ImageTowerConfig) -> nn.Module:
    if stage.mixer is TokenMixer.ATTENTION:
        return AttentionBlock(
            stage.width,
            head_dim=config.head_dim,
            ffn_kernel=stage.ffn_kernel,
            ffn_ratio=stage.ffn_ratio,
            activation=nn.GELU(),
            scale_start=config.layer_scale_start,
        )
    return RepMixerBlock(
        stage.width,
        kernel=stage.mixer_kernel,
        ffn_kernel=stage.ffn_kernel,
        ffn_ratio=stage.ffn_ratio,
        activation=nn.GELU(),
        scale_start=config.layer_scale_start,
    )
