"""The export targets, as a literal table. Each target's module and packages load on first use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pocketclip.export.coreai import packages as coreai_packages
from pocketclip.export.npu import litert_libraries, maker_sdks, qualcomm
from pocketclip.export.npu.makers import MAKERS
from pocketclip.export.precision import Precision, TargetName
from pocketclip.export.targets import schemes
from pocketclip.export.targets.schemes import Scheme

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class TargetEntry:
    """A row of the table.

    `schemes` has the precisions it offers, `lacking` says of all others why it does not. `base` is the floating-point
    precision the target is meant for, `int8` its main integer scheme, None where it has none; `packages` are the
    distributions it needs, the first one giving its version; `extra` is the pip extra that brings them; `runtime` the
    name in `export.runtimes`; `lacking_here` says what else this computer lacks, where packages are not all.
    """

    module: str
    class_name: str
    schemes: dict[Precision, Scheme]
    lacking: dict[Precision, str]
    base: Precision
    int8: Precision | None
    packages: tuple[str, ...]
    extra: str
    runtime: str
    lacking_here: Callable[[], qualcomm.Lacking | None] | None = None

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """What the target offers, in the order of the matrix."""
        return tuple(self.schemes)


# Of those that coremltools 9 and ExecuTorch's delegate can both write for.
NEWEST_IOS = 18

TARGETS: dict[TargetName, TargetEntry] = {
    TargetName.ONNX: TargetEntry(
        module="pocketclip.export.targets.onnx",
        class_name="OnnxTarget",
        schemes=schemes.ONNX_SCHEMES,
        lacking=schemes.ONNX_LACKING,
        base=Precision.FP32,
        int8=Precision.INT8_STATIC,
        packages=("onnxruntime", "onnx", "onnxscript"),
        extra="onnx",
        runtime="onnxruntime",
    ),
    TargetName.COREML: TargetEntry(
        module="pocketclip.export.targets.coreml",
        class_name="CoreMLTarget",
        schemes=schemes.COREML_SCHEMES,
        lacking=schemes.COREML_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_WEIGHTS,
        packages=("coremltools",),
        extra="coreml",
        runtime="coreml",
    ),
    TargetName.COREAI: TargetEntry(
        module="pocketclip.export.targets.coreai",
        class_name="CoreAITarget",
        schemes=schemes.COREAI_SCHEMES,
        lacking=schemes.COREAI_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_WEIGHTS,
        packages=("coreai-core", "coreai-torch"),
        extra="coreai",
        runtime="coreai",
        lacking_here=coreai_packages.lacking,
    ),
    TargetName.EXECUTORCH: TargetEntry(
        module="pocketclip.export.targets.executorch",
        class_name="ExecuTorchTarget",
        schemes=schemes.EXECUTORCH_SCHEMES,
        lacking=schemes.EXECUTORCH_LACKING,
        base=Precision.FP32,
        int8=Precision.INT8_STATIC,
        packages=("executorch", "torchao"),
        extra="executorch",
        runtime="executorch",
    ),
    TargetName.EXECUTORCH_COREML: TargetEntry(
        module="pocketclip.export.targets.executorch_coreml",
        class_name="ExecuTorchCoreMLTarget",
        schemes=schemes.EXECUTORCH_COREML_SCHEMES,
        lacking=schemes.EXECUTORCH_COREML_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_WEIGHTS,
        packages=("executorch", "coremltools"),
        extra="executorch,coreml",
        runtime="executorch",
    ),
    TargetName.EXECUTORCH_VULKAN: TargetEntry(
        module="pocketclip.export.targets.executorch_vulkan",
        class_name="ExecuTorchVulkanTarget",
        schemes=schemes.EXECUTORCH_VULKAN_SCHEMES,
        lacking=schemes.EXECUTORCH_VULKAN_LACKING,
        base=Precision.FP16,
        int8=None,
        packages=("executorch",),
        extra="executorch",
        runtime="executorch",
    ),
    TargetName.EXECUTORCH_QNN: TargetEntry(
        module="pocketclip.export.targets.executorch_qnn",
        class_name="ExecuTorchQnnTarget",
        schemes=schemes.EXECUTORCH_QNN_SCHEMES,
        lacking=schemes.QNN_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_STATIC,
        packages=("executorch", "torchao", "onnxruntime-qnn"),
        extra="executorch,qnn",
        runtime="executorch",
        lacking_here=qualcomm.lacking,
    ),
    TargetName.ONNX_QNN: TargetEntry(
        module="pocketclip.export.targets.onnx_qnn",
        class_name="OnnxQnnTarget",
        schemes=schemes.ONNX_QNN_SCHEMES,
        lacking=schemes.QNN_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_STATIC,
        packages=("onnxruntime-qnn", "onnxruntime", "onnx", "onnxscript"),
        extra="onnx,qnn",
        runtime="onnxruntime",
        lacking_here=qualcomm.lacking,
    ),
    TargetName.TFLITE: TargetEntry(
        module="pocketclip.export.targets.tflite",
        class_name="TfliteTarget",
        schemes=schemes.TFLITE_SCHEMES,
        lacking=schemes.TFLITE_LACKING,
        base=Precision.FP32,
        int8=Precision.INT8_STATIC,
        packages=("litert-torch", "ai-edge-litert", "ai-edge-quantizer"),
        extra="tflite",
        runtime="litert",
    ),
    TargetName.TFLITE_QNN: TargetEntry(
        module="pocketclip.export.targets.tflite_qnn",
        class_name="TfliteQnnTarget",
        schemes=schemes.TFLITE_QNN_SCHEMES,
        lacking=schemes.QNN_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_STATIC,
        packages=("litert-torch", "ai-edge-litert", "ai-edge-quantizer", "onnxruntime", "onnx"),
        extra="onnx,tflite",
        runtime="litert",
        lacking_here=litert_libraries.lacking,
    ),
    TargetName.TFLITE_MEDIATEK: TargetEntry(
        module="pocketclip.export.targets.tflite_maker",
        class_name="TfliteMediaTekTarget",
        schemes=schemes.TFLITE_MEDIATEK_SCHEMES,
        lacking=schemes.MAKER_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_STATIC,
        packages=("litert-torch", "ai-edge-litert", "ai-edge-quantizer", MAKERS[TargetName.TFLITE_MEDIATEK].package),
        extra="tflite",
        runtime="litert",
        lacking_here=partial(maker_sdks.lacking, MAKERS[TargetName.TFLITE_MEDIATEK]),
    ),
    TargetName.TFLITE_GOOGLE: TargetEntry(
        module="pocketclip.export.targets.tflite_maker",
        class_name="TfliteGoogleTarget",
        schemes=schemes.TFLITE_GOOGLE_SCHEMES,
        lacking=schemes.MAKER_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_STATIC,
        packages=("litert-torch", "ai-edge-litert", "ai-edge-quantizer", MAKERS[TargetName.TFLITE_GOOGLE].package),
        extra="tflite",
        runtime="litert",
        lacking_here=partial(maker_sdks.lacking, MAKERS[TargetName.TFLITE_GOOGLE]),
    ),
    TargetName.TFLITE_SAMSUNG: TargetEntry(
        module="pocketclip.export.targets.tflite_maker",
        class_name="TfliteSamsungTarget",
        schemes=schemes.TFLITE_SAMSUNG_SCHEMES,
        lacking=schemes.MAKER_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_STATIC,
        packages=("litert-torch", "ai-edge-litert", "ai-edge-quantizer", MAKERS[TargetName.TFLITE_SAMSUNG].package),
        extra="tflite",
        runtime="litert",
        lacking_here=partial(maker_sdks.lacking, MAKERS[TargetName.TFLITE_SAMSUNG]),
    ),
}


# Delegates that write files which nothing runs yet.
NOT_YET: dict[str, str] = {
    "executorch-coreai": "ExecuTorch 1.5's Core AI delegate has a converter and no runtime "
    "(its backends/apple/coreai/compiler/preprocess.py says so): --target coreai gives the same program as .aimodel",
}
