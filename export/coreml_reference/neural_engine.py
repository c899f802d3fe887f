"""Where a Core ML program is likely to leave the Neural Engine, or to run slowly on it: rules, no measurement.

Core ML alone decides where an op runs, and differently on each device; Xcode's performance report tells. Each rule
names the document that it comes from:

- the coremltools guide, apple.github.io/coremltools/docs-guides, by the page's title;
- machinelearning.apple.com/research/neural-engine-transformers (2022), by its principle;
- answers of Apple's engineers in the developer forums, by the thread;
- github.com/hollance/neural-engine, by the file: notes of the community, of which its authors call some guesses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pocketclip.export.coreml_reference.program import Program
from pocketclip.export.coreml_reference.storage import storage_name

GUIDE = "coremltools guide"
ML_RESEARCH = "Apple ML research, Deploying Transformers on the Apple Neural Engine (2022)"
COMMUNITY = "hollance/neural-engine, unsupported-layers.md (community notes, some of them guesses)"

# Bytes that the last axis of a tensor is padded to.
_ROW_BYTES = 64
_BYTES = {"fp16": 2, "fp32": 4, "int32": 4, "int16": 2, "uint16": 2, "int8": 1, "uint8": 1, "bool": 1}
_FLOAT_WORK = ("conv", "linear", "matmul", "einsum", "scaled_dot_product_attention")


@dataclass(frozen=True)
class Prediction:
    """A trouble spot: a code, what was found, why it may matter, and the document that says so."""

    code: str
    found: str
    reason: str
    source: str

    def __str__(self) -> str:
        return f"predicted: {self.found}: {self.reason} [{self.source}]"


Rule = Callable[[Program], Iterator[Prediction]]


def predict(program: Program) -> list[Prediction]:
    """All trouble spots that the rules find, in the order of the rules."""
    return [prediction for rule in RULES for prediction in rule(program)]


def single_precision(program: Program) -> Iterator[Prediction]:
    names = [op for op in _named(program, *_FLOAT_WORK) if storage_name(op.outputs[0]) == "fp32"]
    if names:
        yield Prediction(
            "single-precision",
            f"{_counted(names)} in fp32",
            "a program's types are the least precision of its ops, and the Neural Engine appears to compute in float16 "
            "alone: they run on CPU or GPU",
            f"{GUIDE}, Comparing ML Programs and Neural Networks; hollance/neural-engine, 16-bit.md (community notes)",
        )


def flexible_shapes(program: Program) -> Iterator[Prediction]:
    free = [str(spec) for spec in program.inputs if None in spec.shape and not spec.enumerated]
    if free:
        yield Prediction(
            "flexible-shapes",
            f"inputs of free shape ({'; '.join(free)})",
            "shapes other than the default run on CPU or GPU, before iOS 17.4 and without the hint "
            "reshapeFrequency=Infrequent; fixed or enumerated shapes are optimised for when the model is compiled",
            f"{GUIDE}, Flexible Input Shapes; developer.apple.com/forums/thread/724930",
        )


def gathers(program: Program) -> Iterator[Prediction]:
    names = _named(program, "gather", "gather_along_axis", "gather_nd")
    if names:
        yield Prediction(
            "gather", _counted(names), "gather was seen to run on the CPU; one at the start costs one switch", COMMUNITY
        )


def recurrent(program: Program) -> Iterator[Prediction]:
    names = _named(program, "lstm", "gru", "rnn")
    if names:
        yield Prediction("recurrent", _counted(names), "recurrent layers were seen to run on CPU or GPU", COMMUNITY)


def dilated(program: Program) -> Iterator[Prediction]:
    names = [op for op in _named(program, "conv") if any(size > 1 for size in _values(op, "dilations"))]
    if names:
        yield Prediction("dilated", f"{_counted(names)} with dilation", "seen to run on CPU or GPU", COMMUNITY)


def narrow_rows(program: Program) -> Iterator[Prediction]:
    """Tensors whose last axis fills less than half of the bytes it is padded to."""
    narrow: Counter[str] = Counter()
    for op in program.operations:
        if op.op_type.startswith("const"):
            continue
        for variable in op.outputs:
            kind = storage_name(variable)
            shape = variable.shape
            if len(shape) >= 3 and kind in _BYTES and isinstance(shape[-1], int):
                bytes_ = shape[-1] * _BYTES[kind]
                if bytes_ * 2 < _ROW_BYTES and _elements(shape) > shape[-1]:
                    narrow[op.op_type] += 1
    if narrow:
        listed = ", ".join(f"{op_type} ({count})" for op_type, count in narrow.most_common(4))
        yield Prediction(
            "narrow-rows",
            f"{sum(narrow.values())} results with a last axis below half of {_ROW_BYTES} bytes: {listed}",
            f"the last axis is aligned to {_ROW_BYTES} bytes and padded up to them, so that memory and traffic grow",
            f"{ML_RESEARCH}, principle 1",
        )


def token_rows(program: Program) -> Iterator[Prediction]:
    """Linear layers on `(batch, tokens, channels)`, where a 1x1 convolution on another layout would do."""
    names = [op for op in _named(program, "linear") if len(op.outputs[0].shape) == 3]
    if names:
        yield Prediction(
            "channels-last",
            f"{_counted(names)} on (batch, tokens, channels)",
            "the engine's layout is (batch, channels, 1, tokens), with 1x1 convolutions for linear layers",
            f"{ML_RESEARCH}, principle 1",
        )


def memory_moves(program: Program) -> Iterator[Prediction]:
    names = _named(program, "transpose", "reshape")
    if len(names) > len(program.operations) // 20 and len(names) > 4:
        yield Prediction(
            "memory-moves",
            _counted(names),
            "each is likely to copy a whole tensor, since the last axis is not packed; few are needed where the layout "
            "suits",
            f"{ML_RESEARCH}, principle 3",
        )


def blocks_of_weights(program: Program) -> Iterator[Prediction]:
    blocked = [
        op
        for op in _named(program, "constexpr_blockwise_shift_scale")
        if sum(size > 1 for size in op.inputs["scale"].shape) > 1
    ]
    if blocked:
        yield Prediction(
            "blocked-weights",
            f"{len(blocked)} weights with a scale for each block",
            "4-bit blocks pay on the Mac's GPU; for the Neural Engine the guide advises scales per channel or palettes",
            f"{GUIDE}, Quantization: Performance; Optimization Overview",
        )


def integer_activations(program: Program) -> Iterator[Prediction]:
    pairs = _named(program, "quantize")
    if pairs:
        yield Prediction(
            "integer-activations",
            f"{len(pairs)} activations in 8 bits",
            "they pay on the Neural Engine, most with the integer arithmetic of A17 Pro and M4; what falls back to the "
            "CPU, sometimes to the GPU, becomes considerably slower",
            f"{GUIDE}, Quantization: Performance",
        )


RULES: tuple[Rule, ...] = (
    single_precision,
    flexible_shapes,
    gathers,
    recurrent,
    dilated,
    narrow_rows,
    token_rows,
    memory_moves,
    blocks_of_weights,
    integer_activations,
)


def _named(program: Program, *op_types: str) -> list[Any]:
    return [op for op in program.operations if op.op_type in op_types]


def _counted(operations: list[Any]) -> str:
    return ", ".join(f"{count} {op_type}" for op_type, count in Counter(op.op_type for op in operations).items())


def _values(op: Any, name: str) -> list[int]:
    variable = op.inputs.get(name)
    return [] if variable is None or variable.val is None else [int(value) for value in variable.val]


def _elements(shape: tuple[Any, ...]) -> int:
    product = 1
    for size in shape:
        product *= size if isinstance(size, int) else 1
    return product
