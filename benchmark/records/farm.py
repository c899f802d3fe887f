"""What a hosted farm measured by a method of its own: a class apart, never ranked or compared with our measurements.

A farm whose phones run our measuring app leaves ordinary benchmark records instead.

Schema history:
  farm 1: first version.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from annotated_types import MaxLen

from pocketclip.benchmark.errors import RecordError
from pocketclip.benchmark.records.benchmark import ArtifactIdentity, GoldenCheck, check_stamp
from pocketclip.benchmark.records.fields import (
    LONGEST_NAME,
    Accelerator,
    Duration,
    LongText,
    Moment,
    Name,
    Positive,
    RecordId,
    Tag,
)
from pocketclip.models.documents import document
from pocketclip.models.untrusted.numbers import Count

FARM_SCHEMA_VERSION = 1
MOST_TIMES = 1_000_000


class FarmStatus(StrEnum):
    """How far a farm's measurement came."""

    MEASURED = "measured"
    FAILED = "failed"


@document
class FarmDevice:
    """A farm's device, by the farm's own words. Which unit of it ran, a farm does not tell."""

    name: Name
    os: Tag
    chipset: Tag


@document
class FarmTimes:
    """Times in nanoseconds, as a farm tells them; None is what it does not tell.

    `inference_ns` are all inferences that it lists, `estimated_inference_ns` its own summary of them. `first_load_ns`
    is the first load on the device, `warm_load_ns` a later one, `compile_ns` what was compiled there before.
    """

    estimated_inference_ns: Duration
    inference_ns: Annotated[tuple[Duration, ...], MaxLen(MOST_TIMES)] = ()
    first_load_ns: Duration | None = None
    warm_load_ns: Duration | None = None
    compile_ns: Duration | None = None


@document
class FarmMemory:
    """The peak in an inference in bytes, from the least to the most that the farm saw."""

    peak_low_bytes: Count
    peak_high_bytes: Count

    def __post_init__(self) -> None:
        if self.peak_low_bytes > self.peak_high_bytes:
            raise RecordError(f"a peak from {self.peak_low_bytes} to {self.peak_high_bytes} bytes is none")


@document
class FarmRecord:
    """One artefact on one device of a farm.

    `accelerator` is the one asked for, None where the choice was the farm's; `layers` counts the model's layers by the
    unit that executed them. `job_id` is the farm's. `client` is the package that talked to the farm, with its version.

    Raises:
        RecordError: status, times and reason do not fit each other.
    """

    artifact: ArtifactIdentity
    farm: Name
    device: FarmDevice
    accelerator: Accelerator | None
    iterations: Positive
    status: FarmStatus
    reason: LongText | None
    job_id: Name | None
    client: Name
    times: FarmTimes | None
    memory: FarmMemory | None
    layers: Annotated[dict[Name, Count], MaxLen(100)]
    golden_check: GoldenCheck | None
    tool_version: Name
    record_id: RecordId
    created_at: Moment
    tag: Tag | None = None
    kind: Literal["farm"] = "farm"
    schema_version: Literal[1] = FARM_SCHEMA_VERSION

    @property
    def place(self) -> str:
        """The device with its farm before it: no phone of ours has such a name."""
        return f"{self.farm}:{self.device.name}"[:LONGEST_NAME]

    def __post_init__(self) -> None:
        check_stamp(self.record_id, self.created_at)
        measured = self.status is FarmStatus.MEASURED
        if measured and not (self.times and self.golden_check and self.job_id):
            raise RecordError("a farm's measured record needs times, a golden check and the farm's job")
        if measured != (self.reason is None):
            raise RecordError(f"a reason belongs to records that were not measured; this one is {self.status}")
