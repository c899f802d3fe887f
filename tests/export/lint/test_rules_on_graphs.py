"""Model files that are not from our exporter: each rule about graphs has one that triggers it and one that does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from pocketclip.export.lint.readers import read_graph
from pocketclip.export.lint.run import lint, lint_file
from pocketclip.export.lint.subject import Subject
from pocketclip.export.precision import Tower

FLOAT, HALF, INT32, INT64 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT32, TensorProto.INT64
rng = np.random.default_rng(0)


def codes(path: Path) -> list[str]:
    _, findings = lint_file(path)
    return [finding.code for finding in findings]


def weight(*shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def test_clean(normalised: Path) -> None:
    assert codes(normalised) == []


def test_norm_is_missed_where_it_is_promised(normalised: Path, save_onnx) -> None:
    graph = read_graph(normalised)
    assert lint(Subject("x", graph=graph, normalized=True)) == ()
    raw = save_onnx(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [("x", FLOAT, [1, 8])],
        [("y", FLOAT, [1, 4])],
        {"w": weight(8, 4)},
    )
    assert codes(raw) == []
    (finding,) = lint(Subject("x", graph=read_graph(raw), normalized=True))
    assert (finding.code, finding.where) == ("PC007", "output y")


def test_a_norm_in_front_of_the_projection_does_not_count(save_onnx) -> None:
    path = save_onnx(
        [
            helper.make_node("ReduceL2", ["x", "axes"], ["norm"], keepdims=1),
            helper.make_node("Div", ["x", "norm"], ["unit"]),
            helper.make_node("MatMul", ["unit", "w"], ["y"]),
        ],
        [("x", FLOAT, [1, 8])],
        [("y", FLOAT, [1, 4])],
        {"w": weight(8, 4), "axes": np.array([-1], np.int64)},
    )
    assert [finding.code for finding in lint(Subject("x", graph=read_graph(path), normalized=True))] == ["PC007"]


def test_parallel_convolutions(save_onnx) -> None:
    path = save_onnx(
        [
            helper.make_node("Conv", ["x", "a"], ["left"], pads=[1, 1, 1, 1]),
            helper.make_node("Conv", ["x", "b"], ["right"]),
            helper.make_node("Add", ["left", "right"], ["sum"]),
            helper.make_node("Conv", ["sum", "c"], ["next"]),
            helper.make_node("Add", ["next", "sum"], ["y"]),
        ],
        [("x", FLOAT, [1, 3, 8, 8])],
        [("y", FLOAT, [1, 4, 8, 8])],
        {"a": weight(4, 3, 3, 3), "b": weight(4, 3, 1, 1), "c": weight(4, 4, 1, 1)},
    )
    # The residual behind it is no training branch.
    assert codes(path) == ["PC001"]


def test_batch_norm(save_onnx) -> None:
    constants = {"w": weight(4, 3, 1, 1), **dict.fromkeys(("scale", "bias", "mean"), weight(4))}
    path = save_onnx(
        [
            helper.make_node("Conv", ["x", "w"], ["c"]),
            helper.make_node("BatchNormalization", ["c", "scale", "bias", "mean", "variance"], ["y"]),
        ],
        [("x", FLOAT, [1, 3, 8, 8])],
        [("y", FLOAT, [1, 4, 8, 8])],
        {**constants, "variance": np.ones(4, np.float32)},
    )
    assert codes(path) == ["PC002"]


@pytest.mark.parametrize(("element", "expected"), [(HALF, ["PC003", "PC003"]), (FLOAT, [])])
def test_argmax_over_ids(save_onnx, element: int, expected: list[str]) -> None:
    """The first finding is the cast, the second the argmax."""
    path = save_onnx(
        [
            helper.make_node("Cast", ["ids"], ["values"], to=element),
            helper.make_node("ArgMax", ["values"], ["end"], axis=1),
            helper.make_node("Cast", ["end"], ["y"], to=FLOAT),
        ],
        [("ids", INT32, [1, 77])],
        [("y", FLOAT, [1, 1])],
    )
    assert codes(path) == expected


def test_ids_that_are_compared_first_may_be_half(save_onnx) -> None:
    path = save_onnx(
        [
            helper.make_node("Equal", ["ids", "last"], ["is_end"]),
            helper.make_node("Cast", ["is_end"], ["y"], to=HALF),
        ],
        [("ids", INT32, [1, 77])],
        [("y", HALF, [1, 77])],
        {"last": np.array([49407], np.int32)},
    )
    assert codes(path) == []


def test_int64_input(save_onnx) -> None:
    path = save_onnx(
        [helper.make_node("Gather", ["table", "ids"], ["y"])],
        [("ids", INT64, [1, 77])],
        [("y", FLOAT, [1, 77, 8])],
        {"table": weight(100, 8)},
    )
    assert codes(path) == ["PC004"]


@pytest.mark.parametrize(
    ("dtype", "lowest", "expected"),
    [
        (np.float16, -np.inf, ["PC005"]),
        (np.float16, -1e4, []),
        # Single precision throughout: a softmax over a row that is not wholly masked is fine.
        (np.float32, -3.4e38, []),
    ],
)
def test_masks(save_onnx, dtype: type, lowest: float, expected: list[str]) -> None:
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    path = save_onnx(
        [helper.make_node("Add", ["x", "mask"], ["m"]), helper.make_node("Softmax", ["m"], ["y"])],
        [("x", element, [1, 4, 4])],
        [("y", element, [1, 4, 4])],
        {"mask": np.triu(np.full((4, 4), lowest, dtype), 1) if np.isfinite(lowest) else np.full((4, 4), lowest, dtype)},
    )
    assert codes(path) == expected


def test_dynamic_shapes(save_onnx) -> None:
    path = save_onnx(
        [helper.make_node("Relu", ["x"], ["y"])],
        [("x", FLOAT, ["batch", 3, 8, 8])],
        [("y", FLOAT, ["batch", 3, 8, 8])],
    )
    assert codes(path) == ["PC006"]


def test_an_input_that_nothing_reads(save_onnx) -> None:
    constants = {"a": weight(1, 4)}
    path = save_onnx(
        [helper.make_node("Relu", ["a"], ["y"])], [("x", FLOAT, [1, 4])], [("y", FLOAT, [1, 4])], constants
    )
    (finding,) = lint_file(path)[1]
    assert (finding.code, finding.message) == ("PC016", "no op reads an input (x), of 1 ops")
    # Not even one op: the output is a stored constant.
    path = save_onnx([], [("x", FLOAT, [1, 4])], [("a", FLOAT, [1, 4])], constants)
    assert codes(path) == ["PC016"]


def test_doubles(save_onnx) -> None:
    double = TensorProto.DOUBLE
    path = save_onnx([helper.make_node("Relu", ["x"], ["y"])], [("x", double, [1, 4])], [("y", double, [1, 4])])
    assert codes(path) == ["PC017", "PC017"]


def test_weights_stored_twice(save_onnx) -> None:
    shared, small = weight(64, 64), weight(4)
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["p"]),
        helper.make_node("MatMul", ["p", "b"], ["q"]),
        helper.make_node("MatMul", ["q", "c"], ["y"]),
    ]
    constants = {"a": shared, "b": shared.copy(), "c": weight(64, 64), "s": small, "t": small}
    path = save_onnx(nodes, [("x", FLOAT, [1, 64])], [("y", FLOAT, [1, 64])], constants)
    (finding,) = lint_file(path)[1]
    assert finding.code == "PC010"
    assert finding.message == f"1 constants are stored again, {64 * 64 * 4} bytes for nothing: a = b"


@pytest.mark.parametrize(("opset", "ir", "places"), [(20, 9, []), (21, 9, ["opset ai.onnx"]), (20, 10, ["ir"])])
def test_versions_newer_than_the_oldest_runtime(save_onnx, opset: int, ir: int, places: list[str]) -> None:
    """A bare file is held against the oldest ONNX Runtime that we export for: 1.17."""
    path = save_onnx(
        [helper.make_node("Relu", ["x"], ["y"])],
        [("x", FLOAT, [1, 3])],
        [("y", FLOAT, [1, 3])],
        opset=opset,
        ir=ir,
    )
    _, findings = lint_file(path)
    assert [(finding.code, finding.where) for finding in findings] == [("PC013", place) for place in places]


def quantised(save_onnx, *, first: bool, last: bool) -> Path:
    """Two linear layers with QDQ in front of those that are named."""
    constants = {"a": weight(8, 8), "b": weight(8, 4), "scale": np.float32(0.1), "zero": np.uint8(128)}
    nodes = []
    for source, name, wanted in (("x", "first", first), ("h", "last", last)):
        if wanted:
            nodes += [
                helper.make_node("QuantizeLinear", [source, "scale", "zero"], [f"{name}_q"]),
                helper.make_node("DequantizeLinear", [f"{name}_q", "scale", "zero"], [f"{name}_in"]),
            ]
        inputs = [f"{name}_in" if wanted else source, "a" if name == "first" else "b"]
        nodes.append(helper.make_node("MatMul", inputs, ["h" if name == "first" else "y"]))
    return save_onnx(
        nodes,
        [("x", FLOAT, [1, 8])],
        [("y", FLOAT, [1, 4])],
        {name: np.asarray(array) for name, array in constants.items()},
    )


def test_quantised_end_layers(save_onnx) -> None:
    path = quantised(save_onnx, first=True, last=True)
    subject = Subject("x", graph=read_graph(path))
    image, text = (lint(replace(subject, tower=tower)) for tower in (Tower.IMAGE, Tower.TEXT))
    assert [finding.code for finding in image] == ["PC014", "PC014"]
    # A text tower's first layer is its embedding, which is looked up.
    assert ["last" in finding.message for finding in text] == [True]
    kept = read_graph(quantised(save_onnx, first=False, last=False))
    assert lint(replace(subject, tower=Tower.IMAGE, graph=kept)) == ()
