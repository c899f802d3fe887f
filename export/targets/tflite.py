"""LiteRT (TFLite): converted by litert-torch, quantised by ai-edge-quantizer."""

from __future__ import annotations

from pathlib import Path

from export import runtimes
from export.precision import Precision
from export.targets.base import LoweringRequest

FILE_NAME = "model.tflite"


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
    from ai_edge_quantizer import algorithm_manager, qtyping, quantizer, recipe

    worker = quantizer.Quantizer(str(source), recipe.static_wi8_ai8())
    # The file takes and gives floats like those of the other targets: only what lies between is int8.
    for edge in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
        worker.update_quantization_recipe(".*", edge, algorithm_key=algorithm_manager.AlgorithmName.NO_QUANTIZE)
    feeds = [{request.input_name: array} for array in request.calibration]
    worker.quantize(worker.calibrate({"serving_default": feeds})).export_model(str(path))
