"""The passes themselves, by name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pocketclip.export.artifact.pass_report import PassName
from pocketclip.export.passes import (
    activations,
    attention,
    batch_norm,
    delegated_forms,
    depthwise,
    four_axes,
    inputs,
    npu_forms,
    pooling,
    weight_parts,
)
from pocketclip.export.passes.base import Pass
from pocketclip.export.passes.choices import chosen_passes
from pocketclip.export.precision import InstructionSet, Precision, TargetName, Tower
from pocketclip.models.pixels.preprocess import PreprocessSpec

PASSES: dict[PassName, Pass] = {
    entry.name: entry
    for entry in (
        Pass(PassName.FOLD_BATCH_NORM, "BatchNorm into the layer before it", batch_norm.fold_batch_norm),
        Pass(PassName.FUSE_ATTENTION, "timm's attention as slices and products of rank 3", attention.fuse_attention),
        Pass(PassName.FOLD_QUERY_SCALE, "1 / sqrt(head_dim) into the query's weights", attention.fold_query_scale),
        Pass(
            PassName.ATTENTION_AS_CONVOLUTIONS,
            "attention over maps by 1x1 convolutions",
            attention.attention_as_convolutions,
        ),
        Pass(PassName.POOL_BY_MEAN, "pools to one pixel as means that keep their axes", pooling.pool_by_mean),
        Pass(PassName.HEAD_AS_CONVOLUTION, "the pooled head as a 1x1 convolution", delegated_forms.head_as_convolution),
        Pass(PassName.NORM_BY_PRODUCT, "the L2 norm's sum as a product with ones", delegated_forms.norm_by_product),
        Pass(PassName.NORM_BY_RMS, "the L2 norm as an RMS norm", npu_forms.norm_by_rms),
        Pass(
            PassName.LAYER_NORM_BY_PRODUCT,
            "means of layer norms as products",
            delegated_forms.layer_norm_by_product,
        ),
        Pass(PassName.RESHAPE_SEQUENCES, "sequences made maps by views", delegated_forms.reshape_sequences),
        Pass(PassName.SEQUENCE_AS_MAP, "sequences kept as maps throughout", four_axes.sequence_as_map),
        Pass(
            PassName.ATTENTION_IN_FOUR_AXES,
            "attention over maps with products of four axes",
            four_axes.attention_in_four_axes,
        ),
        Pass(
            PassName.PRODUCTS_IN_FOUR_AXES,
            "linear layers of two axes as convolutions",
            four_axes.products_in_four_axes,
        ),
        Pass(PassName.STABLE_SOFTPLUS, "softplus and Mish that stay in half range", four_axes.stable_softplus),
        Pass(PassName.NORM_IN_RANGE, "squares of layer norms scaled into half range", four_axes.norm_in_range),
        Pass(PassName.END_BY_CLAMP, "the end of text by whole numbers", delegated_forms.end_by_clamp),
        Pass(PassName.END_BY_SELECT, "the end of text by a choice between constants", npu_forms.end_by_select),
        Pass(PassName.UNGROUP, "widening grouped convolutions as two depthwise ones", depthwise.ungroup),
        Pass(PassName.SPLIT_DEPTHWISE, "7x7 depthwise as a sum of at most 25 taps each", depthwise.split_depthwise),
        Pass(
            PassName.HALF_GELU,
            "GELU by tanh, written with a sigmoid: off by at most 0.0005",
            activations.half_gelu,
            exact=False,
        ),
        Pass(PassName.TANH_GELU, "GELU by tanh: off by at most 0.0005", activations.tanh_gelu, exact=False),
        Pass(PassName.SIGMOID_GELU, "GELU by a sigmoid: off by at most 0.02", activations.sigmoid_gelu, exact=False),
        Pass(
            PassName.SPLIT_WEIGHTS,
            "stem and down-samplers as two convolutions with 8-bit weights",
            weight_parts.split_weights,
        ),
        Pass(PassName.BYTE_INPUT, "takes bytes, converted in the graph", inputs.byte_input),
        Pass(PassName.CHANNELS_LAST_INPUT, "takes the channels as the last axis", inputs.channels_last_input),
    )
}


def passes_for(
    target: TargetName,
    isa: InstructionSet,
    tower: Tower,
    precision: Precision,
    *,
    options: Sequence[PassName] = (),
    without: Sequence[PassName] = (),
    preprocess: PreprocessSpec | None = None,
) -> tuple[Pass, ...]:
    """The passes of an artefact, in the order in which they are applied.

    Args:
        target: what it is made for.
        isa: the instruction set of the devices that will run it.
        tower: passes on the input are for image towers alone.
        precision: some passes pay for one alone.
        options: passes to add that the table does not choose: the approximations, and other forms of input.
        without: passes to leave out.
        preprocess: the model's; its mean and deviation go into the graph of an image tower.

    Raises:
        PassError: as `choices.check_choice`.
    """
    chosen = chosen_passes(target, isa, tower, precision, options=options, without=without)
    passes = {name: PASSES[name] for name in chosen}
    if tower is Tower.IMAGE and preprocess is not None and PassName.FOLD_PREPROCESSING not in without:
        fold = partial(inputs.fold_preprocessing, mean=preprocess.mean, std=preprocess.std)
        summary = "mean and deviation of the preprocessing into the first convolution"
        passes[PassName.FOLD_PREPROCESSING] = Pass(PassName.FOLD_PREPROCESSING, summary, fold)
    return tuple(passes[name] for name in PassName if name in passes)
