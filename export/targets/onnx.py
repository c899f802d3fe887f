"""ONNX: torch's exporter, ONNX Runtime's quantiser and CPU provider."""

from __future__ import annotations

import ast
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch

from pocketclip.export import runtimes
from pocketclip.export.artifact.precision_plan import KeptPrecision, covers, kept_modules
from pocketclip.export.passes.tower_module import NORM_SCOPE
from pocketclip.export.precision import InstructionSet, Precision, TargetName
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.float_ops import OpKind, float_ops
from pocketclip.export.targets.observed_ranges import RangeObserver
from pocketclip.export.targets.onnx_weights import quantize_weights
from pocketclip.export.targets.trained_quantization import Limits
from pocketclip.models.quantization.eight_bit_modules import eight_bit_modules
from pocketclip.models.quantization.schemes import OUTLIER_PERCENT
from pocketclip.models.quantization.trained import Side

if TYPE_CHECKING:
    from onnxruntime.quantization.calibrate import TensorsData

# With it came Gelu as one op, which ONNX Runtime computes in its blocked layout: as the five ops of older opsets, S0's
# image tower took 1.35 times as long. ONNX Runtime Mobile reads it since 1.17.
OPSET = 20
# Blocked `DequantizeLinear` and 4-bit integers came with it; ONNX Runtime Mobile reads it since 1.18.
INT4_OPSET = 21
FILE_NAME = "model.onnx"
# The matrix of zeros and ones by which the first end of text is found: it must stay exact.
EXACT_CONSTANTS = frozenset({"earlier"})
# What a dense convolution or a linear layer becomes.
_PRODUCTS = ("Conv", "Gemm", "MatMul")
# ONNX Runtime has half kernels for Arm of convolutions, products and GELU. These ops it computes one value at a time,
# in some 40 instructions each; a conversion to float takes less than one.
_SLOW_IN_HALF = ("Add", "Div", "LayerNormalization", "Mul", "Softmax", "Sub")
_RESHAPES = ("Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
# Where torch's exporter writes the list of module paths that lead to a node.
SCOPES_KEY = "pkg.torch.onnx.name_scopes"


class OnnxTarget:
    """Writes `model.onnx` with its weights inside."""

    def lower(self, request: LoweringRequest, folder: Path) -> str:
        path = folder / FILE_NAME
        if request.precision is Precision.FP32:
            export_graph(request, path)
        else:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                plain = Path(scratch) / FILE_NAME
                export_graph(request, plain)
                _REDUCTIONS[request.precision](plain, path, request)
        finish(path)
        return FILE_NAME

    def open(self, model_path: Path, threads: int) -> runtimes.Session:
        return runtimes.open_session("onnxruntime", str(model_path), threads)

    def executed_by(self) -> str:
        return runtimes.runtime_version("onnxruntime")


def export_graph(request: LoweringRequest, path: Path) -> None:
    """Writes the tower as torch's exporter converts it, with the request's names of input and output."""
    opset = INT4_OPSET if request.precision is Precision.INT4_WEIGHTS else OPSET
    program = torch.onnx.export(request.module, (request.example,), dynamo=True, opset_version=opset, verbose=False)
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


def finish(path: Path) -> None:
    """Drops what costs bytes or shuts out old runtimes and is of no use to any.

    The source lines that the exporter notes at every node are up to 30 % of a small model's file. Runtimes refuse
    newer IR versions and opsets, those of domains that no node is from too.
    """
    model = onnx.load(path)
    graph = model.graph
    for entry in (*graph.node, *graph.value_info, *graph.initializer, *graph.input, *graph.output, graph):
        del entry.metadata_props[:]
    used = {node.domain for node in graph.node} | {""}
    imports = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(imports)
    model.ir_version = onnx.helper.find_min_ir_version_for(imports, ignore_unknown=True)
    onnx.save(model, path)


def convert_to_half(source: Path, path: Path, request: LoweringRequest) -> None:
    """Weights and ops in half floats, but for the L2 norm and, for Arm, what is slow in half there."""
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    model = onnx.load(source)
    in_float = nodes_in_float(model, request)
    if request.isa is not InstructionSet.X86_64:
        in_float += _slow_in_half(model)
    model = convert_float_to_float16(model, keep_io_types=True, node_block_list=in_float, disable_shape_infer=False)
    # The converter puts its casts behind all other nodes, and keeps the types from before.
    OnnxModel(model).topological_sort(is_deterministic=True)
    del model.graph.value_info[:]
    onnx.save(onnx.shape_inference.infer_shapes(model, strict_mode=True), path)


def _slow_in_half(model: onnx.ModelProto) -> list[str]:
    """Nodes of the ops in `_SLOW_IN_HALF`, but for biases: ONNX Runtime adds them within the product before."""
    products = {node.output[0] for node in model.graph.node if node.op_type == "MatMul"}
    weights = {entry.name for entry in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type in _SLOW_IN_HALF
        and not (node.op_type == "Add" and products.intersection(node.input) and weights.intersection(node.input))
    ]


def _quantize_dynamic(source: Path, path: Path, request: LoweringRequest) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    prepared = prepare(source)
    quantize_dynamic(
        prepared,
        path,
        per_channel=True,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=after_fusion(nodes_in_float(onnx.load(source), request), prepared),
    )


def _quantize_weights(source: Path, path: Path, request: LoweringRequest) -> None:
    model = onnx.load(source)
    quantize_weights(
        model,
        request.precision.traits.weight_bits,
        eight_bit_modules=eight_bit_modules(request.module),
        eight_bit_weights=_read_by(model, kept_modules(request.plan, KeptPrecision.INT8)),
        kept_in_float=EXACT_CONSTANTS | _read_by(model, kept_modules(request.plan, KeptPrecision.FLOAT)),
    )
    onnx.save(model, path)


def _quantize_static(source: Path, path: Path, request: LoweringRequest) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import save_tensors_data

    prepared = prepare(source)
    # Ranges reach the quantiser by its cache. Its own percentiles hold every activation of every sample in memory
    # (5 GB for MobileCLIP-S0), and end with an error where an activation hardly varies.
    ranges = source.with_name("ranges.json")
    save_tensors_data(value_ranges(prepared, request, onnx.load(source)), ranges)
    quantize_static(
        str(prepared),
        str(path),
        calibration_cache_path=ranges,
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        # ONNX Runtime's x86 kernels are fast for uint8 activations only, Arm's for both.
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=[
            *after_fusion(nodes_in_float(onnx.load(source), request), prepared),
            *_first_convolution(onnx.load(prepared), request),
        ],
    )


def _first_convolution(model: onnx.ModelProto, request: LoweringRequest) -> list[str]:
    """The name of the first convolution, where it stays in float."""
    if OpKind.FIRST_CONVOLUTION not in float_ops(TargetName.ONNX, request.isa):
        return []
    return [node.name for node in model.graph.node if node.op_type == "Conv"][:1]


def value_ranges(
    prepared: Path, request: LoweringRequest, source: onnx.ModelProto, *, outlier_percent: float = OUTLIER_PERCENT
) -> TensorsData:
    """Ranges of all float values: trained ones, and for all others those over the calibration inputs.

    Args:
        prepared: the graph whose values are observed.
        request: with the trained ranges and the calibration inputs.
        source: the graph before it was prepared, whose nodes name their modules.
        outlier_percent: of the samples, those at either end whose extremes a range leaves out.
    """
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData, TensorsData

    ranges = {
        **_observed_ranges(prepared, request, outlier_percent),
        **_trained_ranges(onnx.load(prepared), request, source),
    }
    return TensorsData(
        CalibrationMethod.MinMax,
        {name: TensorData(lowest=np.float32(low), highest=np.float32(high)) for name, (low, high) in ranges.items()},
    )


def _trained_ranges(prepared: onnx.ModelProto, request: LoweringRequest, source: onnx.ModelProto) -> dict[str, Limits]:
    """By the names of values: what goes into the first op of a module that has trained ranges, and out of its last."""
    found: dict[str, Limits] = {}
    makers = {name: node for node in prepared.graph.node for name in node.output}
    for module in sorted(request.ranges.modules):
        own = {node.name for node in source.graph.node if _module_path(node)[-2:-1] == [module]}
        nodes = [node for node in prepared.graph.node if node.name.partition("/")[0] in own]
        products = [node for node in nodes if node.op_type in _PRODUCTS]
        if products and (limits := request.ranges.of(module, Side.INPUT)):
            found.update(dict.fromkeys(_same_values(products[0].input[0], makers), limits))
        if products and (limits := request.ranges.of(module, Side.OUTPUT)):
            # The sum with the bias comes after a matrix product.
            found[[node for node in nodes if node.op_type in (*_PRODUCTS, "Add")][-1].output[0]] = limits
    return found


def _same_values(name: str, makers: Mapping[str, onnx.NodeProto]) -> Iterator[str]:
    """A value and what it was before its shape changed: the quantiser gives both the range of the latter."""
    yield name
    while name in makers and makers[name].op_type in _RESHAPES:
        name = makers[name].input[0]
        yield name


def _observed_ranges(prepared: Path, request: LoweringRequest, outlier_percent: float) -> dict[str, Limits]:
    """Ranges of all float values over the calibration inputs."""
    import onnxruntime

    model = onnx.load(prepared)
    public = {value.name for value in model.graph.output}
    inner = [name for node in model.graph.node for name in node.output if name and name not in public]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in inner)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    floats = [value.name for value in session.get_outputs() if value.type == "tensor(float)"]
    observer = RangeObserver([*floats, request.input_name] if request.example.is_floating_point() else floats)
    for array in request.calibration:
        for name, values in zip(floats, session.run(floats, {request.input_name: array}), strict=True):
            observer.observe(name, np.asarray(values))
        if request.input_name in observer.names:
            observer.observe(request.input_name, array)
    return observer.ranges(outlier_percent)


def prepare(source: Path) -> Path:
    """A copy with shapes inferred and constants folded, as the quantisers want it."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    # The quantisers log advice about steps that are taken here.
    logging.getLogger().setLevel(logging.ERROR)
    prepared = source.with_name("prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    return prepared


def nodes_in_float(model: onnx.ModelProto, request: LoweringRequest) -> list[str]:
    """Names of the nodes that come from the L2 norm, or from modules that the plan keeps in floating point."""
    return nodes_of(model, (NORM_SCOPE, *kept_modules(request.plan, KeptPrecision.FLOAT)))


def nodes_of(model: onnx.ModelProto, modules: Sequence[str]) -> list[str]:
    """Names of the nodes that come from these modules."""
    return [node.name for node in model.graph.node if _comes_from(modules, node)]


def _comes_from(modules: Sequence[str], node: onnx.NodeProto) -> bool:
    # The last entry is the op itself.
    scopes = _module_path(node)
    return len(scopes) > 1 and covers(modules, scopes[-2])


def _read_by(model: onnx.ModelProto, modules: Sequence[str]) -> frozenset[str]:
    """Names of what the nodes of these modules read: a linear layer's weight does not bear its module's name."""
    return frozenset(name for node in model.graph.node if _comes_from(modules, node) for name in node.input)


def after_fusion(names: Sequence[str], prepared: Path) -> list[str]:
    """Names that the nodes have once they are prepared: one that was fused keeps its own and adds the fusion's."""
    wanted = set(names)
    found = [node.name for node in onnx.load(prepared).graph.node if node.name.partition("/")[0] in wanted]
    # Before it quantises, the dynamic quantiser takes each Gemm apart again and names the product after it.
    return [*found, *(f"{name}_MatMul" for name in found)]


def _module_path(node: onnx.NodeProto) -> list[str]:
    # Other entries quote source lines, which name the norm for every node of the encoder it is called on.
    scopes = {entry.key: entry.value for entry in node.metadata_props}.get(SCOPES_KEY, "[]")
    return ast.literal_eval(scopes)


_REDUCTIONS: dict[Precision, Callable[[Path, Path, LoweringRequest], None]] = {
    Precision.FP16: convert_to_half,
    Precision.INT8_DYNAMIC: _quantize_dynamic,
    Precision.INT8_STATIC: _quantize_static,
    Precision.INT8_WEIGHTS: _quantize_weights,
    Precision.INT4_WEIGHTS: _quantize_weights,
}
