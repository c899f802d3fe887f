"""What things are called on the page: targets, artefacts, and devices that share a name."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pocketclip.benchmark.records.benchmark import (
    CPU,
    ArtifactIdentity,
    BenchmarkRecord,
    DeviceFacts,
    LoadMode,
    RunSettings,
)
from pocketclip.export.precision import TargetName

TARGET_NAMES: dict[TargetName, str] = {
    TargetName.ONNX: "ONNX",
    TargetName.COREML: "Core ML",
    TargetName.COREAI: "Core AI",
    TargetName.EXECUTORCH: "ExecuTorch",
    TargetName.EXECUTORCH_COREML: "ExecuTorch + Core ML",
    TargetName.EXECUTORCH_VULKAN: "ExecuTorch + Vulkan",
    TargetName.EXECUTORCH_QNN: "ExecuTorch + Snapdragon NPU",
    TargetName.ONNX_QNN: "ONNX + Snapdragon NPU",
    TargetName.TFLITE: "TFLite",
    TargetName.TFLITE_QNN: "TFLite + Snapdragon NPU",
    TargetName.TFLITE_MEDIATEK: "TFLite + MediaTek NPU",
    TargetName.TFLITE_GOOGLE: "TFLite + Google Tensor NPU",
    TargetName.TFLITE_SAMSUNG: "TFLite + Exynos NPU",
}


# A long name may break after these, and nowhere else.
_BREAKS = re.compile(r"(?<=[A-Za-z0-9][-_/])(?=[A-Za-z])")


def break_points(text: str) -> list[str]:
    """The parts of a text between which a line may break where no space is."""
    return _BREAKS.split(text)


def scheme(artifact: ArtifactIdentity) -> str:
    """The manifest's scheme; records made before schemes were kept are of the usual form."""
    return artifact.scheme or f"{artifact.target}-{artifact.precision}"


def precision_name(artifact: ArtifactIdentity) -> str:
    """The precision, and what differs from the usual form of it, e.g. `int8-static mixed`."""
    return worded_scheme(scheme(artifact), artifact.target, artifact.precision)


def worded_scheme(scheme: str, target: str, precision: str) -> str:
    """A scheme without its target, in words."""
    differing = scheme.removeprefix(f"{target}-{precision}").lstrip("-")
    return f"{precision} {differing}" if differing else precision


def conditions(record: BenchmarkRecord) -> str:
    """Under what an artefact ran, where that is not one thread on any core of the processor."""
    settings, accelerator = record.settings, record.runtime.accelerator_requested
    parts = [threads_name(settings)] if settings.threads > 1 else []
    if settings.cores is not None:
        parts.append(f"cores {', '.join(str(core) for core in settings.cores)}")
    if accelerator != CPU:
        parts.append(accelerator)
    if settings.load_mode is not LoadMode.FILE:
        parts.append(f"loaded by {settings.load_mode}")
    return ", ".join(parts)


def threads_name(settings: RunSettings) -> str:
    """The number of threads in words."""
    return "1 thread" if settings.threads == 1 else f"{settings.threads} threads"


def scheme_name(record: BenchmarkRecord) -> str:
    """Precision and conditions, e.g. `fp32 (2 threads)`."""
    ran = conditions(record)
    return precision_name(record.artifact) + (f" ({ran})" if ran else "")


def artifact_name(record: BenchmarkRecord) -> str:
    """Target, precision, conditions and tower, e.g. `Core ML fp16 image`."""
    artifact = record.artifact
    ran = conditions(record)
    name = f"{TARGET_NAMES[artifact.target]} {precision_name(artifact)} {artifact.tower}"
    return name + (f" ({ran})" if ran else "")


class DeviceLabels:
    """A name for each machine among records: the device's own, with its instance where several share it.

    A record that does not tell its instance counts as of the one machine of that name, if there is one alone.
    """

    def __init__(self, records: Iterable[BenchmarkRecord]) -> None:
        self._instances: dict[str, set[str]] = {}
        for record in records:
            known = self._instances.setdefault(record.device.name, set())
            if record.device.instance is not None:
                known.add(record.device.instance)

    def of(self, device: DeviceFacts) -> str:
        """The machine's label."""
        if len(self._instances.get(device.name, ())) < 2:
            return device.name
        return f"{device.name} ({device.instance[:6] if device.instance else 'instance unknown'})"
