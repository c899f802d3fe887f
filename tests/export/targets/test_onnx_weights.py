"""Integer weights in ONNX graphs: what is stored, and that ONNX Runtime computes with exactly that."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from pocketclip.export.targets.onnx_weights import quantize_weights
from pocketclip.models.quantization.schemes import BLOCK

IDS = np.int32([[3, 0, 63]])


def _values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _model(opset: int) -> onnx.ModelProto:
    """Embedding, matrix product, transposed Gemm, 1x1 and depthwise convolutions on one row of numbers."""
    weights = {
        "table": _values(64, 64, seed=1),
        "product": _values(64, 32, seed=2),
        "gemm": _values(48, 32, seed=3),
        "pointwise": _values(64, 32, 1, 1, seed=4),
        "depthwise": _values(64, 1, 5, 5, seed=5),
        "small": _values(48, 4, seed=6),
        "pooling": np.full((3, 3), 1 / 3, np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"], name="lookup"),
        helper.make_node("MatMul", ["rows", "product"], ["mixed"]),
        helper.make_node("Transpose", ["mixed"], ["columns"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["columns", "pooling"], ["pooled"]),
        helper.make_node("Unsqueeze", ["pooled", "last"], ["map"]),
        helper.make_node("Conv", ["map", "pointwise"], ["wide"]),
        helper.make_node("Conv", ["wide", "depthwise"], ["spread"], group=64, pads=[2, 2, 2, 2]),
        helper.make_node("ReduceMean", ["mixed", "second"], ["mean"], keepdims=0),
        helper.make_node("Gemm", ["mean", "gemm"], ["tall"], transB=1),
        helper.make_node("MatMul", ["tall", "small"], ["answer"]),
    ]
    initializers = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    initializers += [
        numpy_helper.from_array(np.int64([3]), "last"),
        numpy_helper.from_array(np.int64([1]), "second"),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("ids", TensorProto.INT32, [1, 3])],
        [
            helper.make_tensor_value_info("answer", TensorProto.FLOAT, [1, 4]),
            helper.make_tensor_value_info("spread", TensorProto.FLOAT, [1, 64, 3, 1]),
        ],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def _run(model: onnx.ModelProto) -> list[np.ndarray]:
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    # Its default, 4, rounds activations to 8 bits where it fuses a product with the weights' dequantisation.
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(output) for output in session.run(["answer", "spread"], {"ids": IDS})]


def _stored(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    return {entry.name: entry for entry in model.graph.initializer}


def _with_weights(model: onnx.ModelProto, weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    """The model with float weights of other values."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    for entry in changed.graph.initializer:
        if entry.name in weights:
            entry.CopyFrom(numpy_helper.from_array(weights[entry.name].astype(np.float32), entry.name))
    return changed


def _restored(stored: dict[str, onnx.TensorProto], name: str, axis: int) -> np.ndarray:
    """Whole numbers times scales, by hand: scales one a channel along `axis`, or one a block of 32 along it."""
    whole = numpy_helper.to_array(stored[f"{name}_quantized"]).astype(np.float32)
    scale = numpy_helper.to_array(stored[f"{name}_scale"])
    if scale.ndim == 1:
        scale = scale.reshape([-1 if place == axis else 1 for place in range(whole.ndim)])
    elif scale.shape[axis] * BLOCK == whole.shape[axis]:
        scale = np.repeat(scale, BLOCK, axis)
    return whole * scale


def test_eight_bits_per_channel() -> None:
    plain, model = _model(18), _model(18)
    assert quantize_weights(model, 8) == 5
    stored = _stored(model)
    axes = {"table": 0, "product": 1, "gemm": 0, "pointwise": 0, "depthwise": 0}
    restored = {name: _restored(stored, name, axis) for name, axis in axes.items()}
    for name, values in restored.items():
        assert stored[f"{name}_quantized"].data_type == TensorProto.INT8
        original = numpy_helper.to_array(_stored(plain)[name])
        largest = np.abs(original).max(axis=tuple(i for i in range(original.ndim) if i != axes[name]), keepdims=True)
        assert (np.abs(values - original) <= largest / 127 / 2 + 1e-6).all(), name
    for got, want in zip(_run(model), _run(_with_weights(plain, restored)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_four_bits_in_blocks() -> None:
    plain, model = _model(21), _model(21)
    assert quantize_weights(model, 4, eight_bit_modules=["ge"]) == 4
    stored = _stored(model)
    restored = {
        "table": _restored(stored, "table", 1),
        "product": _restored(stored, "product", 0),
        "gemm": _restored(stored, "gemm", 1),
        "pointwise": _restored(stored, "pointwise", 1),
        "depthwise": _restored(stored, "depthwise", 0),
    }
    for name in ("table", "product", "gemm", "pointwise"):
        assert stored[f"{name}_quantized"].data_type == TensorProto.INT4
        original = numpy_helper.to_array(_stored(plain)[name])
        noise = np.sqrt(((restored[name] - original) ** 2).mean() / (original**2).mean())
        # Sixteen uniform steps over the range of 32 normal values, whose rounding is 0.087 of their deviation.
        assert noise < 0.09, (name, noise)
    assert stored["depthwise_quantized"].data_type == TensorProto.INT8
    for got, want in zip(_run(model), _run(_with_weights(plain, restored)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_named_modules_keep_eight_bits_and_exact_constants_stay() -> None:
    model = _model(21)
    for entry in model.graph.initializer:
        if entry.name in ("product", "gemm"):
            old, entry.name = entry.name, f"encoder.{entry.name}.weight"
            for node in model.graph.node:
                node.input[:] = [entry.name if name == old else name for name in node.input]
    quantize_weights(model, 4, eight_bit_modules=["encoder.product"], kept_in_float=frozenset({"pointwise"}))
    stored = _stored(model)
    assert stored["encoder.product.weight_quantized"].data_type == TensorProto.INT8
    assert stored["encoder.gemm.weight_quantized"].data_type == TensorProto.INT4
    assert stored["pointwise"].data_type == TensorProto.FLOAT
    assert stored["small"].data_type == stored["pooling"].data_type == TensorProto.FLOAT


def test_a_block_of_zeros_stays_zero() -> None:
    model = _model(21)
    stored = _stored(model)
    values = numpy_helper.to_array(stored["product"]).copy()
    values[:BLOCK, 3] = 0
    stored["product"].CopyFrom(numpy_helper.from_array(values, "product"))
    quantize_weights(model, 4)
    restored = _restored(_stored(model), "product", 0)
    assert np.isfinite(restored).all() and (restored[:BLOCK, 3] == 0).all()


def test_scales_are_fitted_to_all_weights_not_to_the_largest() -> None:
    """A single outlier in a block of small weights: its own error is worth finer steps for the others."""
    model = _model(21)
    stored = _stored(model)
    values = np.full((64, 32), 0.1, np.float32)
    values[::2] = -0.1
    values[5] = 0.9
    stored["product"].CopyFrom(numpy_helper.from_array(values, "product"))
    quantize_weights(model, 4)
    found = np.abs(_restored(_stored(model), "product", 0) - values)
    plain_steps = np.abs(np.rint(values[:BLOCK] / (0.9 / 7)) * (0.9 / 7) - values[:BLOCK])
    assert (found[:BLOCK] ** 2).sum() < (plain_steps**2).sum()


@pytest.mark.parametrize("bits", [8, 4])
def test_nothing_to_do_leaves_a_model_alone(bits: int) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("x", "y")]
    model = helper.make_model(helper.make_graph([node], "none", value[:1], value[1:]))
    assert quantize_weights(model, bits) == 0
    assert len(model.graph.node) == 1
