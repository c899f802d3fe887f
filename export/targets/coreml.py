"""Core ML: an ML program converted by coremltools; on Linux it runs in our reference executor."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import coremltools
import numpy as np
import torch

from export import runtimes
from export.coreml_reference import ReferenceExecutor, load_program
from export.precision import Precision
from export.targets.base import LoweringRequest

PACKAGE_NAME = "model.mlpackage"
DEPLOYMENT_TARGET = "iOS16"


class CoreMLTarget:
    """Writes `model.mlpackage` for iOS 16 and later."""

    def lower(self, request: LoweringRequest, folder: Path) -> str:
        program = torch.export.export(request.module, (request.example,)).run_decompositions({})
        dtype = np.int32 if request.example.dtype == torch.int32 else np.float32
        precision = coremltools.precision
        model = coremltools.convert(
            program,
            convert_to="mlprogram",
            minimum_deployment_target=getattr(coremltools.target, DEPLOYMENT_TARGET),
            inputs=[coremltools.TensorType(request.input_name, shape=tuple(request.example.shape), dtype=dtype)],
            outputs=[coremltools.TensorType(request.output_name, dtype=np.float32)],
            compute_precision=precision.FLOAT32 if request.precision is Precision.FP32 else precision.FLOAT16,
        )
        assert isinstance(model, coremltools.models.MLModel)
        if request.precision is Precision.INT8_WEIGHTS:
            model = _quantize_weights(model)
        model.save(str(folder / PACKAGE_NAME))
        return PACKAGE_NAME

    def open(self, model_path: Path, threads: int) -> runtimes.Session:
        if sys.platform == "darwin":
            return runtimes.open_session("coreml", str(model_path), threads)
        return ReferenceSession(model_path)

    def executed_by(self) -> str:
        version = metadata.version("coremltools")
        return f"coremltools {version}" if sys.platform == "darwin" else f"reference executor, coremltools {version}"


class ReferenceSession:
    """Our reference executor behind the session interface: right values, no meaningful time."""

    def __init__(self, model_path: Path) -> None:
        self._program = load_program(model_path)
        self._executor = ReferenceExecutor(self._program)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        named = {spec.name: array for spec, array in zip(self._program.inputs, inputs, strict=True)}
        outputs = self._executor.run(named)
        return [outputs[spec.name] for spec in self._program.outputs]

    def close(self) -> None:
        del self._executor


def _quantize_weights(model: coremltools.models.MLModel) -> coremltools.models.MLModel:
    from coremltools.optimize.coreml import (
        OpLinearQuantizerConfig,
        OptimizationConfig,
        linear_quantize_weights,
    )

    scheme = OpLinearQuantizerConfig(mode="linear_symmetric", dtype="int8", granularity="per_channel")
    quantized = linear_quantize_weights(model, OptimizationConfig(global_config=scheme))
    assert isinstance(quantized, coremltools.models.MLModel)
    return quantized
