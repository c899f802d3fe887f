"""A Mac, which runs Core ML and Core AI themselves through Apple's packages."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from pocketclip.benchmark.devices.device import require_apple_accelerator, require_file_load, untimed_on
from pocketclip.benchmark.devices.host_device import HostDevice
from pocketclip.benchmark.errors import DeviceUnsupportedError
from pocketclip.benchmark.records.accelerators import APPLE_ACCELERATORS, APPLE_DEFAULT
from pocketclip.benchmark.records.benchmark import CPU, DeviceFacts, RunSettings
from pocketclip.export.precision import TargetName


class MacDevice(HostDevice):
    """This computer, where it is a Mac, or one with a certain chip."""

    def __init__(
        self,
        name: str = "mac",
        *,
        soc: str | None = None,
        python: Sequence[str] = (sys.executable,),
        platform: str = sys.platform,
    ) -> None:
        """`soc` is the chip that the Mac must have, as macOS calls it; None takes any."""
        super().__init__(name, python=python, platform=platform)
        self._soc = soc

    def check(self) -> None:
        """Whether this is such a Mac.

        Raises:
            DeviceUnsupportedError: it is not.
        """
        if self._platform != "darwin":
            raise DeviceUnsupportedError(
                f"{self._name} means this computer if it is a Mac: Core ML and Core AI run only on Apple's systems",
                fix=(
                    "run this on a Mac, or use --device host, which checks the outputs of their models and times the "
                    "other formats"
                ),
            )
        found = super().facts().cpu
        if self._soc is not None and found != self._soc:
            raise DeviceUnsupportedError(
                f"{self._name} means this computer if it is a Mac with {self._soc}, and it has {found}",
                fix="use --device mac, which takes any",
            )

    def facts(self) -> DeviceFacts:
        """What the machine is; its processor's name is the chip's."""
        found = super().facts()
        return replace(found, soc=self._soc or found.cpu)

    def settings(self, asked: RunSettings) -> RunSettings:
        """All that is asked for, where Core ML or Core AI has it.

        Raises:
            DeviceUnsupportedError: neither has it.
        """
        require_apple_accelerator(asked)
        require_file_load(asked, self._name)
        return asked

    def default_accelerator(self, runtime: str) -> str:
        """All units for Apple's runtimes, as they take themselves where nobody chooses; the processor for others."""
        return APPLE_DEFAULT if runtime in APPLE_ACCELERATORS else CPU

    def untimed_reason(self, target: TargetName) -> str | None:
        return untimed_on(target, "macOS", core_ml=True, core_ai=True)
