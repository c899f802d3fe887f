"""The emulated arm64 phone as a device: its time means nothing, so instructions are counted in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from pocketclip.benchmark.arm64.counting_runner import CountingRunner, ShellCounter
from pocketclip.benchmark.arm64.phone import WORKSPACES, Phone
from pocketclip.benchmark.arm64.pins import PINS
from pocketclip.benchmark.arm64.root import ensure_root
from pocketclip.benchmark.devices.device import require_python_agent, untimed_on
from pocketclip.benchmark.devices.table import DeviceEntry
from pocketclip.benchmark.errors import DeviceUnsupportedError, EmulatorError
from pocketclip.benchmark.platforms.host import parse_isa
from pocketclip.benchmark.records.benchmark import CPU, DeviceFacts, DeviceKind, RunSettings, utc_now
from pocketclip.benchmark.records.launch import MachineState
from pocketclip.benchmark.runners.agent_runner import Runner
from pocketclip.benchmark.runners.resuming_runner import RECONNECT_SECONDS, ResumingRunner
from pocketclip.benchmark.runners.throughput_runner import ThroughputRunner
from pocketclip.export.precision import TargetName

# Every inference takes the same instructions: more of them only take longer.
MOST_COUNTED = 2

Say = Callable[[str], object]


class EmulatedDevice:
    """The emulated phone, reached through its adbd; through a change of root alone where it cannot be started."""

    def __init__(
        self, entry: DeviceEntry, phone: Phone, *, say: Say, reconnect_seconds: float = RECONNECT_SECONDS
    ) -> None:
        """`reconnect_seconds` is how long a phone that went away is waited for."""
        self.entry = entry
        self.phone = phone
        self._say = say
        self._reconnect_seconds = reconnect_seconds

    @property
    def lease_key(self) -> str:
        return f"emulator-{self.phone.root}"

    def check(self) -> None:
        """Whether it has been made.

        Raises:
            EmulatorError: it was not.
        """
        if not self.phone.created:
            raise EmulatorError(
                f"{self.entry.name} does not exist yet",
                fix=f"create it with `pocketclip devices create {self.entry.name}`",
            )

    def settings(self, asked: RunSettings) -> RunSettings:
        """One thread, and as few inferences as show the count.

        Raises:
            DeviceUnsupportedError: several threads, or something that only time can show.
        """
        if asked.threads != 1:
            raise DeviceUnsupportedError(
                f"{self.entry.name} counts instructions of only one thread",
                fix=f"leave --threads at 1 (got {asked.threads})",
            )
        if asked.until_share is not None or asked.sustained_seconds is not None or asked.cores is not None:
            raise DeviceUnsupportedError(
                f"{self.entry.name} counts instructions, which do not vary on its one core: "
                "omit --until, --sustained and --cores"
            )
        return replace(
            require_python_agent(asked, self.entry.name),
            iterations=min(asked.iterations, MOST_COUNTED),
            minimum_seconds=0.0,
        )

    def default_accelerator(self, runtime: str) -> str:
        """The processor: the Python agent knows no other."""
        return CPU

    def facts(self) -> DeviceFacts:
        return DeviceFacts(
            name=self.entry.name,
            kind=DeviceKind.EMULATED,
            os=f"Debian {PINS.suite}, QEMU of Debian {PINS.qemu_suite}",
            machine="aarch64",
            cpu=f"QEMU {PINS.cpu}",
            isa=parse_isa(PINS.files["proc/cpuinfo"]),
            logical_cores=1,
            memory_bytes=None,
            soc=None,
            instance=PINS.key,
        )

    def state(self) -> MachineState:
        # A busy computer makes it slow and changes no count.
        return MachineState(utc_now())

    @property
    def chip(self) -> str | None:
        """None: nothing here reaches an NPU."""
        return None

    def untimed_reason(self, target: TargetName) -> str | None:
        return untimed_on(target, "the emulated phone")

    def _start(self) -> bool:
        try:
            self.phone.start()
        except EmulatorError as error:
            self._say(f"{error}; counting without its adbd, using only chroot")
            return False
        return True

    @contextmanager
    def open_runner(self) -> Iterator[Runner]:
        """Counts through adb; the phone is started first where it does not run, and then stopped at the end."""
        self.check()
        emulator = ensure_root(self._say, self.phone.root.parent)
        started = self.phone.running() is None
        if not self._start():
            yield CountingRunner(emulator)
            return
        transport = self.phone.transport(self.entry.name)
        try:
            counter = ShellCounter(transport, emulator, self.entry.workspace or WORKSPACES)
            yield ResumingRunner(
                CountingRunner(counter), transport, say=self._say, wait_seconds=self._reconnect_seconds
            )
        finally:
            if started:
                self.phone.stop()

    def check_throughput(self) -> None:
        raise self._no_throughput()

    def open_throughput(self) -> AbstractContextManager[ThroughputRunner]:
        raise self._no_throughput()

    def _no_throughput(self) -> DeviceUnsupportedError:
        return DeviceUnsupportedError(
            f"{self.entry.name} counts instructions, and photographs a second on it mean nothing",
            fix="use --device host, or a phone that the app measures on",
        )
