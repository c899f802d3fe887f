"""The machine that this process runs on, as a device."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pocketclip.benchmark.agent import machine
from pocketclip.benchmark.devices.device import require_python_agent, untimed_on
from pocketclip.benchmark.errors import MeasurementError
from pocketclip.benchmark.platforms import host
from pocketclip.benchmark.records.benchmark import CPU, DeviceFacts, RunSettings
from pocketclip.benchmark.records.launch import MachineState
from pocketclip.benchmark.runners.agent_archive import build_agent
from pocketclip.benchmark.runners.agent_runner import AgentRunner, Runner
from pocketclip.benchmark.runners.scratch import scratch_folder
from pocketclip.benchmark.runners.throughput_runner import ThroughputRunner
from pocketclip.benchmark.transport.local import LocalTransport
from pocketclip.export.precision import TargetName
from pocketclip.models import documents


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

    @property
    def chip(self) -> str | None:
        """None: nothing here reaches an NPU."""
        return None

    def untimed_reason(self, target: TargetName) -> str | None:
        system = {"linux": "Linux", "win32": "Windows", "darwin": "macOS"}.get(self._platform, self._platform)
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

    def check_throughput(self) -> None:
        pass

    @contextmanager
    def open_throughput(self) -> Iterator[ThroughputRunner]:
        # Imported here: it brings what reads artefacts and pictures, which other commands do without.
        from pocketclip.benchmark.runners.host_throughput import HostThroughput

        yield HostThroughput(self._name, self.state, self.default_accelerator)
