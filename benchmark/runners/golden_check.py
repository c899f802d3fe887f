"""Compares a run's outputs with golden tensors: proof that what was timed computes the model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pocketclip.benchmark.errors import MeasurementError
from pocketclip.benchmark.records.benchmark import GoldenCheck
from pocketclip.export.artifact.reading import Artifact

# Kernels differ between CPUs in rounding alone; what drifts further than this runs something else.
SAME_OUTPUTS_COSINE = 0.99

Floats = npt.NDArray[np.float64]


def check_outputs(artifact: Artifact, outputs: npt.NDArray[np.generic]) -> GoldenCheck:
    """Checks outputs, first axis samples, against PyTorch's and against those stored at export.

    Raises:
        MeasurementError: outputs are of another shape, are not finite, or are not what the artefact gave
            when it was exported.
    """
    golden = artifact.manifest.golden
    reference = _rows(artifact.golden(golden.reference))
    exported = _rows(artifact.golden(golden.outputs))
    actual = _rows(outputs)
    if actual.shape != reference.shape:
        raise MeasurementError(
            f"output-shape: got (samples, values) {actual.shape}, the golden reference has {reference.shape}"
        )
    if not np.isfinite(actual).all():
        raise MeasurementError("non-finite-output: outputs hold NaN or infinity")
    check = GoldenCheck(
        samples=len(actual),
        cosine_min=float(cosines(actual, reference).min()),
        max_abs=float(np.abs(actual - reference).max()),
        exported_cosine_min=float(cosines(actual, exported).min()),
    )
    if check.exported_cosine_min < SAME_OUTPUTS_COSINE:
        raise MeasurementError(
            f"golden-mismatch: outputs differ from those at export (cosine {check.exported_cosine_min:.4f}, "
            f"at least {SAME_OUTPUTS_COSINE} wanted): this device or runtime version computes something else"
        )
    return check


def cosines(left: Floats, right: Floats) -> Floats:
    """Cosine per row; 0 where a row is all zeros, so that a dead output never passes."""
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    products = np.einsum("ij,ij->i", left, right)
    return np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)


def _rows(values: npt.NDArray[np.generic]) -> Floats:
    return values.reshape(len(values), -1).astype(np.float64)
