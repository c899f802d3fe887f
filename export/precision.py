"""The vocabulary of the export matrix: targets, towers and precisions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TargetName(StrEnum):
    """A converter and the file format that it writes."""

    ONNX = "onnx"
    COREML = "coreml"
    COREAI = "coreai"
    EXECUTORCH = "executorch"
    EXECUTORCH_COREML = "executorch-coreml"
    EXECUTORCH_VULKAN = "executorch-vulkan"
    EXECUTORCH_QNN = "executorch-qnn"
    ONNX_QNN = "onnx-qnn"
    TFLITE = "tflite"
    TFLITE_QNN = "tflite-qnn"
    TFLITE_MEDIATEK = "tflite-mediatek"
    TFLITE_GOOGLE = "tflite-google"
    TFLITE_SAMSUNG = "tflite-samsung"


# Those whose artefacts hold a prepared graph for each chip of Qualcomm's.
QNN_TARGETS = (TargetName.EXECUTORCH_QNN, TargetName.ONNX_QNN, TargetName.TFLITE_QNN)
# Those for Apple's systems alone.
APPLE_TARGETS = (TargetName.COREML, TargetName.COREAI, TargetName.EXECUTORCH_COREML)
# Those of other makers' chips, which LiteRT's compiler alone knows.
MAKER_TARGETS = (TargetName.TFLITE_MEDIATEK, TargetName.TFLITE_GOOGLE, TargetName.TFLITE_SAMSUNG)
NPU_TARGETS = (*QNN_TARGETS, *MAKER_TARGETS)


# Those whose image towers may take several photographs at once: the runtimes of processors gain from it.
BATCHED_TARGETS = (TargetName.ONNX, TargetName.EXECUTORCH, TargetName.TFLITE)
MOST_IN_BATCH = 64


class InstructionSet(StrEnum):
    """What the processors that an artefact is meant for have; fast forms differ between them."""

    ARM64 = "arm64"
    X86_64 = "x86_64"
    APPLE = "apple"


class Tower(StrEnum):
    """One of the two encoders of a CLIP model."""

    IMAGE = "image"
    TEXT = "text"


def default_instruction_set(target: TargetName) -> InstructionSet:
    """What the phones of a target have."""
    return InstructionSet.APPLE if target in APPLE_TARGETS else InstructionSet.ARM64


def host_instruction_set(machine: str) -> InstructionSet:
    """That of a machine by the name that `platform.machine()` gives it."""
    return InstructionSet.X86_64 if machine.lower() in ("x86_64", "amd64") else InstructionSet.ARM64


class Precision(StrEnum):
    """How weights and activations are stored and computed; `TRAITS` says what each one means."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8_DYNAMIC = "int8-dynamic"
    INT8_STATIC = "int8-static"
    W8A16_STATIC = "w8a16-static"
    INT8_WEIGHTS = "int8-weights"
    INT4_WEIGHTS = "int4-weights"
    INT4_DYNAMIC = "8da4w"
    PALETTE6 = "palette6"
    PALETTE4 = "palette4"
    SPARSE_INT8 = "sparse-int8"
    SPARSE_PALETTE6 = "sparse-palette6"

    @property
    def traits(self) -> Traits:
        """What the precision means for weights and activations."""
        return TRAITS[self]

    @property
    def quantized(self) -> bool:
        """Whether weights are stored in fewer bits than a half float's 16."""
        return self.traits.weight_bits < 16

    @property
    def needs_calibration(self) -> bool:
        """Whether activation ranges must be observed on real inputs first."""
        return self.traits.calibrated


@dataclass(frozen=True)
class Traits:
    """What a precision means, whatever the target.

    `weight_bits` is the width of a weight in the layers that are meant; the rest of a model may keep more.
    `activation_bits` is the width that values between ops are rounded to: 8 means integer arithmetic.
    `calibrated`: ranges of activations are fixed from observed inputs. `sparse`: the smallest weights are zero and
    not stored.
    """

    weight_bits: int
    activation_bits: int
    meaning: str
    calibrated: bool = False
    sparse: bool = False


TRAITS: dict[Precision, Traits] = {
    Precision.FP32: Traits(32, 32, "single precision throughout"),
    Precision.FP16: Traits(16, 16, "half precision; the L2 norm and token ids are not"),
    Precision.INT8_DYNAMIC: Traits(8, 8, "int8 weights; activations quantised at run time, by the range of each input"),
    Precision.INT8_STATIC: Traits(8, 8, "int8 weights and activations, ranges from calibration", calibrated=True),
    Precision.W8A16_STATIC: Traits(
        8, 16, "int8 weights and 16-bit integer activations, ranges from calibration", calibrated=True
    ),
    Precision.INT8_WEIGHTS: Traits(8, 32, "int8 weights, floating-point arithmetic"),
    Precision.INT4_WEIGHTS: Traits(4, 32, "4-bit weights in matrix products, floating-point arithmetic"),
    Precision.INT4_DYNAMIC: Traits(4, 8, "4-bit weights in linear layers, activations quantised at run time"),
    Precision.PALETTE6: Traits(6, 16, "weights from tables of 64 values, found by k-means"),
    Precision.PALETTE4: Traits(4, 16, "weights from tables of 16 values, found by k-means"),
    Precision.SPARSE_INT8: Traits(8, 16, "the smallest weights dropped, the others int8", sparse=True),
    Precision.SPARSE_PALETTE6: Traits(6, 16, "the smallest weights dropped, the others from tables", sparse=True),
}
