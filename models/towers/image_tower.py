"""The image tower MCi: MobileCLIP's FastViT form (2311.17049, appendix; 2303.14189).

State-dict names are those of Apple's checkpoints, below `image_encoder.model`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pocketclip.models.blocks.activations import new_activation
from pocketclip.models.blocks.mixers import AttentionBlock, PositionEncoding, RepMixerBlock
from pocketclip.models.blocks.mobileone import LargeKernelBlock, MobileOneBlock
from pocketclip.models.blocks.plain_mixers import LargeKernelMixer, PlainMixerBlock, PoolingMixer
from pocketclip.models.config import Activation, ImageTowerConfig, StageConfig, TokenMixer, VitTowerConfig
from pocketclip.models.towers.vision_transformer import VisionTransformer

STEM_STRIDE = 4


class ImageTower(nn.Module):
    """Images `(N, 3, S, S)` in the range of the model's preprocessing to embeddings `(N, embedding_dim)`.

    `image_size` is S, which a vision transformer's learned positions depend on.
    """

    def __init__(self, config: ImageTowerConfig | VitTowerConfig, *, image_size: int, embedding_dim: int) -> None:
        super().__init__()
        self.model = (
            VisionTransformer(config, image_size=image_size, embedding_dim=embedding_dim)
            if isinstance(config, VitTowerConfig)
            else HybridEncoder(config, embedding_dim)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images)


class HybridEncoder(nn.Module):
    """Stem, stages with down-samplers between them, expanding convolution, pooled linear head."""

    def __init__(self, config: ImageTowerConfig, embedding_dim: int) -> None:
        super().__init__()
        stages = config.stages
        self.patch_embed = _stem(stages[0].width, config.activation)
        network: list[nn.Module] = []
        for index, stage in enumerate(stages):
            if index > 0:
                network.append(Downsampler(stages[index - 1].width, stage, config.activation))
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
            squeeze_excite=config.expansion_squeeze_excite,
            activation=new_activation(config.activation),
        )
        self.head = PooledProjection(width * config.expansion, embedding_dim)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.conv_exp(self.network(self.patch_embed(images))))


class Downsampler(nn.Module):
    """Halves the resolution and widens: large-kernel block, then a 1x1 MobileOne block."""

    def __init__(self, in_channels: int, stage: StageConfig, activation: Activation) -> None:
        super().__init__()
        self.proj = nn.Sequential(
            LargeKernelBlock(
                in_channels,
                stage.width,
                kernel=stage.downsample_kernel,
                stride=2,
                squeeze_excite=stage.downsample_squeeze_excite,
                activation=new_activation(activation),
            ),
            MobileOneBlock(stage.width, stage.width, kernel=1, activation=new_activation(activation)),
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


def _stem(width: int, activation: Activation) -> nn.Sequential:
    return nn.Sequential(
        MobileOneBlock(3, width, kernel=3, stride=2, activation=new_activation(activation)),
        MobileOneBlock(width, width, kernel=3, stride=2, groups=width, activation=new_activation(activation)),
        MobileOneBlock(width, width, kernel=1, activation=new_activation(activation)),
    )


def _block(stage: StageConfig, config: ImageTowerConfig) -> nn.Module:
    activation, scale_start = new_activation(config.activation), config.layer_scale_start
    match stage.mixer:
        case TokenMixer.ATTENTION:
            return AttentionBlock(
                stage.width,
                head_dim=config.head_dim,
                ffn_kernel=stage.ffn_kernel,
                ffn_ratio=stage.ffn_ratio,
                activation=activation,
                scale_start=scale_start,
            )
        case TokenMixer.REPMIXER:
            return RepMixerBlock(
                stage.width,
                kernel=stage.kernel,
                ffn_kernel=stage.ffn_kernel,
                ffn_ratio=stage.ffn_ratio,
                activation=activation,
                scale_start=scale_start,
            )
        case TokenMixer.LARGE_KERNEL | TokenMixer.POOLING:
            mixer = LargeKernelMixer if stage.mixer is TokenMixer.LARGE_KERNEL else PoolingMixer
            return PlainMixerBlock(
                mixer(stage.width, kernel=stage.kernel, scale_start=scale_start),
                stage.width,
                ffn_kernel=stage.ffn_kernel,
                ffn_ratio=stage.ffn_ratio,
                activation=activation,
                scale_start=scale_start,
            )
