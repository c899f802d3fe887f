"""LiteRT (TFLite): converted by litert-torch, quantised by ai-edge-quantizer."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import numpy as np

from export import runtimes
from export.precision import Precision
from export.targets.base import LoweringRequest
from export.tower_module import NORM_SCOPE

FILE_NAME = "model.tflite"
# The last product of the L2 norm bears the name of the file's output.
FLOAT_SCOPES = f".*({NORM_SCOPE}|LayerNorm|serving_default_output).*"
# On each side, of the samples: outliers beyond it saturate, and leave finer steps to all others.
OUTLIER_PERCENT = 2

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
            _quantize_static(plain, path, request)
            plain.unlink()
        return FILE_NAME

    def open(self, model_path: Path, threads: int) -> runtimes.Session:
        return runtimes.open_session("litert", str(model_path), threads)

    def executed_by(self) -> str:
        return runtimes.runtime_version("litert")


def _quantize_static(source: Path, path: Path, request: LoweringRequest) -> None:
    from ai_edge_quantizer import algorithm_manager, calibrator, qtyping, quantizer, recipe

    worker = quantizer.Quantizer(str(source), recipe.static_wi8_ai8())
    in_float = algorithm_manager.AlgorithmName.NO_QUANTIZE
    # The file takes and gives floats like those of the other targets: only what lies between is int8.
    for edge in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
        worker.update_quantization_recipe(".*", edge, algorithm_key=in_float)
    worker.update_quantization_recipe(FLOAT_SCOPES, qtyping.TFLOperationName.ALL_SUPPORTED, algorithm_key=in_float)
    # The quantiser's own update is a moving average, in which the last twenty samples alone decide.
    observer = calibrator.CalibrationInterpreter(
        str(source), calibrator.CalibrationMode.CALIBRATION_PRESERVE_ALL_TENSORS, _keep_every_range
    )
    run = observer.get_signature_runner("serving_default")
    for array in request.calibration:
        run(**{request.input_name: array})
    ranges = {name: _typical_range(observed) for name, observed in observer.get_calibration_results().items()}
    worker.quantize(ranges).export_model(str(path))


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
