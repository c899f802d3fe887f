"""LiteRT (TFLite): converted by litert-torch, quantised by ai-edge-quantizer."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pocketclip.export import runtimes
from pocketclip.export.artifact.precision_plan import OWN, KeptPrecision, kept_modules
from pocketclip.export.passes.tower_module import NORM_SCOPE
from pocketclip.export.precision import Precision, TargetName
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.eight_bit_modules import eight_bit_modules
from pocketclip.export.targets.float_ops import OpKind, float_ops
from pocketclip.export.targets.observed_ranges import OUTLIER_PERCENT

if TYPE_CHECKING:
    from torch import nn

FILE_NAME = "model.tflite"
# The last product of the L2 norm bears the name of the file's output.
FLOAT_SCOPES = f".*({NORM_SCOPE}|LayerNorm|serving_default_output).*"

Ranges = MutableMapping[str, Any]


class TfliteTarget:
    """Writes `model.tflite`; its one signature is `serving_default`."""

    def lower(self, request: LoweringRequest, folder: Path) -> str:
        import litert_torch

        path = folder / FILE_NAME
        converted = litert_torch.convert(request.module, sample_kwargs={request.input_name: request.example})
        if request.precision is Precision.FP32:
            converted.export(str(path))
        else:
            plain = folder / "plain.tflite"
            converted.export(str(plain))
            _quantize(plain, path, request)
            plain.unlink()
        return FILE_NAME

    def open(self, model_path: Path, threads: int) -> runtimes.Session:
        return runtimes.open_session("litert", str(model_path), threads)

    def executed_by(self) -> str:
        return runtimes.runtime_version("litert")


def _quantize(source: Path, path: Path, request: LoweringRequest) -> None:
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
        case _:
            chosen = recipe.static_wi8_ai8()
    worker = quantizer.Quantizer(str(source), chosen)
    kept = [
        pattern
        for path in kept_modules(request.plan, KeptPrecision.FLOAT)
        for pattern in scope_patterns(request.module, path)
    ]
    if not request.precision.needs_calibration:
        for pattern in kept:
            worker.update_quantization_recipe(pattern, everywhere, algorithm_key=algorithms.NO_QUANTIZE)
        worker.quantize().export_model(str(path))
        return
    # The file takes and gives floats like those of the other targets: only what lies between is int8.
    for edge in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
        worker.update_quantization_recipe(".*", edge, algorithm_key=algorithms.NO_QUANTIZE)
    worker.update_quantization_recipe(FLOAT_SCOPES, everywhere, algorithm_key=algorithms.NO_QUANTIZE)
    for kind in sorted(float_ops(TargetName.TFLITE, request.isa)):
        worker.update_quantization_recipe(".*", operations[kind], algorithm_key=algorithms.NO_QUANTIZE)
    # The static recipe has nothing for the embedding, more than half of a text tower: int8 rows, read in float.
    worker.update_quantization_recipe(".*", qtyping.TFLOperationName.EMBEDDING_LOOKUP, op_config=_bytes_read_in_float())
    for pattern in kept:
        worker.update_quantization_recipe(pattern, everywhere, algorithm_key=algorithms.NO_QUANTIZE)
    worker.quantize(_observed_ranges(source, request)).export_model(str(path))


def _bytes_read_in_float() -> Any:
    from ai_edge_quantizer import qtyping

    return qtyping.OpQuantizationConfig(
        weight_tensor_config=qtyping.TensorQuantizationConfig(
            num_bits=8, symmetric=True, granularity=qtyping.QuantGranularity.CHANNELWISE
        ),
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
    return {name: _typical_range(observed) for name, observed in observer.get_calibration_results().items()}


def _keep_every_range(kept: Ranges, new: Ranges) -> Ranges:
    lows, highs = kept.get("lows", [kept["min"]]), kept.get("highs", [kept["max"]])
    return {**kept, "lows": [*lows, new["min"]], "highs": [*highs, new["max"]]}


def _typical_range(observed: Ranges) -> Ranges:
    """The range of a tensor that all but the most extreme samples stay within."""
    if "lows" not in observed or np.asarray(observed["min"]).dtype.kind != "f":
        return {name: value for name, value in observed.items() if name not in ("lows", "highs")}
    lows, highs = np.stack(observed["lows"]), np.stack(observed["highs"])
    return {
        "min": np.percentile(lows, OUTLIER_PERCENT, axis=0).astype(lows.dtype),
        "max": np.percentile(highs, 100 - OUTLIER_PERCENT, axis=0).astype(highs.dtype),
    }
