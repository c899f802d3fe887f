"""Files that LiteRT's compiler made, run by Qualcomm's emulator: LiteRT itself cannot run them on Linux.

Such a file has one op, which names a stretch of bytes behind the model: the graph as Qualcomm's library prepared it.
ONNX Runtime loads the same bytes from a file of its own that refers to them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pocketclip.export.array_pipe import ArrayProcess, ProcessFault
from pocketclip.export.errors import ArtifactCorruptError
from pocketclip.export.npu import litert_libraries
from pocketclip.export.npu.socs import SOCS
from pocketclip.models.errors import first_line

BINARY_NAME, WRAPPER_NAME = "graph.bin", "graph.onnx"
_DISPATCH = b"DISPATCH_OP"
_SERVER = "pocketclip.export.npu.context_server"


@dataclass(frozen=True)
class PreparedGraph:
    """The one graph of a compiled file: its name, its bytes, and names, types and shapes of what goes in and out."""

    name: str
    content: bytes
    inputs: tuple[tuple[str, int, tuple[int, ...]], ...]
    outputs: tuple[tuple[str, int, tuple[int, ...]], ...]


class EmulatedFile:
    """A compiled file for one chip, run by the emulator in a process of its own: right values, no meaningful time."""

    def __init__(self, path: Path, soc: str) -> None:
        """Starts the process; files that it refuses show when they run.

        Raises:
            ArtifactCorruptError: it is no compiled file, or for a chip that is not known.
        """
        if soc not in SOCS:
            raise ArtifactCorruptError(f"{path} is for {soc}, which is not known here")
        graph = read_graph(path)
        self._path = path
        self._folder = tempfile.TemporaryDirectory(prefix="pocketclip-npu-")
        place = Path(self._folder.name)
        (place / BINARY_NAME).write_bytes(graph.content)
        _write_wrapper(graph, place / WRAPPER_NAME)
        self._process = ArrayProcess(_SERVER, [str(place / WRAPPER_NAME), soc], litert_libraries.environment())

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        (given,) = inputs
        try:
            return [self._process.ask(given)]
        except ProcessFault as fault:
            raise ArtifactCorruptError(
                f"{self._path} cannot be run: {fault}; this is {litert_libraries.package_version()}"
            ) from fault

    def close(self) -> None:
        self._process.close()
        self._folder.cleanup()


def read_graph(path: Path) -> PreparedGraph:
    """The prepared graph of a compiled file.

    Raises:
        ArtifactCorruptError: it cannot be read, or holds anything but one graph for the NPU.
    """
    from ai_edge_litert.tools import flatbuffer_utils
    from flatbuffers import flexbuffers

    try:
        content = path.read_bytes()
        model: Any = flatbuffer_utils.read_model(str(path))
        (graph,) = model.subgraphs
        (op,) = graph.operators
        code = model.operatorCodes[op.opcodeIndex].customCode
        facts: Any = flexbuffers.Loads(bytes(op.customOptions))
        name, start, size = (facts[key] for key in ("name", "bytecode_offset", "bytecode_size"))
        inputs, outputs = (
            tuple(
                (graph.tensors[place].name.decode(), int(graph.tensors[place].type), _shape(graph, place))
                for place in ids
            )
            for ids in (op.inputs, op.outputs)
        )
    except Exception as error:
        # flatbuffers raises whatever a damaged file leads it to.
        raise ArtifactCorruptError(f"{path} is no file of LiteRT's compiler: {first_line(error)}") from error
    whole = _is_count(start) and _is_count(size) and 0 < size <= len(content) - start
    if code != _DISPATCH or not isinstance(name, str) or not whole or len(inputs) != 1 or len(outputs) != 1:
        raise ArtifactCorruptError(f"{path} is no file of LiteRT's compiler with one graph for the NPU")
    return PreparedGraph(name, content[start : start + size], inputs, outputs)


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _shape(graph: Any, place: int) -> tuple[int, ...]:
    return tuple(int(size) for size in graph.tensors[place].shape)


def _write_wrapper(graph: PreparedGraph, path: Path) -> None:
    """An ONNX file that refers to the graph's bytes beside it."""
    import onnx
    from ai_edge_litert import schema_py_generated as schema

    types = {schema.TensorType.FLOAT32: onnx.TensorProto.FLOAT, schema.TensorType.INT32: onnx.TensorProto.INT32}
    inputs, outputs = (
        [onnx.helper.make_tensor_value_info(name, types[kind], shape) for name, kind, shape in values]
        for values in (graph.inputs, graph.outputs)
    )
    node = onnx.helper.make_node(
        "EPContext",
        [value.name for value in inputs],
        [value.name for value in outputs],
        name=graph.name,
        domain="com.microsoft",
        ep_cache_context=BINARY_NAME,
        embed_mode=0,
        main_context=1,
        source="QNN",
        partition_name=graph.name,
    )
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.microsoft", 1)]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", inputs, outputs), opset_imports=opsets)
    model.ir_version = 9
    onnx.save(model, path)
