"""The parts of the page, as text that the template lays out."""

from __future__ import annotations

from dataclasses import dataclass

from pocketclip.benchmark.records.benchmark import DeviceFacts
from pocketclip.benchmark.report.table import Figure, Table


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
class ComparisonSection:
    """What the page begins with: candidates against a baseline, and the picture of all models on each device."""

    words: str
    table: Table | None
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class DeviceSection:
    """One device's tables and pictures; `device` is its label. None is what no record of it tells."""

    device: str
    facts: DeviceFacts
    caption: str
    machine: str
    artifacts: Table | None
    cautions: tuple[str, ...]
    comparison: Table | None
    pairs: Table | None
    history: Figure | None
    distributions: Figure | None
    sustained: tuple[Figure, ...]
    profiles: tuple[Table, ...]
    parity: Table | None
    counts: Table | None
    npu: Table | None
    preparation: Table | None
    invalid: Table | None

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables, in reading order."""
        found = (
            self.artifacts,
            self.comparison,
            self.pairs,
            *self.profiles,
            self.counts,
            self.npu,
            self.preparation,
            self.invalid,
            self.parity,
        )
        return tuple(table for table in found if table is not None)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All pictures, in reading order."""
        return tuple(each for each in (self.history, self.distributions, *self.sustained) if each is not None)


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
    farms: Table | None = None


@dataclass(frozen=True)
class FleetSection:
    """What a fleet's store says of it, and units of one model compared."""

    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Environment:
    """One device, what ran on it and the command that measured."""

    device: str
    facts: tuple[tuple[str, str], ...]
    command: str


@dataclass(frozen=True)
class Note:
    """How the tables or pictures of a kind are read."""

    name: str
    title: str
    words: str


@dataclass(frozen=True)
class Report:
    """The page; `devices` are the labels that it can be filtered by, `unavailable` says what cannot be used here."""

    comparison: ComparisonSection
    models: tuple[ModelSection, ...]
    environments: tuple[Environment, ...]
    unavailable: tuple[str, ...]
    devices: tuple[str, ...]
    notes: tuple[Note, ...]
    newest: str
    fleet: FleetSection | None = None
