"""What a benchmark leaves behind: every raw sample, units in the names, None for what is unknown.

Statistics are never stored; `benchmark.statistics.summaries` derives them on demand. Accuracy has records of
its own: `benchmark.records.accuracy`.

Schema history:
  benchmark 1: first version.
  benchmark 2: artefact.scheme, device.soc and .instance, settings.cores and what limits a run, more of launches,
    status `counted`, preparation, profile, instructions, invalid, tag.
  benchmark 3: settings.accelerator, more load modes, launch.during and .first_load, thermal_headroom of a
    machine's state, a summary for parity where a bundle's tower was measured.
  benchmark 4: artifact.trained; bounds of numbers, lengths of texts, forms of ids, times and hashes, which all records
    that PocketCLIP wrote keep.
  benchmark 5: npu, where the ops of an artefact for NPUs are; device.kind `farm`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from annotated_types import Gt, Le

from pocketclip.benchmark.errors import RecordError
from pocketclip.benchmark.records.fields import (
    MOMENT,
    MOST_SECONDS,
    RECORD_ID,
    Accelerator,
    Cosine,
    Difference,
    LongText,
    Moment,
    Name,
    Positive,
    RecordId,
    Seconds,
    Tag,
    Text,
)
from pocketclip.benchmark.records.launch import Launch
from pocketclip.benchmark.records.placement import NpuPlacement
from pocketclip.benchmark.records.profile import InstructionCounts, OpProfile, Preparation
from pocketclip.benchmark.records.validity import Invalidity
from pocketclip.export.artifact.parity_report import ParityReport
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.documents import document
from pocketclip.models.untrusted.names import Sha256
from pocketclip.models.untrusted.numbers import Count, NotNegative, Share

BENCHMARK_SCHEMA_VERSION = 5

_CLOCKS_DIFFER = timedelta(minutes=10)

# The accelerator that every device has.
CPU = "cpu"
# Asks for what a device executes a runtime's models with by itself. Records never have it: they say what that was.
DEVICE_DEFAULT = "default"


class Status(StrEnum):
    """How far a benchmark came.

    `counted`: an emulated device, whose time means nothing, executed the model; its instructions were counted.
    `parity-only`: the device cannot run the format's own runtime: outputs were compared, nothing was timed.
    """

    MEASURED = "measured"
    COUNTED = "counted"
    PARITY_ONLY = "parity-only"
    FAILED = "failed"


class DeviceKind(StrEnum):
    """What sort of machine a device is. Latency of an emulated one means nothing; `farm` is a hosted farm's phone."""

    HOST = "host"
    EMULATED = "emulated"
    PHONE = "phone"
    BOARD = "board"
    FARM = "farm"


class LoadMode(StrEnum):
    """How the runtime gets the model.

    `file`: it opens the file by its path and may map it into memory. `mmap`: it maps the file. `memory`: the whole file
    is read first.
    """

    FILE = "file"
    MMAP = "mmap"
    MEMORY = "memory"


@document
class ArtifactIdentity:
    """Which artefact was measured. `sha256` covers all its files, the size the model files alone.

    `scheme` is the manifest's: target, precision and what differs from the usual form. `trained` is false where the
    weights are fresh random ones, None where it is not known.
    """

    model: Name
    tower: Tower
    target: TargetName
    precision: Precision
    sha256: Sha256
    weights_sha256: Sha256
    model_size_bytes: Count
    scheme: Tag = ""
    trained: bool | None = None

    @property
    def rank(self) -> tuple[int, int, int]:
        """Sorts artefacts as tables list them: by target, precision and tower, floating point and image first."""
        vocabularies = ((TargetName, self.target), (Precision, self.precision), (Tower, self.tower))
        target, precision, tower = (list(names).index(name) for names, name in vocabularies)
        return target, precision, tower


@document
class DeviceFacts:
    """The machine that ran the measurement. `isa` lists the instruction sets that matter to inference.

    `soc` is a phone's system on chip; `instance` tells two machines of one name apart (a hash of serial or machine
    id, so that a record gives neither away).
    """

    name: Name
    kind: DeviceKind
    os: Text
    machine: Text
    cpu: Text
    isa: tuple[Name, ...]
    logical_cores: Positive
    memory_bytes: Count | None
    soc: Tag | None = None
    instance: Tag | None = None


@document
class RuntimeFacts:
    """What executed the model. Accelerators asked for and seen are told apart: fallbacks are silent."""

    name: Name
    version: LongText | None
    accelerator_requested: Accelerator
    accelerator_observed: LongText | None


@document
class WarmupRule:
    """When a model is warm: `stable_windows` successive windows have medians within `tolerance`."""

    window_iterations: Positive = 5
    stable_windows: Positive = 3
    tolerance: NotNegative = 0.05
    minimum_iterations: Count = 15
    maximum_iterations: Positive = 200
    maximum_seconds: Seconds = 20.0


@document
class RunSettings:
    """What was asked for.

    Each launch takes at least `iterations` steady inferences and at least `minimum_seconds` of them. There are
    `launches` of them; with `until_share`, more, until the 95 % interval of the median is no wider than that share of
    it, or `budget_seconds` are over. `cores` are those that the process may use; None leaves it to the system.
    With `sustained_seconds`, one more launch goes on for that long. `accelerator` is the one asked for, as in a job.
    """

    threads: Positive = 1
    iterations: Positive = 100
    minimum_seconds: Seconds = 0.0
    launches: Positive = 3
    warmup: WarmupRule = WarmupRule()
    load_mode: LoadMode = LoadMode.FILE
    cores: tuple[Count, ...] | None = None
    until_share: Annotated[float, Gt(0.0), Le(1.0)] | None = None
    budget_seconds: Annotated[float, Gt(0.0), Le(MOST_SECONDS)] | None = None
    sustained_seconds: Annotated[float, Gt(0.0), Le(MOST_SECONDS)] | None = None
    accelerator: Accelerator = CPU


@document
class BundledParity:
    """What a bundle keeps of its artefact's `ParityReport`: agreement with PyTorch when it was exported."""

    samples: Positive
    cosine_mean: Cosine
    cosine_min: Cosine
    top1_agreement: Share
    failures: tuple[LongText, ...]

    @property
    def passed(self) -> bool:
        """Whether every budget was met."""
        return not self.failures


@document
class GoldenCheck:
    """Outputs of this very run against the artefact's golden tensors, worst sample.

    `cosine_min` and `max_abs` compare with PyTorch fp32, `exported_cosine_min` with what the artefact itself
    gave when it was exported: it shows a device whose kernels compute something else.
    """

    samples: Positive
    cosine_min: Cosine
    max_abs: Difference
    exported_cosine_min: Cosine


@document
class BenchmarkRecord:
    """One artefact on one device.

    A record with entries in `invalid` was measured under conditions that forbid to rank it; `sustained` is the
    launch of a long run, apart from `launches`. `tag` is the user's name for a set of records, e.g. a release. `npu` is
    of artefacts for NPUs alone: the graph that ran, or on a computer the first one.

    Raises:
        RecordError: status, launches and reason do not fit each other.
    """

    artifact: ArtifactIdentity
    device: DeviceFacts
    runtime: RuntimeFacts
    settings: RunSettings
    status: Status
    reason: LongText | None
    launches: tuple[Launch, ...]
    parity: ParityReport | BundledParity | None
    golden_check: GoldenCheck | None
    agent_sha256: Sha256 | None
    tool_version: Name
    record_id: RecordId
    created_at: Moment
    sustained: Launch | None = None
    preparation: Preparation | None = None
    profile: OpProfile | None = None
    instructions: InstructionCounts | None = None
    invalid: tuple[Invalidity, ...] = ()
    tag: Tag | None = None
    npu: NpuPlacement | None = None
    kind: Literal["benchmark"] = "benchmark"
    schema_version: Literal[5] = BENCHMARK_SCHEMA_VERSION

    @property
    def timed(self) -> bool:
        """Whether its times are a device's: what an emulated one takes says nothing of any phone."""
        return self.status is Status.MEASURED and self.device.kind != DeviceKind.EMULATED

    @property
    def rankable(self) -> bool:
        """Whether its times may be shown as latency and compared with others."""
        return self.timed and not self.invalid

    def __post_init__(self) -> None:
        check_stamp(self.record_id, self.created_at)
        if self.status is Status.MEASURED and not (self.launches and self.golden_check):
            raise RecordError("a measured record needs at least one launch and a golden check")
        if self.status is Status.PARITY_ONLY and self.launches:
            raise RecordError("a parity-only record holds no launches: nothing may be timed")
        if (self.status is Status.COUNTED) != (self.instructions is not None):
            raise RecordError(f"counts of instructions belong to counted records; this one is {self.status}")
        if self.status is Status.COUNTED and (self.launches or not self.golden_check):
            raise RecordError("a counted record needs a golden check and holds no launches")
        if (self.status in (Status.MEASURED, Status.COUNTED)) != (self.reason is None):
            raise RecordError(f"a reason belongs to records that were not measured; this one is {self.status}")


def new_record_id() -> str:
    """A fresh random UUID."""
    return str(uuid.uuid4())


def utc_now() -> str:
    """The time in UTC, ISO 8601 to the microsecond, so that records sort by it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def age_key(created_at: str) -> tuple[bool, datetime]:
    """Sorts records, the latest last. One that is dated in the future is the work of a wrong clock: it comes first, so
    that it hides none that was made since.
    """
    return not is_future(created_at), datetime.fromisoformat(created_at)


def is_future(created_at: str) -> bool:
    """Whether a time is still to come, by more than the clocks of two machines differ."""
    return datetime.fromisoformat(created_at) > datetime.now(UTC) + _CLOCKS_DIFFER


def check_stamp(record_id: str, created_at: str) -> None:
    """Raises `RecordError` where the id is no UUID as we write it or the time not one in UTC."""
    for name, form, value in (("record_id", RECORD_ID, record_id), ("created_at", MOMENT, created_at)):
        fault = form.fault(value)
        if fault is not None:
            raise RecordError(f"{name} {fault}")
    try:
        datetime.fromisoformat(created_at)
    except ValueError as error:
        raise RecordError(f"created_at {created_at!r} is no time: {error}") from error


def upgrade_benchmark_v1(content: Mapping[str, Any]) -> dict[str, Any]:
    """A record of schema 1 in the form of schema 2; what it did not hold is unknown."""
    artifact = content["artifact"]
    return {
        **content,
        "artifact": {**artifact, "scheme": f"{artifact['target']}-{artifact['precision']}"},
        "schema_version": 2,
    }


def upgrade_benchmark_v2(content: Mapping[str, Any]) -> dict[str, Any]:
    """A record of schema 2 in the form of schema 3: what was asked for was in the runtime's facts alone."""
    asked = content["runtime"]["accelerator_requested"]
    return {**content, "settings": {**content["settings"], "accelerator": asked}, "schema_version": 3}


def upgrade_benchmark_v3(content: Mapping[str, Any]) -> dict[str, Any]:
    """A record of schema 3 in the form of schema 4: whether the weights were trained is unknown."""
    return {**content, "schema_version": 4}


def upgrade_benchmark_v4(content: Mapping[str, Any]) -> dict[str, Any]:
    """A record of schema 4 in the form of schema 5: none was of an NPU."""
    return {**content, "schema_version": 5}
