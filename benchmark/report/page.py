"""The parts of the page, worded: what the template lays out."""

from __future__ import annotations

from dataclasses import dataclass

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
    chance: str
    baseline: str
    drop: str
    drop_interval: str
    judgement: str
    alarm: bool


@dataclass(frozen=True)
class AccuracyTable:
    """Pairs judged on one data set."""

    caption: str
    rows: tuple[AccuracyRow, ...]


@dataclass(frozen=True)
class ModelSection:
    """Everything about one model."""

    name: str
    anchor: str
    tiles: tuple[Tile, ...]
    alarms: tuple[str, ...]
    devices: tuple[DeviceSection, ...]
    accuracy_tables: tuple[AccuracyTable, ...]
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
