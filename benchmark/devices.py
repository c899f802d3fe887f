"""The devices that can measure, by name: a new one is a class like `HostDevice` and a line in `DEVICES`."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from benchmark import host
from benchmark.agent import machine
from benchmark.agent_archive import build_agent
from benchmark.agent_runner import AgentRunner, Runner
from benchmark.errors import MeasurementError, UnknownDeviceError
from benchmark.launch_records import MachineState
from benchmark.records import DeviceFacts
from benchmark.transport import LocalTransport
from export.precision import TargetName
from models import documents
from models.atomic import storage_errors
from models.errors import choices


class Device(Protocol):
    """A machine that can measure."""

    def facts(self) -> DeviceFacts:
        """What the machine is."""
        ...

    def state(self) -> MachineState:
        """What may disturb a measurement right now; it may take a second."""
        ...

    def untimed_reason(self, target: TargetName) -> str | None:
        """Why the device cannot run a format's own runtime, so that nothing may be timed; else None."""
        ...

    def open_runner(self) -> AbstractContextManager[Runner]:
        """A runner with a workspace of its own, which is removed at the end."""
        ...


class HostDevice:
    """The machine that this process runs on."""

    def __init__(
        self,
        name: str = "host",
        *,
        python: Sequence[str] = (sys.executable,),
        agent: bytes | None = None,
        platform: str = sys.platform,
    ) -> None:
        self._name = name
        self._python = tuple(python)
        self._agent = agent
        self._platform = platform

    def facts(self) -> DeviceFacts:
        return host.host_facts(self._name)

    def state(self) -> MachineState:
        told = machine.state() | {"others_busy_cores": machine.others_busy_cores()}
        return documents.parse(MachineState, json.dumps(told), source="this machine's state", error=MeasurementError)

    def untimed_reason(self, target: TargetName) -> str | None:
        system = {"linux": "Linux", "win32": "Windows"}.get(self._platform, self._platform)
        if target is TargetName.EXECUTORCH_COREML:
            return f"ExecuTorch's Core ML delegate on {system}: parity only"
        if target is TargetName.COREML and self._platform != "darwin":
            return f"Core ML on {system}: parity only"
        return None

    @contextmanager
    def open_runner(self) -> Iterator[Runner]:
        with storage_errors(Path(tempfile.gettempdir())):
            # Errors at removal (a file that an orphan still writes) must not hide what was measured.
            folder = tempfile.TemporaryDirectory(prefix="pocketclip-bench-", ignore_cleanup_errors=True)
        with folder as name:
            yield AgentRunner(
                LocalTransport(),
                workspace=Path(name, "device").as_posix(),
                scratch=Path(name),
                python=self._python,
                agent=build_agent() if self._agent is None else self._agent,
            )


DEVICES: dict[str, Callable[[], Device]] = {
    "host": HostDevice,
}


def open_device(name: str) -> Device:
    """The device of that name.

    Raises:
        UnknownDeviceError: there is none; the message lists those that exist.
    """
    if name not in DEVICES:
        raise UnknownDeviceError(f"there is no device {name!r}; choose from: {choices(DEVICES)}")
    return DEVICES[name]()
