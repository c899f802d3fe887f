"""What climbing the ladder found: a rung per form of the model, and the place where the first failing one diverges.

Schema history:
  1: first version.
"""

from __future__ import annotations

from enum import StrEnum

from pocketclip.export.parity.clip_gates import ClipGates
from pocketclip.models.documents import document

LADDER_SCHEMA_VERSION = 1


class RungName(StrEnum):
    """The forms of a tower, in the order in which each is made from the one before."""

    INPUTS = "inputs"
    EAGER = "eager"
    REPARAMETERISED = "reparameterised"
    PASSES = "graph passes"
    PROGRAM = "exported program"
    CONVERTED = "converted fp32"
    ARTEFACT = "artefact"
    DEVICE = "device"


class Status(StrEnum):
    """What became of a rung. Behind the first that fails, none is climbed."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_REACHED = "not reached"


class Method(StrEnum):
    """How a divergence was found."""

    INPUTS = "what the manifest makes of the same images and captions"
    MODULES = "outputs of the modules on both sides"
    VALUES = "intermediate values of the converted model"
    CUTS = "bisection: the tower cut at its modules, each cut converted"
    ROUNDING = "the same rounding in PyTorch, and a fresh conversion"
    PLAIN = "the same file run without the runtime's optimisations"
    NONE = "no intermediate values"


@document
class Agreement:
    """Agreement of two forms' embeddings on the same inputs; None where a device's record does not tell it.

    The measures are those of `export.artifact.parity_report.ParityReport`.
    """

    cosine_min: float
    max_abs: float | None = None
    cosine_mean: float | None = None
    cosine_p1: float | None = None
    snr_db: float | None = None
    top1_agreement: float | None = None


@document
class Divergence:
    """The first place where a form computes something else than the form before.

    `module` is the path of a module in the exported tower, empty for the tower's own code; None where it cannot be
    told. `op` and `line` are known where values were compared op by op; `after` is the last place that still agreed.
    `cause` words what is to blame where that was established: rounding, the runtime's optimisations, a wrong lowering.
    """

    method: Method
    detail: str
    module: str | None = None
    class_name: str | None = None
    op: str | None = None
    line: str | None = None
    after: str | None = None
    cause: str | None = None

    def __str__(self) -> str:
        if self.module is None:
            return self.detail
        module = f"module {self.module or '(the tower itself)'}" + (f" ({self.class_name})" if self.class_name else "")
        parts = [f"op {self.op} of {module}" if self.op else module]
        if self.line:
            parts.append(f"at {self.line}")
        if self.after:
            parts.append(f"after {self.after}")
        return f"{' '.join(parts)}: {self.detail}"


@document
class Rung:
    """One form of the tower: how it agrees with eager PyTorch and with the form before, and what it missed."""

    name: RungName
    executed_by: str
    status: Status
    samples: int
    against_eager: Agreement | None = None
    against_previous: Agreement | None = None
    failures: tuple[str, ...] = ()
    divergence: Divergence | None = None


@document
class LadderReport:
    """All rungs of one artefact, and the CLIP-level gates of its embeddings where it gave finite ones.

    `samples_note` says which samples were taken where it were not the built-in ones, or where those of the proof were
    not found again.
    """

    artifact: str
    artifact_sha256: str
    weights_sha256: str
    rungs: tuple[Rung, ...]
    gates: ClipGates | None
    created_at: str
    versions: dict[str, str]
    schema_version: int = LADDER_SCHEMA_VERSION
    samples_note: str | None = None

    @property
    def passed(self) -> bool:
        """Whether every rung and every gate passed."""
        climbed = all(rung.status is Status.PASSED for rung in self.rungs)
        return climbed and self.gates is not None and not self.gates.failures

    @property
    def first_failure(self) -> Rung | None:
        """The rung at which the tower goes astray."""
        return next((rung for rung in self.rungs if rung.status is Status.FAILED), None)


@document
class Verification:
    """What one run of `pocketclip verify` found."""

    ladders: tuple[LadderReport, ...]
    schema_version: int = LADDER_SCHEMA_VERSION
