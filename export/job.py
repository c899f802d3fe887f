"""What to export, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from export.calibration import GENERATED_SCENES, CalibrationRequest
from export.manifest import Manifest
from export.passes.report import PassName
from export.precision import InstructionSet, Precision, TargetName, Tower, default_instruction_set
from models.config import AnyConfig


@dataclass(frozen=True)
class ExportJob:
    """What to export and where to: the artefact goes to `out/model/variant/tower`.

    `weights` is the path of a checkpoint; None takes what comes with the configuration. `raw` leaves the L2 norm out
    of the graph; `ios` is the oldest iOS that a Core ML model shall run on.
    """

    config: AnyConfig
    weights: str | None
    target: TargetName
    precision: Precision
    tower: Tower
    out: Path
    calibration: CalibrationRequest = GENERATED_SCENES
    raw: bool = False
    ios: int | None = None
    instruction_set: InstructionSet | None = None
    passes: tuple[PassName, ...] = ()
    without: tuple[PassName, ...] = ()

    @property
    def isa(self) -> InstructionSet:
        """The instruction set of the devices that the artefact is for."""
        return self.instruction_set or default_instruction_set(self.target)

    @property
    def variant(self) -> str:
        """Target, precision, and what differs from the usual form, e.g. `tflite-fp32-x86_64`."""
        own = [] if self.isa is default_instruction_set(self.target) else [self.isa]
        return "-".join([self.target, self.precision, *own, *self.passes, *(f"no-{name}" for name in self.without)])

    @property
    def folder(self) -> Path:
        """The artefact's folder."""
        return self.out / self.config.name / self.variant / self.tower

    @property
    def label(self) -> str:
        """The job in words, for progress and errors."""
        return f"{self.config.name} {self.variant} {self.tower}"


@dataclass(frozen=True)
class ExportResult:
    """A finished artefact: its folder and manifest, and the seconds that conversion and proof took.

    `peak_bytes` is the most memory that its process was seen to use; `unchanged` marks one that was there already.
    """

    folder: Path
    manifest: Manifest
    seconds: float
    peak_bytes: int = 0
    unchanged: bool = False
