"""The machine that this process runs on, as a device."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmark import host
from benchmark.agent import machine
from benchmark.agent_archive import build_agent
from benchmark.agent_runner import AgentRunner, Runner
from benchmark.devices.device import require_python_agent, untimed_on
from benchmark.errors import MeasurementError
from benchmark.launch_records import MachineState
from benchmark.records import CPU, DeviceFacts, RunSettings
from benchmark.scratch import scratch_folder
from benchmark.transport.local import LocalTransport
from export.precision import TargetName
from models import documents


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

    @property
    def lease_key(self) -> str:
        return "host"

    def check(self) -> None:
        pass

    def settings(self, asked: RunSettings) -> RunSettings:
        return require_python_agent(asked, self._name)

    def default_accelerator(self, runtime: str) -> str:
        """The processor: the Python agent knows no other."""
        return CPU

    def facts(self) -> DeviceFacts:
        return host.host_facts(self._name)

    def state(self) -> MachineState:
        told = machine.state() | {"others_busy_cores": machine.others_busy_cores()}
        return documents.parse(MachineState, json.dumps(told), source="this machine's state", error=MeasurementError)

    def untimed_reason(self, target: TargetName) -> str | None:
        system = {"linux": "Linux", "win32": "Windows"}.get(self._platform, self._platform)
        return untimed_on(target, system, core_ml=self._platform == "darwin")

    @contextmanager
    def open_runner(self) -> Iterator[Runner]:
        with scratch_folder() as scratch:
            yield AgentRunner(
                LocalTransport(),
                workspace=(scratch / "device").as_posix(),
                scratch=scratch,
                python=self._python,
                agent=build_agent() if self._agent is None else self._agent,
            )
