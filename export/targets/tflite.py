"""LiteRT (TFLite): converted by litert-torch, quantised by ai-edge-quantizer."""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pocketclip.export import runtimes
from pocketclip.export.artifact.precision_plan import OWN, KeptPrecision, kept_modules
from pocketclip.export.passes.tower_module import NORM_SCOPE
from pocketclip.export.precision import InstructionSet, Precision, TargetName
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.float_ops import OpKind, float_ops
from pocketclip.export.targets.litert_half import allow_half_arithmetic, check_half_range
from pocketclip.export.targets.observed_ranges import outlier_percent
from pocketclip.export.targets.trained_quantization import Limits
from pocketclip.models.quantization.eight_bit_modules import eight_bit_modules
from pocketclip.models.quantization.trained import Side

if TYPE_CHECKING:
    from torch import nn

FILE_NAME = "model.tflite"
# The last product of the L2 norm bears the name of the file's output.
FLOAT_SCOPES = f".*({NORM_SCOPE}|LayerNorm|serving_default_output).*"

Ranges = MutableMapping[str, Any]
MakerTargets = Literal[TargetName.TFLITE_MEDIATEK, TargetName.TFLITE_GOOGLE, TargetName.TFLITE_SAMSUNG]
TfliteTargets = Literal[TargetName.TFLITE, TargetName.TFLITE_QNN] | MakerTargets


class TfliteTarget:
    """Writes `model.tflite`; its one signature is `serving_default`."""

    def lower(self, request: LoweringRequest, folder: Path) -> str:
        path = folder / FILE_NAME
        convert(request, path)
        # What a plan keeps in single precision must be computed so as well.
        half = request.precision is Precision.FP16 and not kept_modules(request.plan, KeptPrecision.FLOAT)
        if half and request.isa is not InstructionSet.X86_64:
            check_half_range(request.module, request.samples)
            allow_half_arithmetic(path)
        return FILE_NAME

    def open(self, model_path: Path, threads: int) -> runtimes.Session:
        return runtimes.open_session("litert", str(model_path), threads)

    def executed_by(self) -> str:
        return runtimes.runtime_version("litert")


def convert(request: LoweringRequest, path: Path, target: TfliteTargets = TargetName.TFLITE) -> None:
    """Writes the tower of a request at its precision."""
    import litert_torch

    converted = litert_torch.convert(request.module, sample_kwargs={request.input_name: request.example})
    if request.precision is Precision.FP32:
        converted.export(str(path))
        return
    plain = path.with_name("plain.tflite")
    converted.export(str(plain))
    _quantize(plain, path, request, target)
    plain.unlink()


def _quantize(source: Path, path: Path, request: LoweringRequest, target: TfliteTargets) -> None:
    from ai_edge_quantizer import algorithm_manager, qtyping, quantizer, recipe

    algorithms = algorithm_manager.AlgorithmName
    names = qtyping.TFLOperationName
    everywhere = names.ALL_SUPPORTED
    operations = {
        OpKind.DEPTHWISE: names.DEPTHWISE_CONV_2D,
        OpKind.ADD: names.ADD,
        OpKind.GELU: names.GELU,
        OpKind.PRODUCT: names.BATCH_MATMUL,
        OpKind.SOFTMAX: names.SOFTMAX,
        OpKind.PAD: names.PAD,
    }
    match request.precision:
        case Precision.FP16:
            chosen = recipe_of_half_weights()
        case Precision.INT8_DYNAMIC:
            chosen = recipe.dynamic_wi8_afp32()
        case Precision.INT8_WEIGHTS:
            chosen = recipe.weight_only_wi8_afp32()
        case Precision.INT4_WEIGHTS:
            chosen = recipe_of_four_bits(_patterns_of_bytes(request))
        case Precision.INT4_DYNAMIC:
            chosen = recipe_of_four_bit_layers(_patterns_of_bytes(request))
        case Precision.W8A16_STATIC:
            chosen = recipe.static_wi8_ai16()
        case _:
            chosen = recipe.static_wi8_ai8()
    worker = quantizer.Quantizer(str(source), chosen)
    kept = [
        pattern
        for path in kept_modules(request.plan, KeptPrecision.FLOAT)
        for pattern in scope_patterns(request.module, path)
    ]
    if not request.precision.needs_calibration:
        if target is TargetName.TFLITE_MEDIATEK:
            # As half floats, the NPU would hand the whole table to the processor, which reads it, in each inference.
            worker.update_quantization_recipe(".*", names.EMBEDDING_LOOKUP, algorithm_key=algorithms.NO_QUANTIZE)
        for pattern in kept:
            worker.update_quantization_recipe(pattern, everywhere, algorithm_key=algorithms.NO_QUANTIZE)
        worker.quantize().export_model(str(path))
        return
    # The file takes and gives floats like those of the other targets: only what lies between is int8.
    for edge in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
        worker.update_quantization_recipe(".*", edge, algorithm_key=algorithms.NO_QUANTIZE)
    worker.update_quantization_recipe(FLOAT_SCOPES, everywhere, algorithm_key=algorithms.NO_QUANTIZE)
    for kind in sorted(float_ops(target, request.isa, request.precision)):
        worker.update_quantization_recipe(".*", operations[kind], algorithm_key=algorithms.NO_QUANTIZE)
    if target in (TargetName.TFLITE, TargetName.TFLITE_MEDIATEK):
        # The processor reads the table, more than half of a text tower. The static recipe has nothing for it: int8
        # rows, read in float.
        worker.update_quantization_recipe(".*", names.EMBEDDING_LOOKUP, op_config=_bytes_read_in_float())
    else:
        # Qualcomm's compiler takes no such rows; the others get what one NPU is known to take.
        worker.update_quantization_recipe(
            ".*", names.EMBEDDING_LOOKUP, op_config=_half_weights(), algorithm_key=algorithms.FLOAT_CASTING
        )
    for module in kept_modules(request.plan, KeptPrecision.INT16):
        for pattern in scope_patterns(request.module, module):
            worker.update_quantization_recipe(pattern, everywhere, op_config=_wide_activations())
            for kind in sorted(float_ops(target, request.isa, Precision.W8A16_STATIC)):
                worker.update_quantization_recipe(pattern, operations[kind], algorithm_key=algorithms.NO_QUANTIZE)
    if kept_modules(request.plan, KeptPrecision.INT16):
        # Their patterns may cover norms and the output, too. A known pattern would keep its place: this is a new one.
        worker.update_quantization_recipe(f"(?:{FLOAT_SCOPES})", everywhere, algorithm_key=algorithms.NO_QUANTIZE)
    for pattern in kept:
        worker.update_quantization_recipe(pattern, everywhere, algorithm_key=algorithms.NO_QUANTIZE)
    ranges = _observed_ranges(source, request)
    ranges |= {name: _within(ranges[name], limits) for name, limits in _trained_ranges(source, request).items()}
    worker.quantize(ranges).export_model(str(path))


def _bytes_read_in_float() -> Any:
    from ai_edge_quantizer import qtyping

    return qtyping.OpQuantizationConfig(
        weight_tensor_config=_bytes_by_channel(), compute_precision=qtyping.ComputePrecision.INTEGER
    )


def _bytes_by_channel() -> Any:
    from ai_edge_quantizer import qtyping

    return qtyping.TensorQuantizationConfig(
        num_bits=8, symmetric=True, granularity=qtyping.QuantGranularity.CHANNELWISE
    )


def _half_weights() -> Any:
    from ai_edge_quantizer import qtyping

    return qtyping.OpQuantizationConfig(
        weight_tensor_config=qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT),
        compute_precision=qtyping.ComputePrecision.FLOAT,
        explicit_dequantize=True,
    )


def _wide_activations() -> Any:
    from ai_edge_quantizer import qtyping

    return qtyping.OpQuantizationConfig(
        activation_tensor_config=qtyping.TensorQuantizationConfig(num_bits=16, symmetric=True),
        weight_tensor_config=_bytes_by_channel(),
        compute_precision=qtyping.ComputePrecision.INTEGER,
    )


def recipe_of_half_weights() -> Any:
    from ai_edge_quantizer import algorithm_manager, qtyping, recipe_manager

    manager = recipe_manager.RecipeManager()
    manager.add_weight_only_config(
        ".*",
        qtyping.TFLOperationName.ALL_SUPPORTED,
        num_bits=16,
        granularity=qtyping.QuantGranularity.TENSORWISE,
        algorithm_key=algorithm_manager.AlgorithmName.FLOAT_CASTING,
    )
    return manager.get_quantization_recipe()


def recipe_of_four_bits(eight_bit_patterns: Sequence[str]) -> Any:
    from ai_edge_quantizer import qtyping, recipe_manager

    names = qtyping.TFLOperationName
    manager = recipe_manager.RecipeManager()
    manager.add_weight_only_config(".*", names.ALL_SUPPORTED, num_bits=8)
    for operation in (names.FULLY_CONNECTED, names.CONV_2D, names.EMBEDDING_LOOKUP):
        manager.add_weight_only_config(".*", operation, num_bits=4)
    for pattern in eight_bit_patterns:
        manager.add_weight_only_config(pattern, names.ALL_SUPPORTED, num_bits=8)
    return manager.get_quantization_recipe()


def recipe_of_four_bit_layers(eight_bit_patterns: Sequence[str]) -> Any:
    from ai_edge_quantizer import qtyping, recipe_manager

    names = qtyping.TFLOperationName
    manager = recipe_manager.RecipeManager()
    manager.add_dynamic_config(".*", names.ALL_SUPPORTED, num_bits=8)
    for operation in (names.FULLY_CONNECTED, names.EMBEDDING_LOOKUP):
        manager.add_dynamic_config(".*", operation, num_bits=4)
    for pattern in eight_bit_patterns:
        manager.add_dynamic_config(pattern, names.ALL_SUPPORTED, num_bits=8)
    return manager.get_quantization_recipe()


def scope_pattern(module_path: str) -> str:
    """A regular expression for the names that the converter gives to what comes from a module.

    It joins each module's class and name by an underscore, and modules by slashes.
    """
    return ".*" + "/".join(f"[^/;]*_{part}" for part in module_path.split(".")) + "[/;].*"


def scope_patterns(tower: nn.Module, module_path: str) -> list[str]:
    """Expressions for all that comes from a module and what is in it; the empty path is the whole tower.

    A module whose parts are called one by one, as the text encoder is, does not appear in their names.
    """
    if not module_path:
        return [".*"]
    if module_path == OWN:
        # A name without modules below the tower; several names may be joined by semicolons.
        return [r"(.*;)?[^/;]+;[^/]*"]
    if module_path.endswith(OWN):
        path = module_path.removesuffix(OWN)
        return [scope_pattern(each).replace("[/;].*", ";.*") for each in (path, path.partition(".")[2]) if each]
    module = dict(tower.named_modules()).get(module_path)
    children = [f"{module_path}.{name}" for name, _ in (module.named_children() if module is not None else ())]
    inner = [path.partition(".")[2] for path in (module_path, *children)]
    return [scope_pattern(path) for path in (module_path, *children, *inner) if path]


def _patterns_of_bytes(request: LoweringRequest) -> list[str]:
    """Of modules that keep 8 bits where the rest has 4: the sensitive ones, and those of the plan."""
    kept = kept_modules(request.plan, KeptPrecision.INT8)
    planned = [pattern for path in kept for pattern in scope_patterns(request.module, path)]
    return [*map(scope_pattern, eight_bit_modules(request.module)), *planned]


def _observed_ranges(source: Path, request: LoweringRequest) -> dict[str, Any]:
    """Ranges of all tensors over the calibration inputs."""
    from ai_edge_quantizer import calibrator

    # The quantiser's own update is a moving average, in which the last twenty samples alone decide.
    observer = calibrator.CalibrationInterpreter(
        str(source), calibrator.CalibrationMode.CALIBRATION_PRESERVE_ALL_TENSORS, _keep_every_range
    )
    run = observer.get_signature_runner("serving_default")
    for array in request.calibration:
        run(**{request.input_name: array})
    outliers = outlier_percent(request.precision)
    return {name: _typical_range(observed, outliers) for name, observed in observer.get_calibration_results().items()}


def _trained_ranges(source: Path, request: LoweringRequest) -> dict[str, Limits]:
    """By the names of tensors: what goes into and comes out of the modules that have trained ranges."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    products = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.FULLY_CONNECTED)
    patterns = {
        module: re.compile("|".join(scope_patterns(request.module, module))) for module in request.ranges.modules
    }
    model: Any = tfl_flatbuffer_utils.read_model(str(source))
    found: dict[str, Limits] = {}
    for graph in model.subgraphs if patterns else ():
        for op in graph.operators:
            if model.operatorCodes[op.opcodeIndex].builtinCode not in products:
                continue
            read, given = (
                tfl_flatbuffer_utils.get_tensor_name(graph.tensors[ids[0]]) for ids in (op.inputs, op.outputs)
            )
            module = next((each for each, pattern in patterns.items() if pattern.fullmatch(given)), "")
            if limits := request.ranges.of(module, Side.INPUT):
                found[read] = limits
            if limits := request.ranges.of(module, Side.OUTPUT):
                # With its activation in the op, there is no value before it.
                fused = op.builtinOptions.fusedActivationFunction != schema.ActivationFunctionType.NONE
                found[given] = (0.0, limits[1]) if fused else limits
    return found


def _within(observed: Ranges, limits: Limits) -> Ranges:
    """The same entry of a tensor with other limits."""
    low, high = (np.full_like(observed[name], limit) for name, limit in zip(("min", "max"), limits, strict=True))
    return {**observed, "min": low, "max": high}


def _keep_every_range(kept: Ranges, new: Ranges) -> Ranges:
    lows, highs = kept.get("lows", [kept["min"]]), kept.get("highs", [kept["max"]])
    return {**kept, "lows": [*lows, new["min"]], "highs": [*highs, new["max"]]}


def _typical_range(observed: Ranges, outliers: float) -> Ranges:
    """The range of a tensor that all but the most extreme samples stay within."""
    if "lows" not in observed or np.asarray(observed["min"]).dtype.kind != "f":
        return {name: value for name, value in observed.items() if name not in ("lows", "highs")}
    lows, highs = np.stack(observed["lows"]), np.stack(observed["highs"])
    return {
        "min": np.percentile(lows, outliers, axis=0).astype(lows.dtype),
        "max": np.percentile(highs, 100 - outliers, axis=0).astype(highs.dtype),
    }
