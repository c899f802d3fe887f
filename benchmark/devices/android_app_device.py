"""An Android phone that the measuring app measures on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from pocketclip.benchmark.devices import shell_facts
from pocketclip.benchmark.devices.device import require_accelerator, untimed_on
from pocketclip.benchmark.devices.table import DeviceEntry
from pocketclip.benchmark.errors import DeviceUnsupportedError
from pocketclip.benchmark.phone_app.android_app import AndroidApp, ask_facts, clear_leftovers, shared_folder, stop
from pocketclip.benchmark.phone_app.apk import Apk, find_apk
from pocketclip.benchmark.phone_app.app_runner import AppRunner
from pocketclip.benchmark.phone_app.app_throughput import AppThroughput
from pocketclip.benchmark.phone_app.installing import WORKSPACES, check_fits, ensure_installed
from pocketclip.benchmark.phone_app.steady import check_unlocked, put_back_leftovers, steady
from pocketclip.benchmark.platforms.android.properties import AndroidFacts, android_facts, parse_properties
from pocketclip.benchmark.records.accelerators import ANDROID_ACCELERATORS
from pocketclip.benchmark.records.benchmark import CPU, DeviceFacts, RunSettings
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
from pocketclip.benchmark.transport.shell import ShellTransport
from pocketclip.export.npu.socs import chip_name
from pocketclip.export.precision import TargetName

Say = Callable[[str], object]


def default_accelerator(runtime: str) -> str:
    """XNNPACK where the runtime is meant to run on it; ONNX Runtime's own kernels are made for phones as well."""
    return "xnnpack" if runtime in ("executorch", "litert") else CPU


class AndroidAppDevice:
    """An Android phone, with the measuring app on it or to be installed."""

    def __init__(
        self,
        entry: DeviceEntry,
        transport: ShellTransport,
        identity: str,
        *,
        say: Say,
        app: Path | None = None,
        reconnect_seconds: float = RECONNECT_SECONDS,
    ) -> None:
        """`identity` is the serial number; `app` an APK, by default the one that `find_apk` finds."""
        self.entry = entry
        self.transport = transport
        self._identity = identity
        self._say = say
        self._app = app
        self._reconnect_seconds = reconnect_seconds

    @property
    def lease_key(self) -> str:
        return f"{self.entry.transport}-{self._identity}"

    @cached_property
    def android(self) -> AndroidFacts:
        """What the phone says of itself, asked once."""
        return android_facts(parse_properties(self.transport.shell("getprop").stdout))

    @cached_property
    def apk(self) -> Apk:
        """The app on this computer."""
        return find_apk(self._app)

    def check(self) -> None:
        """Whether the phone is one that the app runs on, and unlocked. What an earlier bench left changed is put back.

        Raises:
            DeviceUnsupportedError: it is no Android phone.
            AppMissingError: the app is not built.
            AndroidVersionError, AbiMismatchError: the app cannot run there.
            ScreenLockedError: someone must unlock it.
            TransportError: it does not answer.
        """
        self.check_android()
        self.put_back_leftovers()
        check_unlocked(self.transport)

    def put_back_leftovers(self) -> None:
        """Puts back what an earlier bench left changed on the phone; the user is told."""
        put_back_leftovers(self.transport, self._identity, self._say)

    def check_android(self) -> None:
        """Whether the app can run on the phone; see `check`."""
        if self.android.release is None:
            raise DeviceUnsupportedError(
                f"{self.entry.name} answers adb but is not an Android phone (no `getprop`), so no app runs there",
                fix='give it a Python with numpy and the runtime, and runner = "agent" in your device table',
            )
        check_fits(self.apk, self.android.abis, self.android.api_level, self.entry.name)

    def settings(self, asked: RunSettings) -> RunSettings:
        """All that is asked for, where Android has the accelerator.

        Raises:
            DeviceUnsupportedError: it has not.
        """
        require_accelerator(asked, ANDROID_ACCELERATORS, "Android's")
        return asked

    def default_accelerator(self, runtime: str) -> str:
        return default_accelerator(runtime)

    def facts(self) -> DeviceFacts:
        return self._facts

    @cached_property
    def _facts(self) -> DeviceFacts:
        return shell_facts.device_facts(self.transport, self.entry)

    def state(self) -> MachineState:
        return shell_facts.machine_state(self.transport)

    def untimed_reason(self, target: TargetName) -> str | None:
        return untimed_on(target, "Android", vulkan=True, npu=True)

    @property
    def chip(self) -> str | None:
        return chip_name(self.android.soc, self.entry.name)

    @contextmanager
    def open_runner(self) -> Iterator[Runner]:
        """The app, installed and ready; at the end its folder is removed and every setting is as it was."""
        with self._opened() as app:
            yield ResumingRunner(
                AppRunner(app),
                self.transport,
                say=self._say,
                on_return=app.forget_sent,
                wait_seconds=self._reconnect_seconds,
            )

    def check_throughput(self) -> None:
        pass

    @contextmanager
    def open_throughput(self) -> Iterator[ThroughputRunner]:
        """As `open_runner`; photographs lie in the app's folder, too."""
        with self._opened() as app:
            resuming = Resuming(
                self.transport, say=self._say, on_return=app.forget_sent, wait_seconds=self._reconnect_seconds
            )
            yield ResumingThroughput(AppThroughput(app), resuming)

    @contextmanager
    def _opened(self) -> Iterator[AndroidApp]:
        with scratch_folder() as scratch, steady(self.transport, self._identity, self.android.api_level, self._say):
            ensure_installed(self.transport, self.apk, say=self._say)
            shared = shared_folder(self.android.api_level)
            clear_leftovers(self.transport, shared)
            # First of all: the app makes its shared folder itself.
            with self.transport.workspace(WORKSPACES) as folder:
                told = ask_facts(self.transport, shared, folder, scratch)
            with self.transport.workspace(shared) as folder:
                app = AndroidApp(self.transport, self.apk, told, shared=shared, folder=folder, scratch=scratch)
                try:
                    yield app
                finally:
                    stop(self.transport)
