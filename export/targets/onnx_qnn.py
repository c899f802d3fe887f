"""Snapdragon's NPU by ONNX Runtime: one ONNX file, and a graph that is prepared for each chip, run by the emulator.

QNN takes what ONNX Runtime's tools for it write: unsigned activations, signed weights by channel. Of a layer norm it
refuses signed weights (QNN 2.49, error 3110). In int8-static, an image tower's stem, down-samplers and projection give
16-bit values, since no residual branch carries the values past them: of the nano's scenes 0.5 points are lost instead
of 1.25, and its graph grows by 1 %.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Set
from dataclasses import replace
from pathlib import Path

import onnx

from pocketclip.export import runtimes
from pocketclip.export.artifact.precision_plan import KeptPrecision, kept_modules
from pocketclip.export.npu.emulator import EmulatedContext, EmulatedSession, artifact_folder, prepare
from pocketclip.export.npu.npu_report import write_report
from pocketclip.export.npu.qualcomm import package_version
from pocketclip.export.npu.socs import DEFAULT_SOCS, SOCS
from pocketclip.export.precision import InstructionSet, Precision
from pocketclip.export.targets import onnx as onnx_target
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.observed_ranges import outlier_percent
from pocketclip.models.quantization.eight_bit_modules import eight_bit_modules

FILE_NAME = "model.onnx"


class OnnxQnnTarget:
    """Writes `model.onnx`, which any phone's NPU provider can take, and a prepared graph for each chip."""

    def lower(self, request: LoweringRequest, folder: Path) -> str:
        path = folder / FILE_NAME
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            plain = Path(scratch) / FILE_NAME
            onnx_target.export_graph(request, plain)
            _REDUCTIONS[request.precision](plain, path, request)
        onnx_target.finish(path)
        contexts, sdk = [], ""
        for name in request.socs or DEFAULT_SOCS:
            context, sdk = prepare(path, SOCS[name], folder)
            contexts.append(context)
        write_report(contexts, folder, sdk=sdk, package=package_version())
        return FILE_NAME

    def open(self, model_path: Path, threads: int) -> runtimes.Session:
        return EmulatedSession(artifact_folder(model_path))

    def open_prepared(self, path: Path, soc: str) -> runtimes.Session:
        return EmulatedContext(path, soc)

    def executed_by(self) -> str:
        return f"emulated Hexagon NPU, {package_version()}, {runtimes.runtime_version('onnxruntime')}"


def _convert_to_half(source: Path, path: Path, request: LoweringRequest) -> None:
    # The NPU has no ops that are slow in half floats.
    onnx_target.convert_to_half(source, path, replace(request, isa=InstructionSet.X86_64))


def _quantize(source: Path, path: Path, request: LoweringRequest) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import CalibrationDataReader, save_tensors_data
    from onnxruntime.quantization.execution_providers.qnn import get_qnn_qdq_config

    class NoData(CalibrationDataReader):
        """Ranges are known already."""

        def get_next(self) -> dict:
            raise StopIteration

    wide = request.precision is Precision.W8A16_STATIC
    prepared = onnx_target.prepare(source)
    plain = onnx.load(source)
    ranges = source.with_name("ranges.json")
    outliers = outlier_percent(request.precision)
    save_tensors_data(onnx_target.value_ranges(prepared, request, plain, outlier_percent=outliers), ranges)
    kept = onnx_target.after_fusion(onnx_target.nodes_in_float(plain, request), prepared)
    in_16_bits = (*kept_modules(request.plan, KeptPrecision.INT16), *eight_bit_modules(request.module))
    fine = onnx_target.after_fusion(onnx_target.nodes_of(plain, in_16_bits), prepared)
    graph = onnx.load(prepared)
    overrides = {
        **{name: [{"quant_type": QuantType.QUInt8}] for name in _norm_weights(graph)},
        **{name: [{"quant_type": QuantType.QUInt16}] for name in _given_by(graph, set(fine).difference(kept))},
    }
    config = get_qnn_qdq_config(
        graph,
        NoData(),
        activation_type=QuantType.QUInt16 if wide else QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        init_overrides=overrides,
        nodes_to_exclude=kept,
    )
    quantize_static(
        str(prepared),
        str(path),
        calibration_cache_path=ranges,
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=config.op_types_to_quantize,
        per_channel=config.per_channel,
        activation_type=config.activation_type,
        weight_type=config.weight_type,
        nodes_to_exclude=kept,
        extra_options=config.extra_options,
    )


def _given_by(model: onnx.ModelProto, nodes: Set[str]) -> list[str]:
    """Names of the values that nodes give."""
    return [name for node in model.graph.node if node.name in nodes for name in node.output if name]


def _norm_weights(model: onnx.ModelProto) -> list[str]:
    """Names of what layer norms multiply by."""
    return [node.input[1] for node in model.graph.node if node.op_type == "LayerNormalization"]


_REDUCTIONS: dict[Precision, Callable[[Path, Path, LoweringRequest], None]] = {
    Precision.FP16: _convert_to_half,
    Precision.INT8_STATIC: _quantize,
    Precision.W8A16_STATIC: _quantize,
}
