"""What every farm offers, whatever it is reached by."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeVar

from pocketclip.benchmark.errors import OptionError
from pocketclip.benchmark.records.benchmark import RunSettings
from pocketclip.benchmark.store.codec import Record
from pocketclip.export.artifact.reading import Artifact
from pocketclip.models.errors import choices

# Ids of records are made of it and of our token at the farm.
_RECORDS = uuid.UUID("5a8f3f0e-6f0b-4c0f-9a55-5b2d6c1f7e11")
# What a name at a farm may hold: it reaches requests, file names' hashes, messages and records.
_WHERE = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,200}")


class FarmName(StrEnum):
    """A farm, as `--farm` names it."""

    AI_HUB = "aihub"
    DEVICE_FARM = "devicefarm"
    FIREBASE = "firebase"


@dataclass(frozen=True)
class Place:
    """A device, a pool or whatever a farm calls it: `where` is the farm's own name for it."""

    farm: FarmName
    where: str

    def __str__(self) -> str:
        return f"{self.farm}:{self.where}"


def parse_place(text: str) -> Place:
    """What `--farm` names: `aihub:Samsung Galaxy S24`, `devicefarm:POOL`, `firebase:oriole,33`; see each farm.

    Raises:
        OptionError: no such farm, or no name behind it.
    """
    name, colon, where = text.partition(":")
    example = 'give a farm and its device, such as aihub:"Samsung Galaxy S24", devicefarm:POOL or firebase:oriole'
    if name not in tuple(FarmName):
        raise OptionError(f"--farm {text!r} names no farm; choose among: {choices(FarmName)}", fix=example)
    if not colon or not _WHERE.fullmatch(where) or where != where.strip():
        raise OptionError(f"--farm {text!r} names no device or pool of {name}", fix=example)
    return Place(FarmName(name), where)


@dataclass(frozen=True)
class Request:
    """What shall be measured on a farm.

    `settings` are one for each number of threads. `accelerator` is the one asked for, None where nobody chose one.
    `app` is the measuring app's package, for farms whose phones run it. `say` is told in words what goes on.
    """

    artifacts: Sequence[Artifact]
    settings: Sequence[RunSettings]
    accelerator: str | None
    timeout_seconds: float
    cooldown_seconds: float
    tag: str | None
    app: Path | None
    say: Callable[[str], object]


@dataclass(frozen=True)
class Work:
    """One job of a farm, as it is submitted and paid for. Farms derive their own.

    `key` is the hash of all that makes it: the same work has the same key in every process.
    """

    key: str
    label: str


@dataclass(frozen=True)
class Cost:
    """What works cost at most, in words, with the source of the price; `most_usd` is None where none is published."""

    most_usd: float | None
    words: str
    source: str


class JobState(StrEnum):
    """How far a job at a farm is."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True)
class JobStatus:
    """The state of a job, and the farm's own words for it; of a failed one, why."""

    state: JobState
    words: str


@dataclass(frozen=True)
class Submitted:
    """A work that is at a farm. `token` is our own name for it there, `submitted_at` when we first tried, in UTC.

    `job_id` is the farm's, None where it took none.
    """

    token: str
    submitted_at: str
    job_id: str | None

    def record_id(self, number: int = 0) -> str:
        """The id of one of its records: the same each time, so that a store takes it once."""
        return str(uuid.uuid5(_RECORDS, f"{self.token}/{number}"))


WorkT = TypeVar("WorkT", bound=Work)


class Farm(Protocol[WorkT]):
    """A farm. Every method may raise `FarmError`; `FarmUnavailableError` alone is worth trying again."""

    def plan(self, request: Request) -> Sequence[WorkT]:
        """The works of a request. Asks the farm only what costs nothing.

        Raises:
            FarmNotFoundError: there is no such device or pool; the message has the nearest names.
            DeviceUnsupportedError: none of the artefacts can be measured there.
        """
        ...

    def cost(self, works: Sequence[WorkT]) -> Cost:
        """What they cost at most."""
        ...

    def submit(self, work: WorkT, token: str) -> str:
        """Sends a work there, under our token; the farm's id of the job. From here on it is paid for."""
        ...

    def find(self, token: str) -> str | None:
        """The id of the job that was submitted under a token, None where there is none."""
        ...

    def status(self, job_id: str) -> JobStatus:
        """How far a job is."""
        ...

    def results(self, work: WorkT, submitted: Submitted) -> Sequence[Record]:
        """The records of a job that has ended: the same ones, with the same ids, each time that they are asked for.

        Raises:
            FarmResultError: what is there is truncated or missing, and asking again may help.
        """
        ...

    def failed(self, work: WorkT, submitted: Submitted, reason: str) -> Sequence[Record]:
        """The records of a job that failed, whose reason begins with a code."""
        ...
