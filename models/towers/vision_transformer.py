"""MobileCLIP-B's image tower: a vision transformer with a convolutional stem (2311.17049, appendix).

State-dict names are those of Apple's checkpoint, below `image_encoder.model`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pocketclip.models.blocks.activations import new_activation
from pocketclip.models.blocks.folding import folded_conv, kernel_of, with_norm
from pocketclip.models.blocks.transformer import LayerNormFp32, LearnedPositions, TransformerLayer
from pocketclip.models.config import VitTowerConfig


class VisionTransformer(nn.Module):
    """Images `(N, 3, S, S)` to embeddings `(N, D)`; S is fixed, since the positions are learned."""

    def __init__(self, config: VitTowerConfig, *, image_size: int, embedding_dim: int) -> None:
        super().__init__()
        width, stem = config.width, config.stem_width
        self.cls_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.patch_emb = nn.Sequential(
            StemConv(3, stem, kernel=4, padding=1, activation=new_activation(config.activation)),
            StemConv(stem, stem, kernel=2, padding=0, activation=new_activation(config.activation)),
            StemConv(stem, width, kernel=2, padding=0, activation=None),
        )
        self.post_transformer_norm = LayerNormFp32(width)
        self.transformer = nn.Sequential(
            *(
                TransformerLayer(width, config.heads, config.ffn_ratio, new_activation(config.activation))
                for _ in range(config.depth)
            )
        )
        self.classifier = TokenProjection(width, embedding_dim)
        self.pos_embed = LearnedPositions((image_size // config.stride) ** 2, width)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.pos_embed(self.patch_emb(images).flatten(2).transpose(1, 2))
        # The class token has no position of its own.
        tokens = torch.cat((self.cls_token.expand(patches.shape[0], -1, -1), patches), dim=1)
        return self.classifier(self.post_transformer_norm(self.transformer(tokens))[:, 0])


class StemConv(nn.Module):
    """A convolution that does not overlap itself; with norm and activation, or with a bias alone."""

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel: int, padding: int, activation: nn.Module | None
    ) -> None:
        super().__init__()
        conv = nn.Conv2d(in_channels, out_channels, kernel, stride=kernel, padding=padding, bias=activation is None)
        layers: dict[str, nn.Module] = {"conv": conv}
        if activation is not None:
            layers |= {"norm": nn.BatchNorm2d(out_channels), "act": activation}
        self.block = nn.Sequential()
        for name, layer in layers.items():
            self.block.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x)

    def fold(self) -> nn.Module:
        conv = self.block.get_submodule("conv")
        assert isinstance(conv, nn.Conv2d)
        if conv.bias is not None:
            return conv
        norm = self.block.get_submodule("norm")
        assert isinstance(norm, nn.BatchNorm2d)
        stride, padding = (int(conv.stride[0]), int(conv.stride[1])), int(conv.padding[0])
        folded = folded_conv(with_norm(kernel_of(conv), norm), stride=stride, padding=padding)
        return nn.Sequential(folded, self.block.get_submodule("act"))


class TokenProjection(nn.Module):
    """A linear map without bias. Shape: `(N, C)` to `(N, D)`."""

    def __init__(self, width: int, embedding_dim: int) -> None:
        super().__init__()
        self.proj = nn.Parameter(torch.randn(width, embedding_dim) * width**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.proj
