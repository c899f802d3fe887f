"""Tiny ONNX models, some hundred bytes each: what the apps' ONNX Runtime module must take, and refuse."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

_SIDES = (1, 2, 3)
_WEIGHTS = np.arange(12, dtype=np.float32).reshape(6, 2) / 8 - 0.5


def onnx_models() -> dict[str, ModelProto]:
    """By name: `float32`, `int32`, `uint8` give (1, 2) of float32 for (1, 2, 3) of their type; others do not fit."""
    taken = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32, "uint8": TensorProto.UINT8}
    models = {name: _model([("x", element)], TensorProto.FLOAT) for name, element in taken.items()}
    models["int64"] = _model([("x", TensorProto.INT64)], TensorProto.FLOAT)
    models["two_inputs"] = _model([("x", TensorProto.FLOAT), ("unused", TensorProto.FLOAT)], TensorProto.FLOAT)
    models["double_output"] = _model([("x", TensorProto.FLOAT)], TensorProto.DOUBLE)
    return models


def expected(values: np.ndarray) -> np.ndarray:
    """What the first three give."""
    return values.reshape(1, 6).astype(np.float32) @ _WEIGHTS


def _model(inputs: list[tuple[str, int]], gives: int) -> ModelProto:
    nodes = [
        helper.make_node("Cast", ["x"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["floats", "sides"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["product"]),
        helper.make_node("Cast", ["product"], ["y"], to=gives),
    ]
    weights = [
        numpy_helper.from_array(_WEIGHTS, "weights"),
        numpy_helper.from_array(np.array([1, 6], np.int64), "sides"),
    ]
    infos = [helper.make_tensor_value_info(name, element, _SIDES) for name, element in inputs]
    graph = helper.make_graph(nodes, "tiny", infos, [helper.make_tensor_value_info("y", gives, (1, 2))], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
