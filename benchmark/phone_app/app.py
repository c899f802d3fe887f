"""What every phone's app offers to the harness, whatever it is reached by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pocketclip.benchmark.phone_app.app_protocol import AppFacts, SentFile
from pocketclip.benchmark.phone_app.throughput_protocol import ThroughputJob
from pocketclip.benchmark.runners.photo_folder import PhotoFile
from pocketclip.benchmark.runners.protocol import AgentResult, Job
from pocketclip.export.artifact.reading import Artifact


class PhoneApp(Protocol):
    """An app that is installed and ready. Paths are as jobs have them: relative to the app's own folder, POSIX."""

    @property
    def label(self) -> str:
        """The phone's name in messages."""
        ...

    @property
    def sha256(self) -> str:
        """Hash of the app's package."""
        ...

    def facts(self) -> AppFacts:
        """What the app is and has; asked once, and again after `forget_sent`."""
        ...

    def put_model(self, artifact: Artifact) -> str:
        """Sends a model's files where the phone lacks them; the path of its entry point.

        Raises:
            DeviceFullError: there is no room for it.
            TransportError: it does not arrive whole.
        """
        ...

    def put_inputs(self, artifact: Artifact) -> str:
        """Sends the golden inputs where the phone lacks them; their path.

        Raises:
            TransportError: they do not arrive whole.
        """
        ...

    def put_photos(self, photos: Sequence[PhotoFile]) -> tuple[SentFile, ...]:
        """Sends photographs where the phone lacks them; what of them lies there, in their order.

        Raises:
            MeasurementError: one changed here since it was read.
            DeviceFullError: there is no room for them.
            TransportError: they do not arrive whole.
        """
        ...

    def new_folder(self) -> str:
        """An empty folder for one launch's files."""
        ...

    def measure(self, job: Job, folder: str, *, timeout_seconds: float) -> AgentResult:
        """Runs a job in a process of its own; the result is of this job, whole and of our version.

        Raises:
            AgentError: the app crashed, was killed, hung, or left nothing that can be trusted.
            TransportError: the phone went away.
        """
        ...

    def throughput(self, job: ThroughputJob, folder: str, *, timeout_seconds: float) -> AgentResult:
        """As `measure`, for a throughput."""
        ...

    def fetch(self, path: str) -> bytes:
        """A file that the app wrote.

        Raises:
            AgentError: there is none.
            TransportError: the phone went away.
        """
        ...

    def forget_sent(self) -> None:
        """Ends what still runs there, and sends everything anew: the phone went away and may have lost it."""
        ...
