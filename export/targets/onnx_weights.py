"""Weights of an ONNX graph as integers, arithmetic in float: `DequantizeLinear` in front of each weight's reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pocketclip.export.targets.four_bits import rounded_in_blocks
from pocketclip.models.quantization.schemes import BLOCK

# Smaller ones (norms, biases, layer scales) save nothing that could be seen, and hurt most.
LEAST_ELEMENTS = 1024
CONTRIB_DOMAIN = "com.microsoft"

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class _Weight:
    """An initializer that nodes read as a weight: which axis has the outputs, which one is summed over."""

    name: str
    op_type: str
    channels: int
    summed: int
    values: Floats


def quantize_weights(
    model: onnx.ModelProto,
    bits: int,
    *,
    eight_bit_modules: Sequence[str] = (),
    eight_bit_weights: frozenset[str] = frozenset(),
    kept_in_float: frozenset[str] = frozenset(),
) -> int:
    """Replaces weights of convolutions, matrix products and embeddings by integers, in place.

    With `bits` 8, every weight is symmetric int8 per output channel, an embedding per row. With 4, matrix products,
    1x1 convolutions and embeddings are int4 in blocks of 32 along the summed axis; all other weights are int8.
    Blocked `DequantizeLinear` needs opset 21.

    Args:
        model: a model with its weights inside.
        bits: 8 or 4.
        eight_bit_modules: paths of modules whose weights keep 8 bits, whatever `bits` is.
        eight_bit_weights: names of initializers that keep 8 bits too.
        kept_in_float: names of initializers to leave alone.

    Returns:
        How many weights are stored in `bits` bits.
    """
    graph = model.graph
    stored = {entry.name: entry for entry in graph.initializer}
    done = 0
    for weight in list(_weights(graph, stored, kept_in_float)):
        wide = weight.name in eight_bit_weights
        wide = wide or any(weight.name.startswith(f"{path}.") for path in eight_bit_modules)
        blocked = bits == 4 and not wide and _can_be_blocked(weight)
        if weight.op_type == "Gather":
            added = _blocked_embedding(graph, weight) if blocked else _rows_of_bytes(graph, weight)
        else:
            added = _blocked_weight(graph, weight) if blocked else _channels_of_bytes(graph, weight)
        graph.initializer.remove(stored[weight.name])
        graph.initializer.extend(added)
        done += blocked or bits == 8
    if bits == 4:
        _import_domain(model)
    return done


def _weights(
    graph: onnx.GraphProto, stored: dict[str, TensorProto], kept_in_float: frozenset[str]
) -> Iterator[_Weight]:
    readers: dict[str, list[tuple[onnx.NodeProto, int]]] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name in stored:
                readers.setdefault(name, []).append((node, place))
    for name, uses in readers.items():
        entry = stored[name]
        roles = {_role(node, place) for node, place in uses}
        if name in kept_in_float or entry.data_type != TensorProto.FLOAT or len(roles) != 1:
            continue
        role = roles.pop()
        values = numpy_helper.to_array(entry)
        if role is not None and values.ndim >= 2 and values.size >= LEAST_ELEMENTS:
            yield _Weight(name, *role, values)


def _role(node: onnx.NodeProto, place: int) -> tuple[str, int, int] | None:
    """Op type, axis of output channels and summed axis, where the input is a weight."""
    if node.op_type == "Conv" and place == 1:
        return "Conv", 0, 1
    if node.op_type == "MatMul" and place == 1:
        return "MatMul", 1, 0
    if node.op_type == "Gemm" and place == 1:
        transposed = any(entry.name == "transB" and entry.i for entry in node.attribute)
        return ("Gemm", 0, 1) if transposed else ("Gemm", 1, 0)
    if node.op_type == "Gather" and place == 0:
        return "Gather", 0, 1
    return None


def _can_be_blocked(weight: _Weight) -> bool:
    shape = weight.values.shape
    pointwise = all(size == 1 for size in shape[2:])
    return (pointwise or weight.op_type != "Conv") and shape[weight.summed] % BLOCK == 0


def _channels_of_bytes(graph: onnx.GraphProto, weight: _Weight) -> list[TensorProto]:
    others = tuple(axis for axis in range(weight.values.ndim) if axis != weight.channels)
    bytes_, scale = _rounded(weight.values, np.abs(weight.values).max(axis=others, keepdims=True), 127)
    _read_dequantized(graph, weight, axis=weight.channels)
    return [
        numpy_helper.from_array(bytes_.astype(np.int8), f"{weight.name}_quantized"),
        numpy_helper.from_array(scale.reshape(-1), f"{weight.name}_scale"),
    ]


def _blocked_weight(graph: onnx.GraphProto, weight: _Weight) -> list[TensorProto]:
    nibbles, scale = rounded_in_blocks(weight.values, weight.summed, negative_scales=True)
    _read_dequantized(graph, weight, axis=weight.summed, block_size=BLOCK)
    return [
        helper.make_tensor(f"{weight.name}_quantized", TensorProto.INT4, nibbles.shape, nibbles.reshape(-1)),
        numpy_helper.from_array(scale, f"{weight.name}_scale"),
    ]


def _rows_of_bytes(graph: onnx.GraphProto, weight: _Weight) -> list[TensorProto]:
    # Rows are picked first: a `DequantizeLinear` of the table would convert all of it for every sentence.
    bytes_, scale = _rounded(weight.values, np.abs(weight.values).max(axis=1, keepdims=True), 127)
    for node in [node for node in graph.node if node.op_type == "Gather" and node.input[0] == weight.name]:
        ids, (result,) = node.input[1], node.output
        picked, scales, cast = f"{result}_bytes", f"{result}_scales", f"{result}_cast"
        place = list(graph.node).index(node)
        graph.node.remove(node)
        for offset, new in enumerate(
            (
                helper.make_node("Gather", [f"{weight.name}_quantized", ids], [picked], axis=0),
                helper.make_node("Gather", [f"{weight.name}_scale", ids], [scales], axis=0),
                helper.make_node("Cast", [picked], [cast], to=TensorProto.FLOAT),
                helper.make_node("Mul", [cast, scales], [result]),
            )
        ):
            new.name = f"{node.name}_{new.op_type}_{offset}"
            graph.node.insert(place + offset, new)
    return [
        numpy_helper.from_array(bytes_.astype(np.int8), f"{weight.name}_quantized"),
        numpy_helper.from_array(scale, f"{weight.name}_scale"),
    ]


def _blocked_embedding(graph: onnx.GraphProto, weight: _Weight) -> list[TensorProto]:
    nibbles, scale = rounded_in_blocks(weight.values, weight.summed, negative_scales=True)
    for node in [node for node in graph.node if node.op_type == "Gather" and node.input[0] == weight.name]:
        replaced = helper.make_node(
            "GatherBlockQuantized",
            [f"{weight.name}_quantized", node.input[1], f"{weight.name}_scale"],
            list(node.output),
            name=node.name,
            domain=CONTRIB_DOMAIN,
            gather_axis=0,
            quantize_axis=weight.summed,
            block_size=BLOCK,
        )
        node.CopyFrom(replaced)
    return [
        helper.make_tensor(f"{weight.name}_quantized", TensorProto.INT4, nibbles.shape, nibbles.reshape(-1)),
        numpy_helper.from_array(scale, f"{weight.name}_scale"),
    ]


def _rounded(values: Floats, largest: Floats, most: int) -> tuple[Floats, Floats]:
    """Whole numbers up to `most` in size, and the scales that bring them back."""
    # A block of zeros has any scale.
    scale = np.where(largest > 0, largest / most, 1).astype(np.float32)
    return np.clip(np.rint(values / scale), -most, most), scale


def _read_dequantized(graph: onnx.GraphProto, weight: _Weight, *, axis: int, block_size: int = 0) -> None:
    node = helper.make_node(
        "DequantizeLinear",
        [f"{weight.name}_quantized", f"{weight.name}_scale"],
        # Its readers find it under the weight's own name.
        [weight.name],
        name=f"{weight.name}_dequantized",
        axis=axis,
    )
    if block_size:
        # Opsets before 21 do not have this attribute.
        node.attribute.append(helper.make_attribute("block_size", block_size))
    graph.node.insert(0, node)


def _import_domain(model: onnx.ModelProto) -> None:
    if CONTRIB_DOMAIN not in {entry.domain for entry in model.opset_import}:
        model.opset_import.append(helper.make_opsetid(CONTRIB_DOMAIN, 1))
