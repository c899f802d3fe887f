"""ONNX: torch's exporter, ONNX Runtime's quantiser and CPU provider."""

from __future__ import annotations

import ast
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch

from export import runtimes
from export.precision import Precision
from export.targets.base import LoweringRequest
from export.tower_module import NORM_SCOPE

# The newest opset that every ONNX Runtime Mobile since 1.14 reads.
OPSET = 18
FILE_NAME = "model.onnx"
# Where torch's exporter writes the list of module paths that lead to a node.
SCOPES_KEY = "pkg.torch.onnx.name_scopes"


class OnnxTarget:
    """Writes `model.onnx` with its weights inside."""

    def lower(self, request: LoweringRequest, folder: Path) -> str:
        path = folder / FILE_NAME
        if request.precision is Precision.FP32:
            _export(request, path)
        else:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                plain = Path(scratch) / FILE_NAME
                _export(request, plain)
                _quantize_static(plain, path, request)
        return FILE_NAME

    def open(self, model_path: Path, threads: int) -> runtimes.Session:
        return runtimes.open_session("onnxruntime", str(model_path), threads)

    def executed_by(self) -> str:
        return runtimes.runtime_version("onnxruntime")


def _export(request: LoweringRequest, path: Path) -> None:
    program = torch.onnx.export(request.module, (request.example,), dynamo=True, opset_version=OPSET, verbose=False)
    assert program is not None
    graph = program.model.graph
    # The exporter names values after torch's ops, one of which is called `embedding` too: make room first.
    public = {request.input_name, request.output_name}
    for node in graph:
        for value in node.outputs:
            if value.name in public:
                value.name = f"{value.name}_value"
    graph.inputs[0].name = request.input_name
    graph.outputs[0].name = request.output_name
    onnx.save(program.model_proto, path)


def _quantize_static(source: Path, path: Path, request: LoweringRequest) -> None:
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        """Feeds the calibration inputs one by one."""

        def __init__(self, name: str, inputs: Sequence[np.ndarray]) -> None:
            self._feeds: Iterator[dict[str, np.ndarray]] = iter([{name: array} for array in inputs])

        # Its end is None, which the base class does in fact expect.
        def get_next(self) -> dict[str, np.ndarray] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
            return next(self._feeds, None)

    # Both log advice about steps that are taken here.
    logging.getLogger().setLevel(logging.ERROR)
    prepared = source.with_name("prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(path),
        Reader(request.input_name, request.calibration),
        quant_format=QuantFormat.QDQ,
        # Single outliers stretch the range for all others: closer to PyTorch than minimum and maximum.
        calibrate_method=CalibrationMethod.Percentile,
        per_channel=True,
        # ONNX Runtime's x86 kernels are fast for uint8 activations only, Arm's for both.
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=_nodes_in_float(source),
    )


def _nodes_in_float(path: Path) -> list[str]:
    """Names of the nodes that come from the module of the L2 norm."""
    return [node.name for node in onnx.load(path).graph.node if NORM_SCOPE in _module_path(node)]


def _module_path(node: onnx.NodeProto) -> list[str]:
    # Other entries quote source lines, which name the norm for every node of the encoder it is called on.
    scopes = {entry.key: entry.value for entry in node.metadata_props}.get(SCOPES_KEY, "[]")
    return ast.literal_eval(scopes)
