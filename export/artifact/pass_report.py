"""The names of all passes, and what manifests keep of them."""

from __future__ import annotations

from enum import StrEnum

from pocketclip.models.documents import document


class PassName(StrEnum):
    """Every pass, in the order in which those chosen are applied."""

    FOLD_BATCH_NORM = "fold-batch-norm"
    FUSE_ATTENTION = "fuse-attention"
    FOLD_QUERY_SCALE = "fold-query-scale"
    ATTENTION_AS_CONVOLUTIONS = "attention-as-convolutions"
    POOL_BY_MEAN = "pool-by-mean"
    HEAD_AS_CONVOLUTION = "head-as-convolution"
    NORM_BY_PRODUCT = "norm-by-product"
    NORM_BY_RMS = "norm-by-rms"
    LAYER_NORM_BY_PRODUCT = "layer-norm-by-product"
    RESHAPE_SEQUENCES = "reshape-sequences"
    SEQUENCE_AS_MAP = "sequence-as-map"
    ATTENTION_IN_FOUR_AXES = "attention-in-four-axes"
    PRODUCTS_IN_FOUR_AXES = "products-in-four-axes"
    STABLE_SOFTPLUS = "stable-softplus"
    NORM_IN_RANGE = "norm-in-range"
    END_BY_CLAMP = "end-by-clamp"
    END_BY_SELECT = "end-by-select"
    UNGROUP = "ungroup"
    SPLIT_DEPTHWISE = "split-depthwise"
    HALF_GELU = "half-gelu"
    TANH_GELU = "tanh-gelu"
    SIGMOID_GELU = "sigmoid-gelu"
    FOLD_PREPROCESSING = "fold-preprocessing"
    SPLIT_WEIGHTS = "split-weights"
    BYTE_INPUT = "byte-input"
    CHANNELS_LAST_INPUT = "channels-last-input"


# They change what an image tower is fed.
ON_IMAGES = frozenset({PassName.BYTE_INPUT, PassName.CHANNELS_LAST_INPUT})
# What a user asks for; all others follow from the target and the instruction set.
OPTIONS = ON_IMAGES | {PassName.TANH_GELU, PassName.SIGMOID_GELU}


@document
class PassReport:
    """What a pass did to one tower, for manifests.

    `max_abs_error` is the largest change of a component of the normalised embedding over the proof's inputs, computed
    in double precision.
    """

    name: PassName
    sites: tuple[str, ...]
    exact: bool
    max_abs_error: float
