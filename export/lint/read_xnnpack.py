"""Reads what ExecuTorch hands to XNNPACK: the graph inside a delegate's payload, by ExecuTorch's own schema."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import XNNHeader
from executorch.exir._serialize._flatbuffer import _run_flatc

from pocketclip.export.lint.graph import Op, Value, Weight, typed, weight_of
from pocketclip.export.lint.op_kinds import kind_of

_SCHEMA = "schema.fbs"
_DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "pfp32": "float32"}
_QUANTISED = re.compile(r"q[cdpb]?u?int(\d+)")
# flatc writes bounds that are not set in a form that JSON does not know.
_NOT_FINITE = re.compile(rb":\s*-?(inf|nan)\b")
_CONCATENATE = re.compile(r"XNNConcatenate(\d)")
_ABSENT = 2**32 - 1


@dataclass(frozen=True)
class DelegateGraph:
    """The ops inside a delegate; `public` has the names of the values that its caller gives and takes, in order."""

    ops: tuple[Op, ...]
    values: dict[str, Value]
    weights: list[Weight]
    public: list[str]


def read_xnnpack(payloads: list[bytes], named: Mapping[str, bytes]) -> list[DelegateGraph]:
    """The graphs in the payloads of XNNPACK's delegates, read in one call of flatc.

    Args:
        payloads: as the `.pte` stores them.
        named: weights that the `.pte` itself stores, by their keys.
    """
    if not payloads:
        return []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        schema = resources.files("executorch.backends.xnnpack.serialization") / _SCHEMA
        (folder / _SCHEMA).write_bytes(schema.read_bytes())
        paths = [folder / f"graph{number}.bin" for number in range(len(payloads))]
        for path, payload in zip(paths, payloads, strict=True):
            path.write_bytes(_graph_bytes(payload))
        options = ["--json", "--strict-json", "--defaults-json", "-o", scratch, str(folder / _SCHEMA), "--"]
        try:
            _run_flatc([*options, *map(str, paths)])
        except subprocess.SubprocessError as error:
            raise ValueError("the payload of the XNNPACK delegate is damaged") from error
        texts = [path.with_suffix(".json").read_bytes() for path in paths]
    return [
        _graph(json.loads(_NOT_FINITE.sub(b": null", text)), f"delegate {number}", payload, named)
        for number, (text, payload) in enumerate(zip(texts, payloads, strict=True))
    ]


def _header(payload: bytes) -> XNNHeader:
    return XNNHeader.from_bytes(payload[: XNNHeader.EXPECTED_LENGTH])


def _graph_bytes(payload: bytes) -> bytes:
    header = _header(payload)
    return payload[header.flatbuffer_offset : header.flatbuffer_offset + header.flatbuffer_size]


def _graph(content: dict[str, Any], prefix: str, payload: bytes, named: Mapping[str, bytes]) -> DelegateGraph:
    values: dict[str, Value] = {}
    quantized: dict[str, int] = {}
    constants: dict[str, int] = {}
    for entry in content["xvalues"]:
        given = entry["xvalue_union"]
        tensor = given.get("tensor_value", given)
        name = f"{prefix}.{tensor['id_out']}"
        stored = str(tensor["datatype"]).removeprefix("xnn_datatype_")
        bits = _QUANTISED.fullmatch(stored)
        if bits:
            quantized[name] = int(bits[1])
        dtype = f"int{bits[1]}" if bits else _DTYPES.get(stored, stored)
        values[name] = Value(name, dtype, tuple(tensor.get("dims", ())))
        if tensor["constant_buffer_idx"]:
            constants[name] = tensor["constant_buffer_idx"]
    ops = tuple(_op(node, prefix, set(constants), quantized) for node in content["xnodes"])
    public = [f"{prefix}.{index}" for key in ("input_ids", "output_ids") for index in sorted(content.get(key, ()))]
    base = _header(payload).constant_data_offset
    weights: list[Weight] = []
    for name, index in constants.items():
        place = content["constant_data"][index]
        key, start = str(place.get("named_key", "")), base + int(place["offset"])
        content_bytes = named[key] if key else payload[start : start + place["size"]]
        weights.append(_weight(name, values[name].dtype, content_bytes, f"named {key}" if key else f"{name} inline"))
    return DelegateGraph(ops, values, weights, public)


def _op(node: dict[str, Any], prefix: str, constants: set[str], quantized: dict[str, int]) -> Op:
    name, fields = node["xnode_union_type"], node["xnode_union"]
    ids = {key: index for key, index in fields.items() if key.endswith("_id") and index != _ABSENT}
    many = _CONCATENATE.fullmatch(name)
    if many:
        # The inputs beyond those that are joined are written as value 0.
        ids = {key: index for key, index in ids.items() if key == "output_id" or int(key[len("input")]) <= int(many[1])}
    inputs = tuple(f"{prefix}.{index}" for key, index in ids.items() if not key.startswith("output"))
    outputs = tuple(f"{prefix}.{index}" for key, index in ids.items() if key.startswith("output"))
    kind = kind_of("XNNConcatenate" if many else name, constant_operand=any(each in constants for each in inputs[:2]))
    bits = quantized.get(inputs[0]) if inputs else None
    return Op(name, kind, f"{name} {outputs[0] if outputs else ''} (delegated)", inputs, outputs, True, bits)


def _weight(name: str, dtype: str, stored: bytes, place: str) -> Weight:
    # Elements of fewer than 8 bits lie packed, and numpy has no name for them.
    return weight_of(name, typed(np.frombuffer(stored, np.uint8), dtype), dtype=dtype, place=place)
