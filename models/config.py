"""Typed model configurations, read from the JSON files in `models/configs`.

A configuration describes both towers completely; encoders are built from it and from nothing else.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum

from models import documents
from models.documents import document
from models.errors import ConfigError
from models.preprocess import PreprocessSpec
from models.tokenizer import TokenizerSpec


class TokenMixer(StrEnum):
    """How the tokens of a stage exchange information."""

    REPMIXER = "repmixer"
    ATTENTION = "attention"


class TextBlock(StrEnum):
    """A layer of the text tower: a 1-D RepMixer block or a pre-norm transformer layer."""

    REPMIXER = "repmixer"
    ATTENTION = "attention"


@document
class StageConfig:
    """One resolution stage of the image tower.

    `downsample_squeeze_excite` concerns the down-sampler that leads into this stage; `position_encoding` puts
    a conditional position encoding (RepCPE) in front of it.
    """

    depth: int
    width: int
    mixer: TokenMixer = TokenMixer.REPMIXER
    mixer_kernel: int = 3
    ffn_kernel: int = 7
    ffn_ratio: float = 3.0
    downsample_kernel: int = 7
    downsample_squeeze_excite: bool = False
    position_encoding: bool = False

    def __post_init__(self) -> None:
        _positive("stage", depth=self.depth, width=self.width, ffn_ratio=self.ffn_ratio)
        for name in ("mixer_kernel", "ffn_kernel", "downsample_kernel"):
            _odd(name, getattr(self, name))


@document
class ImageTowerConfig:
    """The MCi image tower (FastViT form): conv stem at stride 4, stages at strides 4, 8, 16, 32.

    `expansion` is the head convolution's factor on the last width; `layer_scale_start` concerns fresh weights.
    """

    stages: tuple[StageConfig, ...]
    head_dim: int = 32
    position_kernel: int = 7
    expansion: int = 2
    layer_scale_start: float = 1e-5

    def __post_init__(self) -> None:
        if not self.stages:
            raise ConfigError("an image tower needs at least one stage")
        _positive("image tower", head_dim=self.head_dim, expansion=self.expansion)
        _odd("position_kernel", self.position_kernel)
        for index, stage in enumerate(self.stages):
            if stage.mixer is TokenMixer.ATTENTION and stage.width % self.head_dim:
                raise ConfigError(f"stage {index}: width {stage.width} is no multiple of head_dim {self.head_dim}")
        for index, (stage, following) in enumerate(zip(self.stages, self.stages[1:], strict=False)):
            if following.width % stage.width:
                # The down-sampler is a convolution with one group per incoming channel.
                raise ConfigError(
                    f"stage {index + 1}: width {following.width} is no multiple of stage {index}'s {stage.width}"
                )


@document
class TextTowerConfig:
    """The text tower (MCt): embedding, positions, blocks, final norm, projection of the end-of-text row."""

    width: int
    heads: int
    blocks: tuple[TextBlock, ...]
    ffn_ratio: float = 4.0
    mixer_kernel: int = 11
    causal: bool = False
    layer_scale_start: float = 1e-5

    def __post_init__(self) -> None:
        _positive("text tower", width=self.width, heads=self.heads, ffn_ratio=self.ffn_ratio)
        _odd("mixer_kernel", self.mixer_kernel)
        if self.width % self.heads:
            raise ConfigError(f"text tower: width {self.width} is no multiple of heads {self.heads}")


@document
class ModelConfig:
    """A two-tower image-text model."""

    name: str
    description: str
    embedding_dim: int
    image: ImageTowerConfig
    text: TextTowerConfig
    preprocess: PreprocessSpec
    tokenizer: TokenizerSpec

    def __post_init__(self) -> None:
        _positive("model", embedding_dim=self.embedding_dim)
        stride = 4 * 2 ** (len(self.image.stages) - 1)
        if self.preprocess.image_size % stride:
            raise ConfigError(
                f"image_size {self.preprocess.image_size} is no multiple of {stride}, "
                f"the stride of {len(self.image.stages)} stages"
            )

    @property
    def sha256(self) -> str:
        """Identity of the architecture and its inputs, independent of JSON formatting."""
        canonical = json.dumps(documents.to_builtin(self), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


def _positive(where: str, **values: float) -> None:
    for name, value in values.items():
        if value <= 0:
            raise ConfigError(f"{where}: {name} must be positive, got {value}")


def _odd(name: str, kernel: int) -> None:
    if kernel < 1 or kernel % 2 == 0:
        raise ConfigError(f"{name} must be an odd number of at least 1, so that padding is even; got {kernel}")
