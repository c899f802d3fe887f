"""What modules may keep on which target."""

from __future__ import annotations

from pocketclip.export.artifact.precision_plan import KeptPrecision, finer_than
from pocketclip.export.errors import UnsupportedPrecisionError
from pocketclip.export.job import ExportJob
from pocketclip.export.npu.limits import check_chips
from pocketclip.export.precision import NPU_TARGETS, Precision, TargetName
from pocketclip.models.errors import choices

_ONE_SCHEME = {
    TargetName.EXECUTORCH_COREML: "its delegate takes one scheme for the whole graph (--target coreml)",
}


def require_mixing(job: ExportJob) -> None:
    """Refuses any plan where the job's target computes all modules alike.

    Raises:
        UnsupportedPrecisionError: it does.
    """
    if job.target in _ONE_SCHEME:
        raise UnsupportedPrecisionError(f"target {job.target} cannot mix precisions: {_ONE_SCHEME[job.target]}")


def require_offer(job: ExportJob, kept_as: KeptPrecision) -> None:
    """Refuses what the job's target does not compute beside its precision.

    Raises:
        UnsupportedPrecisionError: it does not.
    """
    require_mixing(job)
    if kept_as is KeptPrecision.INT16 and finer_than(job.precision, job.target) is not KeptPrecision.INT16:
        raise UnsupportedPrecisionError(
            f"modules in int16 are for {Precision.INT8_STATIC} on {choices(NPU_TARGETS)}, not for {job.label}",
            fix="keep them in float (--keep-float)",
        )
    if kept_as is KeptPrecision.FLOAT and job.target is TargetName.EXECUTORCH_QNN:
        raise UnsupportedPrecisionError(
            f"target {job.target} cannot keep modules in float: its delegate has no float ops between integers",
            fix=f"keep them in int16 with {Precision.INT8_STATIC}, or choose another target for the NPU",
        )
    if kept_as is KeptPrecision.INT16:
        check_chips(
            job.target,
            Precision.W8A16_STATIC,
            job.tower,
            job.socs,
            what="modules in int16",
            fix="--target onnx-qnn",
        )
