"""Rules for Apple's Neural Engine: what others found to go wrong on phones.

Most look at Core AI's assets; one fault is known of Core ML too. None of it shows on a computer: a test on the phone
itself is the proof (`selftest`).
"""

from __future__ import annotations

from collections.abc import Iterator

from pocketclip.export.lint.graph import Format, Graph, Op, OpKind
from pocketclip.export.lint.subject import Spot, Subject

# coreai-torch issues #116 and #115. Apple's converter writes topk as argsort.
INDEX_OPS = frozenset({"argmax", "argsort", "non_zero", "reduce_index", "sort"})
_LOOKUPS = frozenset({"gather_along_axis", "gather_nd"})
# coreai-torch issue #51: the composite that hardswish is written with.
_HARDSWISH = "hard_sigmoid"
_PRODUCTS = frozenset({OpKind.LINEAR, OpKind.MATMUL})
# Of MIL; in Core AI they are written with exp. coremltools issues #2687, #2690 and #2359.
_UNBOUNDED = frozenset({"logsumexp", "mish", "reduce_log_sum_exp", "softplus", "softplus_parametric"})
_MAXIMA = frozenset({"maximum", "reduce_max"})
_STEPS = 6


def index_found_at_run_time(subject: Subject) -> Iterator[Spot]:
    """Places of largest values, and rows looked up by them; a lookup by the input itself, as of tokens, is none."""
    graph = _graph(subject, Format.COREAI)
    if graph is None:
        return
    for op in graph.ops:
        if op.name in INDEX_OPS:
            yield Spot(op.where, f"{op.name} finds a place at run time")
        elif op.name in _LOOKUPS and len(op.inputs) > 1:
            source = next((each for each in graph.before(op.inputs[1], _STEPS) if each.name in INDEX_OPS), None)
            if source is not None:
                yield Spot(op.where, f"{op.name} looks up what {source.name} found")


def flat_product_before_hardswish(subject: Subject) -> Iterator[Spot]:
    """A product of two axes, with or without a bias, in front of hardswish."""
    graph = _graph(subject, Format.COREAI)
    if graph is None:
        return
    for op in graph.ops:
        if op.name != _HARDSWISH or not op.inputs:
            continue
        source = graph.producers.get(op.inputs[0])
        if source is not None and source.kind is OpKind.ADD:
            source = next((found for name in source.inputs if (found := graph.producers.get(name))), None)
        if source is not None and source.kind in _PRODUCTS and _rank(graph, source) == 2:
            yield Spot(op.where, f"{op.name} reads the product of two axes {source.where}")


def unbounded_exponential(subject: Subject) -> Iterator[Spot]:
    """Exponentials that leave the range of half floats, in a graph that computes in them."""
    graph = _graph(subject, Format.COREAI, Format.COREML)
    if graph is None or not graph.in_half:
        return
    for op in graph.ops:
        if op.name in _UNBOUNDED:
            yield Spot(op.where, f"{op.name} falls to 0 there beyond about 10")
        elif op.name == "exp" and not _is_bounded(graph, op):
            yield Spot(op.where, "exp of a value that nothing bounds: beyond 11 it is infinite in half precision")


def empty_value(subject: Subject) -> Iterator[Spot]:
    """Values with an axis of length 0."""
    graph = _graph(subject, Format.COREAI)
    if graph is None:
        return
    for op in graph.ops:
        empty = [name for name in op.outputs if name in graph.values and 0 in (graph.values[name].shape or ())]
        if empty:
            yield Spot(op.where, f"gives an empty value, {graph.values[empty[0]]}")


def _graph(subject: Subject, *formats: Format) -> Graph | None:
    graph = subject.graph
    return graph if graph is not None and graph.format in formats else None


def _rank(graph: Graph, op: Op) -> int | None:
    value = graph.values.get(op.outputs[0]) if op.outputs else None
    return None if value is None or value.shape is None else len(value.shape)


def _is_bounded(graph: Graph, op: Op) -> bool:
    """Whether what an exponential is given is at most 0: a difference from a maximum, or a negative absolute value."""
    source = graph.producers.get(op.inputs[0]) if op.inputs else None
    if source is None:
        return False
    behind = {each.name for name in source.inputs for each in graph.before(name, _STEPS)}
    if source.name == "sub":
        return bool(behind & _MAXIMA)
    return source.name in ("neg", "mul") and "abs" in behind


CHECKS = (index_found_at_run_time, flat_product_before_hardswish, unbounded_exponential, empty_value)
