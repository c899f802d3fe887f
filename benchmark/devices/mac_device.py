"""A Mac, which runs Core ML itself through coremltools."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pocketclip.benchmark.devices.device import require_accelerator, require_file_load, untimed_on
from pocketclip.benchmark.devices.host_device import HostDevice
from pocketclip.benchmark.errors import DeviceUnsupportedError
from pocketclip.benchmark.records.accelerators import CORE_ML_ACCELERATORS, CORE_ML_DEFAULT
from pocketclip.benchmark.records.benchmark import CPU, RunSettings
from pocketclip.export.precision import TargetName


class MacDevice(HostDevice):
    """This computer, where it is a Mac."""

    def __init__(
        self, name: str = "mac", *, python: Sequence[str] = (sys.executable,), platform: str = sys.platform
    ) -> None:
        super().__init__(name, python=python, platform=platform)

    def check(self) -> None:
        """Whether this is a Mac.

        Raises:
            DeviceUnsupportedError: it is not.
        """
        if self._platform != "darwin":
            raise DeviceUnsupportedError(
                f"{self._name} means this computer if it is a Mac: Core ML runs only on Apple's systems",
                fix=(
                    "run this on "
                    "a Mac, or use --device host, which checks a Core ML model's outputs and times the other formats"
                ),
            )

    def settings(self, asked: RunSettings) -> RunSettings:
        """All that is asked for, where Core ML has it.

        Raises:
            DeviceUnsupportedError: it has not.
        """
        require_accelerator(asked, CORE_ML_ACCELERATORS, "Core ML's")
        require_file_load(asked, self._name)
        return asked

    def default_accelerator(self, runtime: str) -> str:
        """All units for Core ML, as it takes itself where nobody chooses; the processor for others."""
        return CORE_ML_DEFAULT if runtime == "coreml" else CPU

    def untimed_reason(self, target: TargetName) -> str | None:
        return untimed_on(target, "macOS", core_ml=True)
