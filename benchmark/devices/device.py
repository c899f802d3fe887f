"""What every device offers, whatever it is reached by."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from pocketclip.benchmark.errors import DeviceUnsupportedError
from pocketclip.benchmark.records.accelerators import (
    APPLE_ACCELERATORS,
    CORE_AI_ACCELERATORS,
    CORE_ML_ACCELERATORS,
)
from pocketclip.benchmark.records.benchmark import CPU, DEVICE_DEFAULT, DeviceFacts, LoadMode, RunSettings
from pocketclip.benchmark.records.launch import MachineState
from pocketclip.benchmark.runners.agent_runner import Runner
from pocketclip.benchmark.runners.throughput_runner import ThroughputRunner
from pocketclip.export.precision import QNN_TARGETS, TargetName
from pocketclip.models.errors import choices


class Device(Protocol):
    """A machine that can measure."""

    @property
    def lease_key(self) -> str:
        """The machine itself, whatever names it has: one bench at a time may hold it."""
        ...

    def check(self) -> None:
        """Whether it can measure at all.

        Raises:
            BenchmarkError: it cannot; the message says why and what to do.
        """
        ...

    def settings(self, asked: RunSettings) -> RunSettings:
        """What of the settings asked for the device carries out.

        Raises:
            DeviceUnsupportedError: one of them makes no sense there.
        """
        ...

    def default_accelerator(self, runtime: str) -> str:
        """What a runtime's models are executed with where `DEVICE_DEFAULT` is asked for."""
        ...

    def facts(self) -> DeviceFacts:
        """What the machine is."""
        ...

    def state(self) -> MachineState:
        """What may disturb a measurement right now; it may take a second."""
        ...

    @property
    def chip(self) -> str | None:
        """Its chip, as artefacts for NPUs name it; None where it is not known, or has no such NPU."""
        ...

    def untimed_reason(self, target: TargetName) -> str | None:
        """Why the device cannot run a format's own runtime, so that nothing may be timed; else None."""
        ...

    def open_runner(self) -> AbstractContextManager[Runner]:
        """A runner with a workspace of its own, which is removed at the end."""
        ...

    def check_throughput(self) -> None:
        """Whether a throughput can be measured there at all; asks nothing of the device.

        Raises:
            DeviceUnsupportedError: it cannot; the message says where it can.
        """
        ...

    def open_throughput(self) -> AbstractContextManager[ThroughputRunner]:
        """As `open_runner`, for throughputs.

        Raises:
            DeviceUnsupportedError: as `check_throughput`.
        """
        ...


def require_python_agent(asked: RunSettings, name: str) -> RunSettings:
    """The settings where the Python agent carries them out: it opens a model's file and computes on processors alone.

    Raises:
        DeviceUnsupportedError: another accelerator or another load mode is asked for.
    """
    if asked.accelerator not in (DEVICE_DEFAULT, CPU):
        raise DeviceUnsupportedError(
            f"--accelerator {asked.accelerator!r} is only for phones that use the app; {name} takes only {CPU}"
        )
    require_file_load(asked, name)
    return asked


def require_file_load(asked: RunSettings, name: str) -> None:
    """Refuses every load mode but the one of runtimes that open a model's file themselves.

    Raises:
        DeviceUnsupportedError: another load mode is asked for.
    """
    if asked.load_mode is not LoadMode.FILE:
        raise DeviceUnsupportedError(
            f"--load-mode {str(asked.load_mode)!r} is only for phones that use the app; {name} takes "
            f"only {LoadMode.FILE}"
        )


def require_accelerator(asked: RunSettings, offered: Sequence[str], whose: str) -> None:
    """Refuses an accelerator that a platform has not; `whose` names the platform, e.g. `Android's`.

    Raises:
        DeviceUnsupportedError: it is none of those offered.
    """
    if asked.accelerator not in (DEVICE_DEFAULT, *offered):
        raise DeviceUnsupportedError(
            f"--accelerator {asked.accelerator!r} is not one of {whose}", fix=f"choose among: {choices(offered)}"
        )


def require_apple_accelerator(asked: RunSettings) -> None:
    """Refuses an accelerator that neither Core ML nor Core AI has.

    Raises:
        DeviceUnsupportedError: it is none of theirs; the message says whose which is.
    """
    offered = tuple(dict.fromkeys(name for names in APPLE_ACCELERATORS.values() for name in names))
    if asked.accelerator not in (DEVICE_DEFAULT, *offered):
        whose = f"for Core ML: {choices(CORE_ML_ACCELERATORS)}; for Core AI: {choices(CORE_AI_ACCELERATORS)}"
        raise DeviceUnsupportedError(
            f"--accelerator {asked.accelerator!r} is none of Apple's runtimes'", fix=f"choose among, {whose}"
        )


def apple_mismatch(target: TargetName, accelerator: str) -> str | None:
    """Why an artefact for one of Apple's runtimes is none for an accelerator of the other's; else None."""
    offered = APPLE_ACCELERATORS.get(str(target))
    if offered is None or accelerator in (DEVICE_DEFAULT, *offered):
        return None
    return f"--accelerator {accelerator} is none of its runtime's, which has {choices(offered)}"


_ON_NPUS = {
    TargetName.EXECUTORCH_QNN: "Snapdragon's NPU by ExecuTorch",
    TargetName.ONNX_QNN: "Snapdragon's NPU by ONNX Runtime",
    TargetName.TFLITE_QNN: "Snapdragon's NPU by LiteRT",
    TargetName.TFLITE_MEDIATEK: "MediaTek's NPU by LiteRT",
    TargetName.TFLITE_GOOGLE: "Google Tensor's NPU by LiteRT",
    TargetName.TFLITE_SAMSUNG: "Exynos' NPU by LiteRT",
}


def untimed_on(
    target: TargetName,
    system: str,
    *,
    core_ml: bool = False,
    core_ai: bool = False,
    vulkan: bool = False,
    npu: bool = False,
) -> str | None:
    """Why a format is not timed on a system, in the words of records; else None."""
    if target is TargetName.EXECUTORCH_COREML:
        return f"ExecuTorch's Core ML delegate on {system}: parity only"
    if target is TargetName.EXECUTORCH_VULKAN and not vulkan:
        return f"ExecuTorch's Vulkan delegate on {system}: parity only"
    if target in _ON_NPUS and not (npu and target in QNN_TARGETS):
        return f"{_ON_NPUS[target]} on {system}: parity only"
    if target is TargetName.COREAI and not core_ai:
        return f"Core AI on {system}: parity only"
    if target is TargetName.COREML and not core_ml:
        return f"Core ML on {system}: parity only"
    return None
