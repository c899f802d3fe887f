"""Goes on after a device that went away in the middle is back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from pocketclip.benchmark.errors import DeviceDisconnectedError, DeviceOfflineError
from pocketclip.benchmark.records.benchmark import RunSettings
from pocketclip.benchmark.runners.agent_runner import AgentRun, Runner
from pocketclip.benchmark.runners.throughput_runner import ThroughputRun, ThroughputRunner, ThroughputSettings
from pocketclip.export.artifact.reading import Artifact

if TYPE_CHECKING:
    from pocketclip.benchmark.runners.photo_folder import PhotoFolder

RECONNECT_SECONDS = 60.0

Outcome = TypeVar("Outcome")


class Reconnectable(Protocol):
    """A transport whose device may go away and come back."""

    def wait_until_back(self, timeout_seconds: float) -> bool:
        """Whether the device answers again within that time; ends what still runs there from before."""
        ...


class Resuming:
    """Repeats a launch, once, in whose middle the device went away and came back.

    A device that did not come back is not waited for again: the artefacts left are tried without delay.
    """

    def __init__(
        self,
        transport: Reconnectable,
        *,
        say: Callable[[str], object],
        on_return: Callable[[], object] = lambda: None,
        wait_seconds: float = RECONNECT_SECONDS,
    ) -> None:
        """`say` is told in words what goes on; `on_return` is called before a launch is repeated."""
        self._transport = transport
        self._say = say
        self._on_return = on_return
        self._wait_seconds = wait_seconds
        self._given_up = False

    def repeated(self, launch: Callable[[], Outcome]) -> Outcome:
        """What the launch gives, or a second where the device went away in the first."""
        try:
            return launch()
        except (DeviceDisconnectedError, DeviceOfflineError) as error:
            wait = 0.0 if self._given_up else self._wait_seconds
            if wait:
                self._say(f"{error}; waiting up to {wait:g} s for it")
            self._given_up = not self._transport.wait_until_back(wait)
            if self._given_up:
                raise
        self._say("the device is back; repeating the launch")
        self._on_return()
        return launch()


class ResumingRunner:
    """A `Runner` that goes on after its device is back."""

    def __init__(
        self,
        runner: Runner,
        transport: Reconnectable,
        *,
        say: Callable[[str], object],
        on_return: Callable[[], object] = lambda: None,
        wait_seconds: float = RECONNECT_SECONDS,
    ) -> None:
        """`say` is told in words what goes on; `on_return` is called before a launch is repeated."""
        self._runner = runner
        self._resuming = Resuming(transport, say=say, on_return=on_return, wait_seconds=wait_seconds)

    @property
    def agent_sha256(self) -> str:
        return self._runner.agent_sha256

    def run(self, artifact: Artifact, runtime: str, settings: RunSettings, *, timeout_seconds: float) -> AgentRun:
        """One launch, or a second where the device went away in the first; see `Runner`."""
        return self._resuming.repeated(
            lambda: self._runner.run(artifact, runtime, settings, timeout_seconds=timeout_seconds)
        )


class ResumingThroughput:
    """A `ThroughputRunner` that goes on after its device is back."""

    def __init__(self, runner: ThroughputRunner, resuming: Resuming) -> None:
        self._runner = runner
        self._resuming = resuming

    def run(
        self,
        artifact: Artifact,
        runtime: str,
        photos: PhotoFolder,
        settings: ThroughputSettings,
        *,
        timeout_seconds: float,
    ) -> ThroughputRun:
        """One launch, or a second where the device went away in the first; see `ThroughputRunner`."""
        return self._resuming.repeated(
            lambda: self._runner.run(artifact, runtime, photos, settings, timeout_seconds=timeout_seconds)
        )
