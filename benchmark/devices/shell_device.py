"""A phone or a board that adb or ssh reaches, measured by the agent in a Python of its own."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from pocketclip.benchmark.devices import shell_facts
from pocketclip.benchmark.devices.device import require_python_agent, untimed_on
from pocketclip.benchmark.devices.environment import BoardEnvironment
from pocketclip.benchmark.devices.table import DeviceEntry, TransportName
from pocketclip.benchmark.errors import DeviceUnsupportedError
from pocketclip.benchmark.records.benchmark import CPU, DeviceFacts, RunSettings
from pocketclip.benchmark.records.launch import MachineState
from pocketclip.benchmark.runners.agent_archive import build_agent
from pocketclip.benchmark.runners.agent_runner import AgentRunner, Runner
from pocketclip.benchmark.runners.resuming_runner import RECONNECT_SECONDS, ResumingRunner
from pocketclip.benchmark.runners.scratch import scratch_folder
from pocketclip.benchmark.runners.throughput_runner import ThroughputRunner
from pocketclip.benchmark.transport.shell import ShellTransport
from pocketclip.export.precision import TargetName

_WORKSPACES = {TransportName.ADB: "/data/local/tmp", TransportName.SSH: "/tmp"}

Say = Callable[[str], object]


class ShellDevice:
    """A device with a POSIX shell, and, to be measured on, a Python."""

    def __init__(
        self,
        entry: DeviceEntry,
        transport: ShellTransport,
        identity: str,
        *,
        say: Say,
        agent: bytes | None = None,
        reconnect_seconds: float = RECONNECT_SECONDS,
    ) -> None:
        """`identity` is the serial number or the host; `agent` another program than ours, for tests."""
        self.entry = entry
        self.transport = transport
        self._identity = identity
        self._say = say
        self._agent = agent
        self._reconnect_seconds = reconnect_seconds
        own = entry.transport is TransportName.SSH and entry.environment == "own"
        self.environment = BoardEnvironment(transport, entry.python, given=not own, say=say)

    @property
    def lease_key(self) -> str:
        return f"{self.entry.transport}-{self._identity}"

    @property
    def workspaces(self) -> str:
        """The folder of the device below which workspaces are made."""
        return self.entry.workspace or _WORKSPACES[self.entry.transport]

    def check(self) -> None:
        """Whether a Python is there.

        Raises:
            DeviceUnsupportedError: there is none.
            TransportError: the device does not answer.
        """
        if self.entry.transport is TransportName.ADB and not self.has_python():
            raise DeviceUnsupportedError(
                f"{self.entry.name} is attached and ready, but its shell finds no Python with numpy",
                fix='set one as `python` in your device table, or let the app measure: runner = "app"',
            )
        self.environment.check()

    def has_python(self) -> bool:
        """Whether the device's shell can start a Python with numpy."""
        return self.transport.shell(f"{shlex.quote(self.entry.python)} -c 'import numpy'").exit_code == 0

    def settings(self, asked: RunSettings) -> RunSettings:
        return require_python_agent(asked, self.entry.name)

    def default_accelerator(self, runtime: str) -> str:
        """The processor: the Python agent knows no other."""
        return CPU

    def facts(self) -> DeviceFacts:
        return shell_facts.device_facts(self.transport, self.entry)

    def state(self) -> MachineState:
        return shell_facts.machine_state(self.transport)

    @property
    def chip(self) -> str | None:
        """None: nothing here reaches an NPU."""
        return None

    def untimed_reason(self, target: TargetName) -> str | None:
        return untimed_on(target, "Android" if self.entry.transport is TransportName.ADB else "Linux")

    @contextmanager
    def open_runner(self) -> Iterator[Runner]:
        with scratch_folder() as scratch, self.transport.workspace(self.workspaces) as workspace:
            runner = AgentRunner(
                self.transport,
                workspace=workspace,
                scratch=scratch,
                python=self.environment.python,
                agent=build_agent() if self._agent is None else self._agent,
            )
            yield ResumingRunner(
                runner,
                self.transport,
                say=self._say,
                on_return=runner.forget_pushed,
                wait_seconds=self._reconnect_seconds,
            )

    def check_throughput(self) -> None:
        raise self._no_throughput()

    def open_throughput(self) -> AbstractContextManager[ThroughputRunner]:
        raise self._no_throughput()

    def _no_throughput(self) -> DeviceUnsupportedError:
        if self.entry.transport is TransportName.ADB:
            fix = 'let the app measure (runner = "app" in your device table), or use --device host'
        else:
            fix = "run it on the board itself with --device host, or choose a phone that the app measures on"
        return DeviceUnsupportedError(
            f"{self.entry.name} is measured by the Python agent, which decodes no photographs", fix=fix
        )
