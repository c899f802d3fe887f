"""What a fleet is made of, whatever connects it: hosts announce devices, take one job for each, and answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

from annotated_types import Ge, Le

from pocketclip.benchmark.errors import FleetAnswerError
from pocketclip.benchmark.fleet.jobs import Job, UnitKey
from pocketclip.benchmark.records.fields import LongText, Name, Tag
from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.untrusted.names import Matching, Sha256

# A record with its samples as JSON inside of JSON; a sustained run of hours stays below it.
MOST_ANSWER_BYTES = 128 << 20

_RecordText = Annotated[str, Matching(r"[^\x00]+", MOST_ANSWER_BYTES, "the JSON text of a record")]


@document
class FleetDevice:
    """A device as its host announces it.

    `key` tells units of one name apart; `words` say what it is. A device that is attached and cannot be used has an
    `obstacle`. `clock_ahead_seconds` is how far its host's clock is before ours. `whole_host`: it is the host itself,
    so that nothing else may compute there while it is measured.
    """

    key: UnitKey
    name: Name
    host: Name
    words: Tag = ""
    obstacle: Tag | None = None
    clock_ahead_seconds: Annotated[float, Ge(-1e12), Le(1e12)] = 0.0
    whole_host: bool = False


@document
class Fault:
    """Why a host could not measure: an error's code and its message."""

    code: Name
    message: LongText


@document
class Answer:
    """What came of a job on a host: a record, as its store would keep it, or a fault."""

    job_id: Sha256
    record: _RecordText | None = None
    fault: Fault | None = None

    def __post_init__(self) -> None:
        if (self.record is None) == (self.fault is None):
            raise FleetAnswerError("an answer holds a record or a fault")


@document
class Examination:
    """What a doctor on a host found of a device: whether all is met, and in words what is not."""

    key: UnitKey
    healthy: bool
    reason: LongText


@dataclass(frozen=True)
class Answered:
    """A host answered; `text` is an `Answer`, not yet read."""

    job_id: str
    device_key: str
    text: str


@dataclass(frozen=True)
class Lost:
    """A job's host, or the process that measured, went away before it answered."""

    job_id: str
    device_key: str
    reason: str
    host_gone: bool = True


@dataclass(frozen=True)
class Examined:
    """A doctor's answer; `text` is an `Examination`, not yet read. None where the host went away."""

    device_key: str
    text: str | None


Event = Answered | Lost | Examined


class Cluster(Protocol):
    """Hosts and their devices. Nothing here blocks longer than it says."""

    def devices(self) -> Sequence[FleetDevice]:
        """What is announced now; a device that two hosts announce is there once.

        Raises:
            FleetError: the cluster itself is gone.
        """
        ...

    def start(self, job: Job, device: FleetDevice) -> None:
        """Begins a job on a device that has none; its event comes by `wait`."""
        ...

    def examine(self, device: FleetDevice) -> None:
        """Begins a check of a device that has no job; its event comes by `wait`."""
        ...

    def wait(self, seconds: float) -> Sequence[Event]:
        """What happened, as soon as anything did, or nothing after so many seconds."""
        ...

    def close(self) -> None:
        """Ends what was begun here and lets go of the cluster."""
        ...


def read_answer(event: Answered) -> Answer:
    """The answer of a host, which may say anything.

    Raises:
        FleetAnswerError: it is no answer, or one to another job.
    """
    found = documents.parse(
        Answer,
        event.text,
        source=f"the answer to job {event.job_id[:12]}",
        error=FleetAnswerError,
        most_bytes=MOST_ANSWER_BYTES,
    )
    if found.job_id != event.job_id:
        raise FleetAnswerError(f"the answer to job {event.job_id[:12]} is one to {found.job_id[:12]}")
    return found
