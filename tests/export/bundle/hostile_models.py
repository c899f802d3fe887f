"""Model files that end, stop or starve what runs them."""

from __future__ import annotations

import struct
from typing import Any

from .tiny_artifacts import DIM, SIZE

# The file's root table, whose fields all lie 2 GiB behind it: ExecuTorch reads there, where nothing is mapped.
_VTABLE = struct.pack("<18H", 36, 8, *[4] * 16)
CRASHING_PTE = struct.pack("<I4s", 44, b"ET12") + _VTABLE + struct.pack("<iI", 36, 0x7FFFFFF0) + bytes(4000)


def endless_onnx() -> bytes:
    """An image tower that counts to 2**63."""
    from numpy import array, int64, ones
    from onnx import TensorProto, helper, numpy_helper

    state = helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, DIM])
    body = helper.make_graph(
        [helper.make_node("Identity", ["on"], ["still"]), helper.make_node("Sin", ["state"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("count", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            state,
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [1, DIM]),
        ],
    )
    nodes = [helper.make_node("Loop", ["times", "", "start"], ["embedding"], body=body)]
    constants = [
        numpy_helper.from_array(array(2**63 - 1, int64), "times"),
        numpy_helper.from_array(ones((1, DIM), "float32"), "start"),
    ]
    return _tower(nodes, constants)


def greedy_onnx() -> bytes:
    """An image tower that wants 256 GiB, which only shows when it runs."""
    from numpy import array, float32, int64
    from onnx import helper, numpy_helper

    nodes = [
        helper.make_node("ReduceMax", ["image"], ["most"], keepdims=0),
        helper.make_node("Mul", ["most", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "many"], ["count"]),
        helper.make_node("Cast", ["count"], ["whole"], to=7),
        helper.make_node("Reshape", ["whole", "one"], ["shape"]),
        helper.make_node("ConstantOfShape", ["shape"], ["rows"]),
        helper.make_node("ReduceSum", ["rows"], ["sum"], keepdims=0),
        helper.make_node("Expand", ["sum", "wide"], ["embedding"]),
    ]
    constants = [
        numpy_helper.from_array(array(0, float32), "zero"),
        numpy_helper.from_array(array(2.0**36, float32), "many"),
        numpy_helper.from_array(array([1], int64), "one"),
        numpy_helper.from_array(array([1, DIM], int64), "wide"),
    ]
    return _tower(nodes, constants)


def _tower(nodes: list[Any], constants: list[Any]) -> bytes:
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        nodes,
        "image",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, DIM])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()
