"""Rules about the graph of a model file, or of the exported program before any conversion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from pocketclip.export.lint.graph import (
    HALF_TYPES,
    HEAVY_KINDS,
    WEIGHTED_KINDS,
    Format,
    Graph,
    Op,
    OpKind,
    Value,
    Weight,
)
from pocketclip.export.lint.subject import Spot, Subject, listed
from pocketclip.export.precision import NPU_TARGETS, Tower

# The largest finite half float.
HALF_MAX = 65504.0
# Constants below this are scalars, biases and shapes, of which equal ones are no loss.
DUPLICATE_BYTES = 4096
# Of an embedding's norm, with the rounding of half precision over a whole row.
NORM_TOLERANCE = 0.02
# The L2 norm ends with a root, a reciprocal and a product, with casts between them in mixed precision.
_NORM_STEPS = 16
_FLOATS = HALF_TYPES | {"float32"}
_IDS_GO_ON = frozenset({OpKind.CAST, OpKind.SHAPE, OpKind.ADD, OpKind.ARITHMETIC, OpKind.MATMUL, OpKind.LINEAR})


def half_precision_ids(subject: Subject) -> Iterator[Spot]:
    """Token ids as half floats, exact to 2048 alone; a program is judged by what half precision makes of it."""
    graph = subject.graph
    if graph is None:
        return
    harmful = _FLOATS if graph.format is Format.PROGRAM else HALF_TYPES
    ids = {value.name for value in graph.inputs if value.dtype.startswith(("int", "uint")) and _rank(value) == 2}
    for op in graph.ops:
        touched = [name for name in op.inputs if name in ids]
        if not touched:
            continue
        if op.kind is OpKind.ARGMAX:
            halves = (graph.values[name].dtype in HALF_TYPES for name in touched if name in graph.values)
            if graph.format is Format.PROGRAM or any(halves):
                yield Spot(op.where, "argmax over token ids: converters compute it in half precision")
        elif op.kind in _IDS_GO_ON:
            made = [name for name in op.outputs if name in graph.values and graph.values[name].dtype in harmful]
            if made:
                yield Spot(op.where, f"token ids become {graph.values[made[0]].dtype}")
            ids.update(op.outputs)


def _rank(value: Value) -> int | None:
    return None if value.shape is None else len(value.shape)


def int64_input(subject: Subject) -> Iterator[Spot]:
    for value in subject.graph.inputs if subject.graph else ():
        if value.dtype in ("int64", "uint64"):
            yield Spot(f"input {value.name}", f"takes {value.dtype}")


def input_is_unused(subject: Subject) -> Iterator[Spot]:
    """A graph that gives the same output whatever it is given; not where a delegate stays closed."""
    graph = subject.graph
    if graph is None or graph.opaque or not graph.inputs:
        return
    names = {value.name for value in graph.inputs}
    if not any(names.intersection(op.inputs) for op in graph.ops):
        yield Spot("graph", f"no op reads an input ({listed(sorted(names))}), of {len(graph.ops)} ops")


def double_precision(subject: Subject) -> Iterator[Spot]:
    graph = subject.graph
    for value in (*graph.inputs, *graph.outputs) if graph else ():
        if value.dtype == "float64":
            yield Spot(f"value {value.name}", "is float64")


def infinite_mask(subject: Subject) -> Iterator[Spot]:
    """Constants that half precision turns into infinity, in a graph with half floats or on its way to one.

    A mask that nothing reads (OpenCLIP's text towers keep one) changes no result.
    """
    graph = subject.graph
    if graph is None or not (graph.in_half or graph.format is Format.PROGRAM):
        return
    for weight in graph.weights:
        if weight.read and weight.lowest is not None and weight.lowest < -HALF_MAX:
            yield Spot(weight.name, f"holds {weight.lowest:.3g}, which half precision stores as -inf")


def dynamic_shape(subject: Subject) -> Iterator[Spot]:
    graph = subject.graph
    if graph is None:
        return
    free = [str(value) for value in (*graph.inputs, *graph.outputs) if value.is_free]
    if free:
        yield Spot("inputs and outputs", f"sizes are open: {listed(free)}")
        return
    inner = [str(graph.values[name]) for op in graph.ops for name in op.outputs if _is_free(graph, name)]
    # A format that leaves out the types of inner values shows every size as open.
    if inner and len(inner) < len(graph.ops) // 2:
        yield Spot(inner[0].partition(":")[0], f"{len(inner)} values inside have open sizes: {listed(inner)}")


def _is_free(graph: Graph, name: str) -> bool:
    value = graph.values.get(name)
    return value is not None and value.is_free


def missing_normalisation(subject: Subject) -> Iterator[Spot]:
    """By the artefact's own outputs where there are any, and by the ops in front of the output."""
    if not subject.normalized:
        return
    if subject.outputs is not None:
        import numpy as np

        norms = np.linalg.norm(subject.outputs.astype(np.float64), axis=-1)
        worst = float(norms[np.abs(norms - 1).argmax()])
        if abs(worst - 1) > NORM_TOLERANCE:
            yield Spot("golden outputs", f"an embedding has the norm {worst:.4f}, the manifest says normalised")
    graph = subject.graph
    if graph is not None and graph.outputs and not graph.opaque:
        output = graph.outputs[0].name
        if not any(op.kind is OpKind.ROOT for op in graph.before(output, _NORM_STEPS)):
            yield Spot(f"output {output}", "no L2 norm is computed in front of it")


def undelegated_heavy_op(subject: Subject) -> Iterator[Spot]:
    # Their portable file is for the NPU's compiler: what XNNPACK says of it matters to nobody.
    if subject.manifest is not None and subject.manifest.target in NPU_TARGETS:
        return
    for kind, ops in _by_kind(subject.graph).items():
        outside = [op.where for op in ops if op.delegated is False]
        if outside:
            yield Spot(
                outside[0], f"{len(outside)} of {len(ops)} {kind} ops run outside the delegate: {listed(outside)}"
            )


def _by_kind(graph: Graph | None) -> dict[OpKind, list[Op]]:
    found: dict[OpKind, list[Op]] = defaultdict(list)
    for op in graph.ops if graph else ():
        if op.kind in HEAVY_KINDS:
            found[op.kind].append(op)
    return found


def weights_stored_twice(subject: Subject) -> Iterator[Spot]:
    places: dict[str, dict[str, Weight]] = defaultdict(dict)
    for weight in subject.graph.weights if subject.graph else ():
        if weight.size_bytes >= DUPLICATE_BYTES:
            places[weight.sha256].setdefault(weight.place, weight)
    twice = [list(copies.values()) for copies in places.values() if len(copies) > 1]
    if twice:
        wasted = sum(copies[0].size_bytes * (len(copies) - 1) for copies in twice)
        twice.sort(key=lambda copies: -copies[0].size_bytes)
        largest = " = ".join(weight.name for weight in twice[0][:2])
        yield Spot(twice[0][0].name, f"{len(twice)} constants are stored again, {wasted} bytes for nothing: {largest}")


def quantised_end_layer(subject: Subject) -> Iterator[Spot]:
    """The first layer of the image tower, and the projection of both."""
    graph = subject.graph
    if graph is None:
        return
    # Branches and bodies that ops call are no towers.
    for part in graph.parts or ("",):
        layers = [op for op in graph.ops if op.part == part and op.kind in WEIGHTED_KINDS]
        if len(layers) < 2:
            continue
        ends = [("last", layers[-1])]
        if (tower_by_input(graph.inputs_of(part)) if graph.parts else subject.tower) is not Tower.TEXT:
            ends.insert(0, ("first", layers[0]))
        for which, op in ends:
            if op.activation_bits is not None and op.activation_bits <= 8:
                yield Spot(op.where, f"the {which} layer computes with {op.activation_bits}-bit activations")


def tower_by_input(inputs: Sequence[Value]) -> Tower | None:
    """A foreign graph's tower, by the rank of its first input; None where that tells nothing."""
    rank = _rank(inputs[0]) if inputs else None
    return {4: Tower.IMAGE, 2: Tower.TEXT}.get(rank or 0)
