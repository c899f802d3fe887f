"""An iPhone that the app measures on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from pocketclip.benchmark.devices.attached_iphones import find_phone
from pocketclip.benchmark.devices.device import require_apple_accelerator
from pocketclip.benchmark.devices.table import DeviceEntry
from pocketclip.benchmark.errors import (
    BenchmarkError,
    DeveloperImageError,
    DeveloperModeError,
    DeviceUnauthorizedError,
    DeviceUnsupportedError,
    ScreenLockedError,
)
from pocketclip.benchmark.phone_app.app_protocol import AppFacts
from pocketclip.benchmark.phone_app.app_runner import AppRunner
from pocketclip.benchmark.phone_app.app_throughput import AppThroughput
from pocketclip.benchmark.phone_app.iphone_app import IPhoneApp
from pocketclip.benchmark.phone_app.iphone_installing import ensure_installed
from pocketclip.benchmark.phone_app.iphone_package import IPhonePackage, find_package
from pocketclip.benchmark.platforms.apple.faults import DEVELOPER_MODE, IMAGE, TRUST, UNLOCK
from pocketclip.benchmark.platforms.apple.phone import ApplePhone, ListedPhone, PhoneState
from pocketclip.benchmark.platforms.apple.ways import Way
from pocketclip.benchmark.platforms.host import instance_id
from pocketclip.benchmark.records.accelerators import APPLE_DEFAULT
from pocketclip.benchmark.records.benchmark import DeviceFacts, DeviceKind, LoadMode, RunSettings, utc_now
from pocketclip.benchmark.records.launch import MachineState
from pocketclip.benchmark.runners.agent_runner import Runner
from pocketclip.benchmark.runners.resuming_runner import (
    RECONNECT_SECONDS,
    Resuming,
    ResumingRunner,
    ResumingThroughput,
)
from pocketclip.benchmark.runners.scratch import scratch_folder
from pocketclip.benchmark.runners.throughput_runner import ThroughputRunner
from pocketclip.export.precision import TargetName

# Every iPhone since the X (2017) has two fast cores and four slow ones.
_CORES = 6
# How the runtimes of an app on another system, for tests, call themselves.
_REPLAY = "replay"
_POLL_SECONDS = 1.0

Say = Callable[[str], object]


class IPhoneDevice:
    """An iPhone, with the app on it or to be installed."""

    def __init__(
        self,
        entry: DeviceEntry,
        found: ListedPhone,
        way: Way,
        *,
        say: Say,
        app: Path | None = None,
        reconnect_seconds: float = RECONNECT_SECONDS,
    ) -> None:
        """`app` is the app's package, by default the one that `find_package` finds."""
        self.entry = entry
        self.phone: ApplePhone = way.open_phone(found, entry.name)
        self._found = found
        self._way = way
        self._say = say
        self._app = app
        self._reconnect_seconds = reconnect_seconds

    @property
    def lease_key(self) -> str:
        return f"{self.entry.transport}-{self._found.udid}"

    @cached_property
    def package(self) -> IPhonePackage:
        """The app on this computer."""
        return find_package(self._app)

    def check(self) -> None:
        """Whether the phone can be measured on, and the app is at hand. The developer image is mounted if need be.

        Raises:
            AppMissingError, AppSigningError: there is no app that could be installed.
            ScreenLockedError, DeveloperModeError, DeveloperImageError, DeviceUnauthorizedError: the phone is not ready.
            TransportError: it does not answer.
        """
        _ = self.package
        state = self.phone.state()
        problem = next(iter(problems(state, self.entry.name)), None)
        if isinstance(problem, DeveloperImageError):
            self._say(f"mounting the developer disk image on {self.entry.name}")
            self.phone.mount_image()
        elif problem is not None:
            raise problem

    def settings(self, asked: RunSettings) -> RunSettings:
        """All that is asked for, where Core ML or Core AI has it.

        Raises:
            DeviceUnsupportedError: neither has it.
        """
        require_apple_accelerator(asked)
        if asked.load_mode is not LoadMode.FILE:
            raise DeviceUnsupportedError(
                f"--load-mode {str(asked.load_mode)!r} cannot be set on iPhones: Core ML and Core AI take "
                f"only {LoadMode.FILE}"
            )
        if asked.threads != 1 or asked.cores is not None:
            raise DeviceUnsupportedError(
                (
                    "--threads and --cores cannot be set on iPhones: Core ML and Core AI schedule their own "
                    "threads, and iOS assigns their cores"
                ),
                fix="omit both, and choose an --accelerator",
            )
        return asked

    def default_accelerator(self, runtime: str) -> str:
        """All units, as Core ML and Core AI take themselves where nobody chooses."""
        return APPLE_DEFAULT

    def facts(self) -> DeviceFacts:
        clusters = " + ".join(f"{each.count}x {each.core}" for each in self.entry.cores)
        cores = sum(each.count for each in self.entry.cores)
        return DeviceFacts(
            name=self.entry.name,
            kind=DeviceKind.EMULATED if self.entry.emulated else DeviceKind.PHONE,
            os=self._found.os or "iOS",
            machine="arm64",
            cpu=clusters or self._found.product or "Apple",
            isa=("neon", "fp16"),
            logical_cores=cores or _CORES,
            memory_bytes=None,
            soc=self.entry.soc,
            instance=instance_id(self._found.udid),
        )

    def state(self) -> MachineState:
        """Charge, where the program tells it; how hot the phone is, only the app learns, and refuses."""
        found = self.phone.state()
        return MachineState(utc_now(), battery_percent=found.battery_percent, charging=found.charging)

    @property
    def chip(self) -> str | None:
        """None: nothing here reaches an NPU."""
        return None

    def untimed_reason(self, target: TargetName) -> str | None:
        runs = (TargetName.COREML, TargetName.COREAI)
        return None if target in runs else "the app on iPhones runs only Core ML packages and Core AI assets"

    @contextmanager
    def open_runner(self) -> Iterator[Runner]:
        """The app, installed and ready; at the end its Documents are as they were."""
        with self._opened() as app:
            yield ResumingRunner(
                AppRunner(app), self, say=self._say, on_return=app.forget_sent, wait_seconds=self._reconnect_seconds
            )

    def check_throughput(self) -> None:
        pass

    @contextmanager
    def open_throughput(self) -> Iterator[ThroughputRunner]:
        """As `open_runner`; photographs lie in the app's Documents, too."""
        with self._opened() as app:
            resuming = Resuming(self, say=self._say, on_return=app.forget_sent, wait_seconds=self._reconnect_seconds)
            yield ResumingThroughput(AppThroughput(app), resuming)

    @contextmanager
    def _opened(self) -> Iterator[IPhoneApp]:
        with scratch_folder() as scratch:
            ensure_installed(self.phone, self.package, say=self._say)
            app = IPhoneApp(self.phone, self.package, scratch, compile_model=self._way.compile_model)
            try:
                # First of all: whether it starts, and speaks our version.
                self._check_real(app.facts())
                yield app
            finally:
                try:
                    app.clean()
                except BenchmarkError as error:
                    # What was measured must not be lost to it; the next bench removes it first.
                    self._say(f"{self.entry.name} keeps files of this bench until the next one: {error}")

    def _check_real(self, facts: AppFacts) -> None:
        replaying = any(version and version.startswith(_REPLAY) for version in facts.runtimes.values())
        if replaying and not self.entry.emulated:
            raise DeviceUnsupportedError(
                f"{self.entry.name} is a test iPhone: its app replays outputs and does not measure",
                fix="use --device test-iphone with its own --devices, or a shell without its variables",
            )

    def wait_until_back(self, timeout_seconds: float) -> bool:
        """Whether the phone answers again within that time."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                find_phone(self.entry, self._way.list_phones(), self._way.name)
                self.phone.state()
                return True
            except BenchmarkError:
                if time.monotonic() >= deadline:
                    return False
            time.sleep(_POLL_SECONDS)


def problems(state: PhoneState, label: str) -> Iterator[BenchmarkError]:
    """What of a phone's state forbids to measure, the first to be put right first."""
    if state.paired is False:
        yield DeviceUnauthorizedError(f"{label} does not trust this computer", fix=TRUST)
    if state.locked:
        yield ScreenLockedError(f"{label} is locked, and iOS starts no app then", fix=UNLOCK)
    if state.developer_mode is False:
        yield DeveloperModeError(f"{label} has developer mode turned off", fix=DEVELOPER_MODE)
    if state.image_mounted is False:
        yield DeveloperImageError(f"{label} has no developer disk image mounted", fix=IMAGE)
