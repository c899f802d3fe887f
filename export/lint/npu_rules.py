"""Rules for Snapdragon's NPU, about what is made for it and, with `--npu`, about any file.

Which ops are refused was asked of Qualcomm's compiler itself (QNN 2.49, Hexagon v75): a test does so again for each
entry of the table.
"""

from __future__ import annotations

from collections.abc import Iterator

from pocketclip.export.lint.graph import Format
from pocketclip.export.lint.subject import Spot, Subject, listed

# Ops of ONNX that the provider leaves to the CPU, and what to write instead.
REFUSED: dict[str, str] = {
    "Celu": "Elu",
    "ConvInteger": "QDQ around Conv (int8-static)",
    "Det": "no such op",
    "Erf": "Gelu",
    "GlobalLpPool": "GlobalAveragePool of powers",
    "Hardmax": "ArgMax",
    "MatMulInteger": "QDQ around MatMul (int8-static)",
    "Mod": "a product and a difference",
    "Shrink": "Where",
    "Sinh": "Exp",
    "Trilu": "a product with a constant",
}
MOST_AXES = 5
_SENSITIVE = frozenset({"LayerNormalization", "RMSNormalization", "Softmax", "LogSoftmax"})


def refused_op(subject: Subject) -> Iterator[Spot]:
    """Ops that end the graph on the NPU."""
    graph = subject.graph
    if graph is None or not subject.for_npu or graph.format is not Format.ONNX:
        return
    for op in graph.ops:
        if op.name in REFUSED:
            yield Spot(op.where, f"the NPU does not take {op.name}; it takes {REFUSED[op.name]}")


def many_axes(subject: Subject) -> Iterator[Spot]:
    """Values with more axes than the NPU's ops have."""
    graph = subject.graph
    if graph is None or not subject.for_npu:
        return
    for op in graph.ops:
        shapes = [graph.values[name].shape for name in (*op.inputs, *op.outputs) if name in graph.values]
        most = max((len(shape) for shape in shapes if shape is not None), default=0)
        if most > MOST_AXES:
            yield Spot(op.where, f"{op.name} has a value of {most} axes; the NPU's have at most {MOST_AXES}")


def narrow_norm(subject: Subject) -> Iterator[Spot]:
    """Norms and softmax with 8-bit values."""
    graph = subject.graph
    if graph is None or not subject.for_npu or graph.format is not Format.ONNX:
        return
    places = [op.where for op in graph.ops if op.name in _SENSITIVE and op.activation_bits == 8]
    if places:
        yield Spot(places[0], f"{len(places)} norms and softmax compute with 8-bit values: {listed(places)}")
