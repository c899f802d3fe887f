"""What a benchmark leaves behind: every raw sample, units in the names, None for what is unknown.

Statistics are never stored; `benchmark.statistics` derives them on demand. What accuracy was found is recorded by
`benchmark.accuracy_records`.

Schema history:
  benchmark 1: first version.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

from annotated_types import Ge, Le, MinLen

from benchmark.errors import RecordError
from export.parity_report import ParityReport
from export.precision import Precision, TargetName, Tower
from models.documents import document

BENCHMARK_SCHEMA_VERSION = 1

Count = Annotated[int, Ge(0)]
Positive = Annotated[int, Ge(1)]
Share = Annotated[float, Ge(0.0), Le(1.0)]
Cosine = Annotated[float, Ge(-1.001), Le(1.001)]
Text = Annotated[str, MinLen(1)]


class Status(StrEnum):
    """How far a benchmark came.

    `parity-only`: the device cannot run the format's own runtime: outputs were compared, nothing was timed.
    """

    MEASURED = "measured"
    PARITY_ONLY = "parity-only"
    FAILED = "failed"


class DeviceKind(StrEnum):
    """What sort of machine a device is. Latency of an emulated one means nothing."""

    HOST = "host"
    EMULATED = "emulated"
    PHONE = "phone"
    BOARD = "board"


class LoadMode(StrEnum):
    """How the runtime gets the model: `file`, it opens the file by its path and may map it into memory."""

    FILE = "file"


@document
class ArtifactIdentity:
    """Which artefact was measured. `sha256` covers all its files, the size the model files alone."""

    model: Text
    tower: Tower
    target: TargetName
    precision: Precision
    sha256: Text
    weights_sha256: Text
    model_size_bytes: Count

    @property
    def rank(self) -> tuple[int, int, int]:
        """Sorts artefacts as tables list them: by target, precision and tower, floating point and image first."""
        vocabularies = ((TargetName, self.target), (Precision, self.precision), (Tower, self.tower))
        target, precision, tower = (list(names).index(name) for names, name in vocabularies)
        return target, precision, tower


@document
class DeviceFacts:
    """The machine that ran the measurement. `isa` lists the instruction sets that matter to inference."""

    name: Text
    kind: DeviceKind
    os: Text
    machine: Text
    cpu: Text
    isa: tuple[str, ...]
    logical_cores: Positive
    memory_bytes: Count | None


@document
class RuntimeFacts:
    """What executed the model. Accelerators asked for and seen are told apart: fallbacks are silent."""

    name: Text
    version: str | None
    accelerator_requested: Text
    accelerator_observed: str | None


@document
class WarmupRule:
    """When a model is warm: `stable_windows` successive windows have medians within `tolerance`."""

    window_iterations: Positive = 5
    stable_windows: Positive = 3
    tolerance: Annotated[float, Ge(0.0)] = 0.05
    minimum_iterations: Count = 15
    maximum_iterations: Positive = 200
    maximum_seconds: Annotated[float, Ge(0.0)] = 20.0


@document
class RunSettings:
    """What was asked for.

    Each launch takes at least `iterations` steady inferences and at least `minimum_seconds` of them.
    """

    threads: Positive = 1
    iterations: Positive = 100
    minimum_seconds: Annotated[float, Ge(0.0)] = 0.0
    launches: Positive = 3
    warmup: WarmupRule = WarmupRule()
    load_mode: LoadMode = LoadMode.FILE


@document
class Launch:
    """One process: what it took, in the order in which it happened.

    Import, load (opening the model) and first inference are no part of `steady_ns`. `baseline_bytes` is the
    resident memory after imports and before the load; `peak_bytes` starts at that point where `peak_reset` is
    true, else it also covers what came before (`peak_before_load_bytes`).
    """

    started_at: Text
    load_average: float | None
    import_ns: Count
    load_ns: Count
    first_inference_ns: Count
    warmup_ns: tuple[Count, ...]
    warmup_stationary: bool
    steady_ns: Annotated[tuple[Count, ...], MinLen(1)]
    baseline_bytes: Count | None
    loaded_bytes: Count | None
    peak_before_load_bytes: Count | None
    peak_bytes: Count | None
    end_bytes: Count | None
    peak_reset: bool

    @property
    def peak_over_baseline_bytes(self) -> int | None:
        """Memory the model cost at most, or None where the system cannot tell it from earlier peaks."""
        if self.baseline_bytes is None or self.peak_bytes is None:
            return None
        if not self.peak_reset and self.peak_bytes == self.peak_before_load_bytes:
            return None
        return max(0, self.peak_bytes - self.baseline_bytes)


@document
class GoldenCheck:
    """Outputs of this very run against the artefact's golden tensors, worst sample.

    `cosine_min` and `max_abs` compare with PyTorch fp32, `exported_cosine_min` with what the artefact itself
    gave when it was exported: it shows a device whose kernels compute something else.
    """

    samples: Positive
    cosine_min: Cosine
    max_abs: float
    exported_cosine_min: Cosine


@document
class BenchmarkRecord:
    """One artefact on one device.

    Raises:
        RecordError: status, launches and reason do not fit each other.
    """

    artifact: ArtifactIdentity
    device: DeviceFacts
    runtime: RuntimeFacts
    settings: RunSettings
    status: Status
    reason: str | None
    launches: tuple[Launch, ...]
    parity: ParityReport | None
    golden_check: GoldenCheck | None
    agent_sha256: str | None
    tool_version: Text
    record_id: Text
    created_at: Text
    kind: Literal["benchmark"] = "benchmark"
    schema_version: Literal[1] = BENCHMARK_SCHEMA_VERSION

    def __post_init__(self) -> None:
        check_stamp(self.record_id, self.created_at)
        if self.status is Status.MEASURED and not (self.launches and self.golden_check):
            raise RecordError("a measured record needs at least one launch and a golden check")
        if self.status is Status.PARITY_ONLY and self.launches:
            raise RecordError("a parity-only record holds no launches: nothing may be timed")
        if (self.status is Status.MEASURED) != (self.reason is None):
            raise RecordError(f"a reason belongs to records that were not measured; this one is {self.status}")


def new_record_id() -> str:
    """A fresh random UUID."""
    return str(uuid.uuid4())


def utc_now() -> str:
    """The time in UTC, ISO 8601 to the microsecond, so that records sort by it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def tool_version() -> str:
    """The installed version of PocketCLIP, `unknown` where it runs uninstalled."""
    from importlib import metadata

    try:
        return metadata.version("pocketclip")
    except metadata.PackageNotFoundError:
        return "unknown"


def check_stamp(record_id: str, created_at: str) -> None:
    """Raises `RecordError` where the id is no UUID or the time not one in UTC."""
    try:
        uuid.UUID(record_id)
        moment = datetime.fromisoformat(created_at)
    except ValueError as error:
        raise RecordError(f"record_id must be a UUID and created_at ISO 8601: {error}") from error
    if moment.utcoffset() is None or moment.utcoffset() != UTC.utcoffset(None):
        raise RecordError(f"created_at must be in UTC, got {created_at!r}")
