"""Jobs: one artefact on one device, once. What a job is decides its id, and its id that of its record."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pocketclip.benchmark.errors import FleetPlanError
from pocketclip.benchmark.fleet.plan import EVERY, MOST_JOBS, BenchEntry, FleetPlan, Wanted
from pocketclip.benchmark.records.benchmark import RunSettings
from pocketclip.benchmark.records.fields import Name, Seconds, Tag
from pocketclip.export.artifact.reading import Artifact
from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.progress import silent
from pocketclip.models.untrusted.names import Matching, Sha256
from pocketclip.models.untrusted.numbers import Count

# Ids of records are made of it and of the job's id.
_RECORDS = uuid.UUID("c0a5f1de-24be-4a39-8d0e-8a6b5a0f5a26")

# The hash of a device's serial or machine id, as records have it (`DeviceFacts.instance`).
UnitKey = Annotated[str, Matching(r"[0-9a-f]{8,64}", 64, "a unit's key of hex digits")]


class JobState(StrEnum):
    """How far a job is. It is `running` also where its head has died and nobody has noticed yet."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@document
class BenchWork:
    """What is measured: an artefact by its hash, on any unit of a device's name or on one, and how."""

    artifact_sha256: Sha256
    label: Name
    device: Name
    unit: UnitKey | None
    repetition: Count
    settings: RunSettings
    timeout_seconds: Seconds
    cooldown_seconds: Seconds
    profile: bool = False
    tag: Tag | None = None


@dataclass(frozen=True)
class Job:
    """A work of a run. `sequence` is its place in the plan; `attempts` how often it was begun in vain."""

    job_id: str
    sequence: int
    priority: int
    work: BenchWork
    attempts: int = 0

    @property
    def record_id(self) -> str:
        """The id of its record: the same however often it is measured, so that a store takes it once."""
        return record_id_of(self.job_id)

    @property
    def target(self) -> str:
        """What it waits for: a unit's key where it is bound to one, else a device's name."""
        return self.work.unit or self.work.device


def record_id_of(job_id: str) -> str:
    """The id of a job's record."""
    return str(uuid.uuid5(_RECORDS, job_id))


def make_jobs(run_id: str, works: Iterable[tuple[int, BenchWork]]) -> list[Job]:
    """The jobs of a run from priorities and works, in their order."""
    return [
        Job(_digest([run_id, documents.to_builtin(work)]), place, priority, work)
        for place, (priority, work) in enumerate(works)
    ]


def plan_works(
    plan: FleetPlan,
    artifacts: Sequence[Sequence[Artifact]],
    targets: Mapping[str, Sequence[Wanted]],
    say: Callable[[str], object] = silent,
) -> list[tuple[int, BenchWork]]:
    """Priorities and works of a plan, repetition by repetition, so that a run that ends early has a bit of all.

    What several entries ask for alike is one work, of the highest of their priorities.

    Args:
        plan: the plan.
        artifacts: for each entry, what its paths hold.
        targets: what each target of the plan means on the devices that are there.
        say: told in words how many works were asked for more than once.

    Raises:
        FleetPlanError: there are more jobs than a run may have.
    """
    count = sum(
        entry.repetitions * len(found) * len(entry.threads) * sum(len(targets[each]) for each in entry.devices)
        for entry, found in zip(plan.bench, artifacts, strict=True)
    )
    if count > MOST_JOBS:
        raise FleetPlanError(f"the plan makes {count:,} jobs, a run has at most {MOST_JOBS:,}", fix="make it several")
    priorities: dict[BenchWork, int] = {}
    again = 0
    for entry, found in zip(plan.bench, artifacts, strict=True):
        for work in _entry_works(entry, found, targets):
            again += work in priorities
            priorities[work] = max(entry.priority, priorities.get(work, entry.priority))
    if again:
        say(f"{again:,} jobs are asked for by several entries of the plan; each is measured once")
    return [(priority, work) for work, priority in priorities.items()]


def _entry_works(
    entry: BenchEntry, artifacts: Sequence[Artifact], targets: Mapping[str, Sequence[Wanted]]
) -> Iterable[BenchWork]:
    for repetition in range(entry.repetitions):
        for artifact in artifacts:
            for wanted in dict.fromkeys(each for target in entry.devices for each in targets[target]):
                for threads in entry.threads:
                    yield BenchWork(
                        artifact_sha256=artifact.manifest.sha256,
                        label=artifact.label,
                        device=wanted.name,
                        unit=wanted.unit,
                        repetition=repetition,
                        settings=RunSettings(
                            threads=threads,
                            iterations=entry.iterations,
                            minimum_seconds=entry.min_seconds,
                            launches=entry.launches,
                            load_mode=entry.load_mode,
                            accelerator=entry.accelerator,
                        ),
                        timeout_seconds=entry.timeout,
                        cooldown_seconds=entry.cooldown,
                        profile=entry.profile,
                        tag=entry.tag,
                    )


def plan_key(plan: FleetPlan, artifacts: Sequence[Sequence[Artifact]]) -> str:
    """What tells a plan from others: all that it says, and the content of its artefacts."""
    hashes = [[each.manifest.sha256 for each in found] for found in artifacts]
    return _digest([documents.to_builtin(plan), hashes])


def entry_paths(plan: FleetPlan, folder: Path) -> list[list[Path]]:
    """The paths of each entry; relative ones begin at the plan's folder."""
    return [[folder / each for each in entry.artifacts] for entry in plan.bench]


def is_every(wanted: Wanted) -> bool:
    """Whether all units of a model are meant, each for itself."""
    return wanted.unit == EVERY


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
