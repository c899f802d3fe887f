"""Which passes an artefact gets: one literal table by target and instruction set, each choice with its evidence.

Ratios are times against the same tower without the pass (MobileCLIP-S0, image tower, fp32, one thread) from `make perf`
on an x86 processor with AVX-512; counts of instructions are from an emulated Cortex-A76 (`make perf-arm64`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pocketclip.export.artifact.pass_report import ON_IMAGES, PassName
from pocketclip.export.errors import PassError
from pocketclip.export.precision import InstructionSet, Precision, TargetName, Tower
from pocketclip.models.errors import choices


@dataclass(frozen=True)
class Choice:
    """A pass that is used, and why; `only` for one precision, where it does not pay for all."""

    name: PassName
    evidence: str
    only: Precision | None = None


# Converters do both of these for some models and not for others; done here, no artefact depends on it.
_EVERYWHERE = (
    Choice(PassName.FOLD_BATCH_NORM, "one op less for each norm that reparameterisation cannot reach"),
    Choice(PassName.FUSE_ATTENTION, "torch's fused attention adds mask ops that XNNPACK does not take"),
    Choice(PassName.FOLD_QUERY_SCALE, "one product over all queries less in each layer"),
    Choice(PassName.POOL_BY_MEAN, "means that keep their axes are what every delegate takes"),
)
_ONE_CALL = (
    Choice(PassName.HEAD_AS_CONVOLUTION, "a mean without axes ends ExecuTorch's delegate call"),
    Choice(PassName.NORM_BY_PRODUCT, "so does a sum"),
    Choice(PassName.RESHAPE_SEQUENCES, "so do squeezes and expansions"),
)
_SPLIT = (
    Choice(PassName.UNGROUP, "depthwise kernels take no second filter a channel; needed by the split"),
    Choice(
        PassName.SPLIT_DEPTHWISE,
        "XNNPACK has no 7x7 depthwise kernel: on x86 0.44 of the time on ExecuTorch, 0.46 on LiteRT (S0); on Arm 0.52 "
        "and 0.51 of the instructions (nano)",
    ),
)
# With 8-bit weights, ONNX Runtime runs a grouped convolution that widens as one product for each group.
_UNGROUP_BYTES = Choice(
    PassName.UNGROUP, "0.54 of the instructions (nano); in fp32 it costs 1.09", only=Precision.INT8_STATIC
)

_HALF = (
    Choice(
        PassName.HALF_GELU,
        "ExecuTorch leaves GELU in half precision to a portable kernel: 0.72 of the instructions (nano, image)",
        only=Precision.FP16,
    ),
    Choice(
        PassName.LAYER_NORM_BY_PRODUCT,
        "and layer norms: with the pass before, 0.71 of the instructions (nano, text)",
        only=Precision.FP16,
    ),
)

_UNGROUP_HALF = Choice(
    PassName.UNGROUP,
    "so it does in half precision: a convolution from 32 to 64 channels takes 4 times as many as in fp32",
    only=Precision.FP16,
)

# Sources: ExecuTorch 1.5.1, backends/vulkan/runtime/graph/ops.
_VULKAN = (
    Choice(
        PassName.HALF_GELU,
        "the shader has the tanh form alone, and gives NaN below about -13 (ExecuTorch issue #22323), which the image "
        "tower of the nano reaches",
    ),
    Choice(PassName.END_BY_CLAMP, "truth values need buffers of bytes, which not every GPU has"),
    Choice(PassName.UNGROUP, "the depthwise shader takes one filter a channel; two go to the one for dense kernels"),
)

# By Qualcomm's emulator, on the nano.
_FINE_STEM = Choice(
    PassName.SPLIT_WEIGHTS,
    "with 16-bit activations, most of what is lost is the rounding of these weights: mean cosine of the image tower "
    "0.99949 -> 0.99989, points lost on scenes 0.42 -> 0.10 (ONNX Runtime)",
    only=Precision.W8A16_STATIC,
)
_UNGROUP_QNN = Choice(
    PassName.UNGROUP,
    "the compiler makes a dense convolution of a grouped one that widens: without the pass, the image tower takes "
    "3.32 MB in w8a16-static, with it 1.86",
)
_QNN_PROGRAM = (
    Choice(
        PassName.NORM_BY_RMS,
        "the delegate has no float ops between integers: with squares, sum and root in 8 bits, embeddings of the image "
        "tower come out with norms down to 0.79",
    ),
    Choice(PassName.END_BY_SELECT, "with 16-bit activations, the delegate leaves truth values made numbers to the CPU"),
)

# Counts of Core AI's ops are of the nano, fp16; what goes wrong on phones was reported by others.
_NEURAL_ENGINE = (
    Choice(PassName.HEAD_AS_CONVOLUTION, "a product of two axes may come out wrong there (coreai-torch issue #51)"),
    Choice(PassName.SEQUENCE_AS_MAP, "so may those of the text tower, whose transpositions become 3 of 22"),
    Choice(PassName.ATTENTION_IN_FOUR_AXES, "the image tower's transpositions become 1 of 8"),
    Choice(PassName.PRODUCTS_IN_FOUR_AXES, "so may a linear layer of two axes"),
    Choice(
        PassName.STABLE_SOFTPLUS,
        "there, softplus falls to 0 beyond 10.4 in half precision (coremltools issue #2687, coreai-torch issue #21)",
    ),
    Choice(PassName.NORM_IN_RANGE, "a sum of squares beyond 65,504 makes a whole row zero"),
)

_END_FOR_MEDIATEK = Choice(
    PassName.END_BY_CLAMP,
    "the plug-in for MediaTek (LiteRT 2.3.0) takes no comparisons, which leaves them to the CPU",
)

CHOICES: dict[tuple[TargetName, InstructionSet], tuple[Choice, ...]] = {
    (TargetName.ONNX, InstructionSet.ARM64): (*_EVERYWHERE, _UNGROUP_BYTES, _UNGROUP_HALF),
    (TargetName.ONNX, InstructionSet.APPLE): (*_EVERYWHERE, _UNGROUP_BYTES, _UNGROUP_HALF),
    (TargetName.ONNX, InstructionSet.X86_64): (
        *_EVERYWHERE,
        Choice(PassName.UNGROUP, "blocked kernels take depthwise convolutions, not those with two filters: 0.95"),
        Choice(PassName.ATTENTION_AS_CONVOLUTIONS, "stays in the blocked layout: 0.98"),
    ),
    (TargetName.COREML, InstructionSet.APPLE): _EVERYWHERE,
    (TargetName.EXECUTORCH_COREML, InstructionSet.APPLE): _EVERYWHERE,
    (TargetName.COREAI, InstructionSet.APPLE): (*_EVERYWHERE, *_NEURAL_ENGINE),
    (TargetName.EXECUTORCH, InstructionSet.ARM64): (*_EVERYWHERE, *_ONE_CALL, *_SPLIT, *_HALF),
    (TargetName.EXECUTORCH, InstructionSet.APPLE): (*_EVERYWHERE, *_ONE_CALL, *_SPLIT, *_HALF),
    (TargetName.EXECUTORCH, InstructionSet.X86_64): (*_EVERYWHERE, *_ONE_CALL, *_SPLIT, *_HALF),
    (TargetName.EXECUTORCH_VULKAN, InstructionSet.ARM64): (*_EVERYWHERE, *_ONE_CALL, *_VULKAN),
    # The NPU takes every op that is left as one graph: GELU, softmax, norms, the choice of the end of text.
    (TargetName.ONNX_QNN, InstructionSet.ARM64): (*_EVERYWHERE, _UNGROUP_QNN, _FINE_STEM),
    (TargetName.EXECUTORCH_QNN, InstructionSet.ARM64): (*_EVERYWHERE, *_QNN_PROGRAM, _FINE_STEM),
    (TargetName.TFLITE_QNN, InstructionSet.ARM64): (*_EVERYWHERE, _FINE_STEM),
    # As tflite-qnn; that it pays on these NPUs nobody has shown.
    (TargetName.TFLITE_MEDIATEK, InstructionSet.ARM64): (*_EVERYWHERE, _FINE_STEM, _END_FOR_MEDIATEK),
    (TargetName.TFLITE_GOOGLE, InstructionSet.ARM64): (*_EVERYWHERE, _FINE_STEM),
    (TargetName.TFLITE_SAMSUNG, InstructionSet.ARM64): (*_EVERYWHERE, _FINE_STEM),
    (TargetName.TFLITE, InstructionSet.ARM64): (*_EVERYWHERE, *_SPLIT),
    (TargetName.TFLITE, InstructionSet.APPLE): (*_EVERYWHERE, *_SPLIT),
    (TargetName.TFLITE, InstructionSet.X86_64): (*_EVERYWHERE, *_SPLIT),
}

# Core ML takes images as such, and its floats channels first.
NOT_OFFERED: dict[PassName, frozenset[TargetName]] = {
    PassName.BYTE_INPUT: frozenset({TargetName.COREML, TargetName.EXECUTORCH_COREML}),
    PassName.CHANNELS_LAST_INPUT: frozenset({TargetName.COREML, TargetName.EXECUTORCH_COREML}),
}


def chosen_passes(
    target: TargetName,
    isa: InstructionSet,
    tower: Tower,
    precision: Precision,
    *,
    options: Collection[PassName] = (),
    without: Collection[PassName] = (),
) -> frozenset[PassName]:
    """The passes of an artefact, apart from the folding of the preprocessing; arguments as `registry.passes_for`.

    GELU takes one form. By tanh it is `half-gelu`'s where the table has that pass, since it is the same function in ops
    that these runtimes compute; the sigmoid takes the place of both.

    Raises:
        PassError: as `check_choice`.
    """
    check_choice(target, isa, tuple(options))
    chosen = {choice.name for choice in CHOICES[target, isa] if choice.only in (None, precision)} | set(options)
    if tower is Tower.TEXT:
        chosen -= ON_IMAGES
    chosen -= set(without)
    if PassName.SIGMOID_GELU in chosen:
        chosen -= {PassName.HALF_GELU, PassName.TANH_GELU}
    elif PassName.HALF_GELU in chosen:
        chosen -= {PassName.TANH_GELU}
    return frozenset(chosen)


def check_choice(target: TargetName, isa: InstructionSet, options: tuple[PassName, ...]) -> None:
    """Refuses what a target is not made for.

    Raises:
        PassError: the instruction set, or a pass that was asked for.
    """
    if (target, isa) not in CHOICES:
        offered = [each for name, each in CHOICES if name is target]
        raise PassError(f"target {target} does not support {isa}", fix=f"choose among: {choices(offered)}")
    for option in options:
        if target in NOT_OFFERED.get(option, ()):
            raise PassError(f"target {target} does not offer {option}", fix="export without it, or for another target")
