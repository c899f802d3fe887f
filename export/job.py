"""What to export, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pocketclip.export.artifact.drop_budget import DropBudget
from pocketclip.export.artifact.lint_finding import errors_of
from pocketclip.export.artifact.manifest import Manifest, scheme_name
from pocketclip.export.artifact.pass_report import PassName
from pocketclip.export.artifact.precision_plan import PrecisionPlan
from pocketclip.export.inputs.calibration import GENERATED_SCENES, CalibrationRequest
from pocketclip.export.own_samples import SampleRequest
from pocketclip.export.precision import InstructionSet, Precision, TargetName, Tower, default_instruction_set
from pocketclip.models.config import AnyConfig


@dataclass(frozen=True)
class ExportJob:
    """What to export and where to: the artefact goes to `out/model/scheme/tower`.

    `weights` is the path of a checkpoint or `models.registry.FRESH_WEIGHTS`; None takes what comes with the
    configuration. `raw` leaves the L2 norm out of the graph; `ios` is the oldest iOS that a Core ML model shall run on.
    With a `plan`, or a `budget` that one is searched for, precisions are mixed: its folder says so. `labelled_sha256`
    is the identity of the budget's labelled folder, `cautions` what the file of the weights does not say. `parity_data`
    are the user's own samples for the proof; None takes the built-in ones; `labelled_max_skipped` is the share of
    labelled samples that may be left out. `socs` are the chips that graphs for NPUs are prepared for. `batch` is
    how many photographs the image tower takes at once.
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
    plan: PrecisionPlan | None = None
    budget: DropBudget | None = None
    labelled_sha256: str | None = None
    cautions: tuple[str, ...] = ()
    parity_data: SampleRequest | None = None
    labelled_max_skipped: float = 0.0
    socs: tuple[str, ...] = ()
    batch: int = 1

    @property
    def isa(self) -> InstructionSet:
        """The instruction set of the devices that the artefact is for."""
        return self.instruction_set or default_instruction_set(self.target)

    @property
    def reads_calibration(self) -> bool:
        """Whether calibration samples decide what comes of it: by ranges, or by what a search ranks modules by."""
        return self.precision.needs_calibration or self.budget is not None

    @property
    def scheme(self) -> str:
        """Target, precision and what differs from the usual form in one word, as the manifest has it."""
        mixed = self.plan is not None or self.budget is not None
        return scheme_name(self.target, self.precision, mixed=mixed, isa=self.isa, passes=self.passes, batch=self.batch)

    @property
    def folder(self) -> Path:
        """The artefact's folder."""
        return (
            self.out / self.config.name / "-".join([self.scheme, *(f"no-{name}" for name in self.without)]) / self.tower
        )

    @property
    def label(self) -> str:
        """The job in words, for progress and errors."""
        return f"{self.config.name} {self.scheme} {self.tower}"


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

    @property
    def failures(self) -> tuple[str, ...]:
        """Why the artefact must not be shipped: the parity that it misses, or the errors that lint rules found."""
        parity = self.manifest.parity
        if parity is None or not parity.passed:
            return parity.failures if parity else ("no parity",)
        return tuple(f"{error.code} {error.where}: {error.message}" for error in errors_of(self.manifest.lint))
