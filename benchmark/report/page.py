"""The parts of the page, worded: what the template lays out."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.records import DeviceFacts
from benchmark.report.table import Figure, Table
from export.precision import TargetName


@dataclass(frozen=True)
class Tile:
    """A headline number; `device` is None for one that no device changes."""

    title: str
    value: str
    detail: str
    alarm: bool = False
    device: str | None = None


@dataclass(frozen=True)
class Alarm:
    """A sentence on what needs attention; `device` is None where it does not depend on one."""

    words: str
    device: str | None = None


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
    """One device's tables and pictures; `device` is its label. None is what no record of it tells."""

    device: str
    facts: DeviceFacts
    caption: str
    groups: tuple[TargetGroup, ...]
    cautions: tuple[str, ...]
    comparison: Table | None
    uncompared: str
    pairs: Table | None
    scatter: Figure | None
    distributions: Figure | None
    sustained: tuple[Figure, ...]
    profiles: tuple[Table, ...]
    parity: Table | None
    counts: Table | None
    preparation: Table | None
    invalid: Table | None

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables but the first, in reading order."""
        found = (self.comparison, self.pairs, *self.profiles, self.parity, self.counts, self.preparation, self.invalid)
        return tuple(table for table in found if table is not None)


@dataclass(frozen=True)
class ModelSection:
    """Everything about one model."""

    name: str
    anchor: str
    tiles: tuple[Tile, ...]
    alarms: tuple[Alarm, ...]
    devices: tuple[DeviceSection, ...]
    accuracy_tables: tuple[Table, ...]
    retrieval_tables: tuple[Table, ...]
    ladder: Table | None
    older_weights: int


@dataclass(frozen=True)
class Environment:
    """One device, what ran on it and the command that measured."""

    device: str
    facts: tuple[tuple[str, str], ...]
    command: str


@dataclass(frozen=True)
class Report:
    """The page; `devices` are the labels that it can be filtered by."""

    models: tuple[ModelSection, ...]
    environments: tuple[Environment, ...]
    devices: tuple[str, ...]
    newest: str
