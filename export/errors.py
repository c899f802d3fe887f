"""The errors of `export`. Exit codes: 2 if you can fix the cause, 1 if the work failed."""

from __future__ import annotations

from pocketclip.models.errors import PocketClipError


class ExportError(PocketClipError):
    """Root of the errors of `export`."""


class UnknownTargetError(ExportError):
    """No target of that name exists."""

    exit_code = 2


class UnsupportedPrecisionError(ExportError):
    """The target exists but does not offer that precision."""

    exit_code = 2


class UnknownSocError(ExportError):
    """No chip or phone of that name has an NPU that graphs can be prepared for."""

    exit_code = 2


class TargetUnavailableError(ExportError):
    """The packages that a target needs are not installed."""

    exit_code = 2


class CalibrationError(ExportError):
    """Calibration data is missing, unreadable, too little, or shared with what artefacts are judged on."""

    exit_code = 2


class PlanError(ExportError):
    """A plan of precisions, or the budget of one, is malformed or for something else than what is exported."""

    exit_code = 2


class DropBudgetError(ExportError):
    """No choice of modules meets the budget that was asked for."""

    exit_code = 2


class ArtifactError(ExportError):
    """An artefact cannot be found, read or trusted."""

    exit_code = 2


class ArtifactNotFoundError(ArtifactError):
    """There is no artefact at that place, or none that fits the request."""


class ArtifactCorruptError(ArtifactError):
    """A file of the artefact is missing, truncated or altered: its hash does not match."""


class ModelRunError(ArtifactError):
    """What runs a model crashed, hung, took too much memory or raised what nobody expects."""

    exit_code = 1


class ManifestError(ArtifactError):
    """A manifest is malformed or of a schema this version cannot read."""


class BundleError(ArtifactError):
    """A bundle cannot be made of what was given, or cannot be used as it is."""


class BundleCorruptError(BundleError):
    """A bundle's manifest is malformed or newer, a path leaves its folder, or a file is missing or altered."""


class SelfTestError(ExportError):
    """A bundle does not give its golden outputs here."""


class WeightsMismatchError(ArtifactError):
    """An artefact was made from other weights than those it shall be compared with."""


class ConversionError(ExportError):
    """A converter rejected the model."""


class BatchError(ExportError):
    """A target, a tower or a command takes one photograph at once, or not so many."""

    exit_code = 2


class PassError(ExportError):
    """A graph pass does not exist for a target, or does not compute what the tower computed before it."""

    exit_code = 2


class MemoryLimitError(ExportError):
    """An export needs more memory than it may use."""

    exit_code = 2


class WorkerDiedError(ExportError):
    """The process that exported an artefact was ended by a signal or crashed."""


class FailedExportError(ExportError):
    """An artefact does not agree with PyTorch within its budget."""


class InferenceInputError(ExportError):
    """The arrays given to an artefact are not those its inputs declare."""

    exit_code = 2


class GalleryError(ExportError):
    """An index of photographs is missing, damaged, or of another artefact or folder."""

    exit_code = 2


class LintRuleError(ExportError):
    """A lint was asked for that does not exist: an unknown rule, or no subject."""

    exit_code = 2


class UnsupportedOpError(ExportError):
    """The Core ML reference executor does not know an op (or a form of it) that a program uses."""

    exit_code = 2
