"""Typed model configurations, read from the JSON files in `models/configs`.

A configuration describes both towers completely; encoders are built from it and from nothing else.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum

from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.errors import ConfigError
from pocketclip.models.open_clip_config import OpenClipConfig
from pocketclip.models.pixels.preprocess import PreprocessSpec
from pocketclip.models.text.tokenizer import TokenizerSpec
from pocketclip.models.untrusted.names import PlainName


class TokenMixer(StrEnum):
    """How the tokens of a stage exchange information."""

    REPMIXER = "repmixer"
    ATTENTION = "attention"
    LARGE_KERNEL = "large_kernel"
    POOLING = "pooling"


MAX_LOGIT_SCALE = 100.0

# Far above every published CLIP; what a file says beyond them would be built until the memory ends.
MOST_LAYERS = 512
MOST_WIDTH = 16_384
MOST_KERNEL = 255

# Where a stage does not say: RepMixer and pooling look at neighbours, a large kernel at more.
DEFAULT_MIXER_KERNELS = {
    TokenMixer.REPMIXER: 3,
    TokenMixer.POOLING: 3,
    TokenMixer.LARGE_KERNEL: 7,
}


class Activation(StrEnum):
    """The non-linearity of a tower, outside squeeze-excite and attention."""

    GELU = "gelu"
    GELU_TANH = "gelu_tanh"
    RELU = "relu"
    HARDSWISH = "hardswish"


class TextBlock(StrEnum):
    """A layer of the text tower: a 1-D RepMixer block or a pre-norm transformer layer."""

    REPMIXER = "repmixer"
    ATTENTION = "attention"


@document
class StageConfig:
    """One resolution stage of the image tower.

    `mixer_kernel` None takes the mixer's own in `DEFAULT_MIXER_KERNELS`; attention has none.
    `downsample_squeeze_excite` concerns the down-sampler that leads into this stage; `position_encoding` puts
    a conditional position encoding (RepCPE) in front of it.
    """

    depth: int
    width: int
    mixer: TokenMixer = TokenMixer.REPMIXER
    mixer_kernel: int | None = None
    ffn_kernel: int = 7
    ffn_ratio: float = 3.0
    downsample_kernel: int = 7
    downsample_squeeze_excite: bool = False
    position_encoding: bool = False

    def __post_init__(self) -> None:
        _positive("stage", depth=self.depth, width=self.width, ffn_ratio=self.ffn_ratio)
        _require_hidden("stage", self.width, self.ffn_ratio)
        if self.mixer_kernel is not None:
            _odd("mixer_kernel", self.mixer_kernel)
            if self.mixer is TokenMixer.ATTENTION:
                raise ConfigError("mixer_kernel has no effect on attention", fix="omit it or choose another mixer")
        _odd("ffn_kernel", self.ffn_kernel)
        _odd("downsample_kernel", self.downsample_kernel)

    @property
    def kernel(self) -> int:
        """The mixer's kernel, the default resolved; 1 for attention, which has none."""
        return self.mixer_kernel or DEFAULT_MIXER_KERNELS.get(self.mixer, 1)


@document
class ImageTowerConfig:
    """The MCi image tower (FastViT form): conv stem at stride 4, stages at strides 4, 8, 16, 32.

    `expansion` is the head convolution's factor on the last width, `expansion_squeeze_excite` its gates;
    `layer_scale_start` concerns fresh weights.
    """

    stages: tuple[StageConfig, ...]
    head_dim: int = 32
    position_kernel: int = 7
    expansion: int = 2
    expansion_squeeze_excite: bool = True
    activation: Activation = Activation.GELU
    layer_scale_start: float = 1e-5

    def __post_init__(self) -> None:
        if not self.stages:
            raise ConfigError("an image tower needs at least one stage")
        _positive("image tower", head_dim=self.head_dim, expansion=self.expansion, stages=len(self.stages))
        _odd("position_kernel", self.position_kernel)
        for index, stage in enumerate(self.stages):
            if stage.mixer is TokenMixer.ATTENTION and stage.width % self.head_dim:
                raise ConfigError(f"stage {index}: width {stage.width} is not a multiple of head_dim {self.head_dim}")
        for index, (stage, following) in enumerate(zip(self.stages, self.stages[1:], strict=False)):
            if following.width % stage.width:
                # The down-sampler is a convolution with one group per incoming channel.
                raise ConfigError(
                    f"stage {index + 1}: width {following.width} is not a multiple of stage {index}'s {stage.width}"
                )

    @property
    def stride(self) -> int:
        """Pixels along a side for one position of the last map."""
        return 4 * 2 ** (len(self.stages) - 1)


@document
class VitTowerConfig:
    """A vision transformer with a convolutional stem at stride 16 and a class token: MobileCLIP-B's image tower.

    `stem_width` is that of the stem's first two convolutions.
    """

    depth: int
    width: int
    heads: int
    stem_width: int
    ffn_ratio: float = 4.0
    activation: Activation = Activation.GELU

    def __post_init__(self) -> None:
        _positive("image tower", depth=self.depth, width=self.width, heads=self.heads, stem_width=self.stem_width)
        _positive("image tower", ffn_ratio=self.ffn_ratio)
        _require_hidden("image tower", self.width, self.ffn_ratio)
        if self.width % self.heads:
            raise ConfigError(f"image tower: width {self.width} is not a multiple of heads {self.heads}")

    @property
    def stride(self) -> int:
        """Pixels along a side for one token."""
        return 16


@document
class TextTowerConfig:
    """The text tower (MCt): embedding, positions, blocks, final norm, projection of the end-of-text row.

    `embedding_rank` splits the embedding into a table of that many columns and a linear map.
    """

    width: int
    heads: int
    blocks: tuple[TextBlock, ...]
    ffn_ratio: float = 4.0
    mixer_kernel: int = 11
    causal: bool = False
    embedding_rank: int | None = None
    activation: Activation = Activation.GELU
    layer_scale_start: float = 1e-5

    def __post_init__(self) -> None:
        if not self.blocks:
            raise ConfigError("a text tower needs at least one block")
        if self.embedding_rank is not None and not 0 < self.embedding_rank < self.width:
            raise ConfigError(
                f"embedding_rank must lie between 0 and the width {self.width}, got {self.embedding_rank}"
            )
        _positive("text tower", width=self.width, heads=self.heads, ffn_ratio=self.ffn_ratio, blocks=len(self.blocks))
        _require_hidden("text tower", self.width, self.ffn_ratio)
        _odd("mixer_kernel", self.mixer_kernel)
        if self.width % self.heads:
            raise ConfigError(f"text tower: width {self.width} is not a multiple of heads {self.heads}")


@document
class ModelConfig:
    """A two-tower image-text model."""

    name: PlainName
    description: str
    embedding_dim: int
    image: ImageTowerConfig | VitTowerConfig
    text: TextTowerConfig
    preprocess: PreprocessSpec
    tokenizer: TokenizerSpec

    def __post_init__(self) -> None:
        _positive("model", embedding_dim=self.embedding_dim)
        if self.preprocess.image_size % self.image.stride:
            raise ConfigError(
                f"image_size {self.preprocess.image_size} is not a multiple of {self.image.stride}, "
                "the stride of the image tower"
            )

    @property
    def sha256(self) -> str:
        """Identity of the architecture and its inputs, independent of JSON formatting."""
        canonical = json.dumps(documents.to_builtin(self), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


AnyConfig = ModelConfig | OpenClipConfig


def _positive(where: str, **values: float) -> None:
    for name, value in values.items():
        most = MOST_LAYERS if name in ("depth", "stages", "blocks") else MOST_WIDTH
        if not 0 < value <= most:
            raise ConfigError(f"{where}: {name} must be positive and at most {most}, got {value}")


def _require_hidden(where: str, width: int, ratio: float) -> None:
    if int(width * ratio) < 1:
        raise ConfigError(
            f"{where}: ffn_ratio {ratio:g} leaves no hidden channel at width {width}; it must be at least 1 / width"
        )


def _odd(name: str, kernel: int) -> None:
    if not 1 <= kernel <= MOST_KERNEL or kernel % 2 == 0:
        raise ConfigError(
            f"{name} must be an odd number from 1 to {MOST_KERNEL}, so that padding is even; got {kernel}"
        )
