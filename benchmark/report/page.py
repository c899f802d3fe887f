"""The parts of the page, worded: what the template lays out."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.formatting import UNKNOWN
from benchmark.records import DeviceFacts
from export.precision import TargetName

TARGET_NAMES: dict[TargetName, str] = {
    TargetName.ONNX: "ONNX",
    TargetName.COREML: "Core ML",
    TargetName.EXECUTORCH: "ExecuTorch",
    TargetName.EXECUTORCH_COREML: "ExecuTorch + Core ML",
    TargetName.TFLITE: "TFLite",
}


@dataclass(frozen=True)
class Tile:
    """A headline number."""

    title: str
    value: str
    detail: str
    alarm: bool = False


@dataclass(frozen=True)
class ArtifactRow:
    """A row of the format table; `timings` is None where nothing may be shown as measured."""

    precision: str
    tower: str
    size: str
    cosine_mean: str
    cosine_min: str
    verdict: str
    passed: bool
    misses: str
    timings: tuple[str, ...] | None
    instead: str
    failed: bool


@dataclass(frozen=True)
class TargetGroup:
    """The rows of one target; without rows, why there are none."""

    target: TargetName
    name: str
    runtime: str
    rows: tuple[ArtifactRow, ...]
    unavailable: str = ""


@dataclass(frozen=True)
class DeviceSection:
    """One device's table and pictures."""

    facts: DeviceFacts
    caption: str
    groups: tuple[TargetGroup, ...]
    scatter: tuple[str, ...]
    scatter_points: tuple[str, ...]
    distributions: tuple[str, ...]
    cautions: tuple[str, ...]


@dataclass(frozen=True)
class AccuracyRow:
    """A row of the accuracy table."""

    target: str
    precision: str
    accuracy: str
    interval: str
    top5: str
    published: str
    chance: str
    baseline: str
    drop: str
    drop_interval: str
    p_value: str
    judgement: str
    alarm: bool


@dataclass(frozen=True)
class AccuracyTable:
    """Pairs judged on one data set."""

    caption: str
    rows: tuple[AccuracyRow, ...]

    @property
    def has_top5(self) -> bool:
        """Whether a row has a figure for it."""
        return any(row.top5 != UNKNOWN for row in self.rows)

    @property
    def has_published(self) -> bool:
        """Whether a row has a figure to compare with."""
        return any(row.published != UNKNOWN for row in self.rows)


@dataclass(frozen=True)
class RetrievalRow:
    """A row of the retrieval table; `recalls` has a cell for each k."""

    target: str
    precision: str
    direction: str
    recalls: tuple[str, ...]
    judgement: str


@dataclass(frozen=True)
class RetrievalTable:
    """Recalls on one set of image-caption pairs."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[RetrievalRow, ...]


@dataclass(frozen=True)
class ModelSection:
    """Everything about one model."""

    name: str
    anchor: str
    tiles: tuple[Tile, ...]
    alarms: tuple[str, ...]
    devices: tuple[DeviceSection, ...]
    accuracy_tables: tuple[AccuracyTable, ...]
    retrieval_tables: tuple[RetrievalTable, ...]
    older_weights: int


@dataclass(frozen=True)
class Environment:
    """One device, what ran on it and the command that measured."""

    facts: tuple[tuple[str, str], ...]
    command: str


@dataclass(frozen=True)
class Report:
    """The page."""

    models: tuple[ModelSection, ...]
    environments: tuple[Environment, ...]
    newest: str
