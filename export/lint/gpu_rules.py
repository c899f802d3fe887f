"""Findings about LiteRT's GPU delegate, for files and artefacts of which it was asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from pocketclip.export.artifact.lint_finding import LintFinding
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.lint.litert_gpu import GpuAnswer, NoGpuError, ask_gpu
from pocketclip.export.lint.rules import BY_CODE, GPU_REFUSAL, GPU_RESULT
from pocketclip.export.lint.run import Linted, shortened
from pocketclip.export.lint.subject import listed
from pocketclip.export.parity.budgets import budget_for
from pocketclip.export.parity.measures import cosines

_DELEGATE = "LiteRT's GPU delegate"


def with_gpu(linted: Linted, subject: Artifact | Path) -> Linted:
    """Adds what the delegate says of a LiteRT file. Call it in a child process.

    An artefact's golden inputs are run, and the embeddings compared with PyTorch's by its budget.
    """
    if isinstance(subject, Artifact):
        artifact, path, inputs = subject, subject.model_path, subject.golden(subject.manifest.golden.inputs)
    else:
        artifact, path, inputs = None, subject, None
    try:
        answer = ask_gpu(path, inputs)
    except NoGpuError as error:
        return without_gpu(linted, str(error))
    device = f"{answer.device} (in software)" if answer.software else answer.device
    if not answer.whole:
        return _refused(linted, answer, device)
    said = f"{_DELEGATE} takes the whole file on {device}"
    if artifact is None or answer.outputs is None:
        return replace(linted, gpu=said)
    return _compared(linted, artifact, answer.outputs, said)


def without_gpu(linted: Linted, reason: str) -> Linted:
    """Says that the delegate could not be asked."""
    return replace(linted, not_looked_at=(*linted.not_looked_at, f"what {_DELEGATE} takes: {reason}"))


def crashed(linted: Linted, reason: str) -> Linted:
    """Says that the delegate died of the file."""
    return _with(linted, GPU_REFUSAL, "model file", reason, f"{_DELEGATE} fails")


def _refused(linted: Linted, answer: GpuAnswer, device: str) -> Linted:
    if answer.ops is None:
        return _with(linted, GPU_REFUSAL, "model file", answer.failure, f"{_DELEGATE} cannot prepare it for {device}")
    taken, left = answer.ops
    message = f"{left} of {taken + left} ops stay on the processor: {listed(list(answer.refused), 4)}"
    said = f"{_DELEGATE} takes {taken} ops of {taken + left} on {device}"
    return _with(linted, GPU_REFUSAL, "model file", message, said)


def _compared(linted: Linted, artifact: Artifact, outputs: np.ndarray, said: str) -> Linted:
    manifest = artifact.manifest
    expected = artifact.golden(manifest.golden.reference)
    if outputs.shape != expected.shape or not np.isfinite(outputs).all():
        return _with(linted, GPU_RESULT, "golden outputs", "it gives NaN, infinity or another shape", said)
    lowest = float(cosines(expected, outputs).min())
    own = float(cosines(expected, artifact.golden(manifest.golden.outputs)).min())
    said = f"{said}; minimum cosine {lowest:.6f} of {len(outputs)} golden samples (on the CPU {own:.6f})"
    bound = budget_for(manifest.target, manifest.precision, manifest.used_passes).cosine_min
    # What is below on the CPU too is no fault of the delegate.
    if lowest < min(bound, own):
        return _with(linted, GPU_RESULT, "golden outputs", f"the minimum cosine is {lowest:.6f}, below {bound:g}", said)
    return replace(linted, gpu=said)


def _with(linted: Linted, code: str, where: str, message: str, said: str) -> Linted:
    rule = BY_CODE[code]
    finding = LintFinding(code, rule.severity, where, shortened(message), rule.fix)
    return replace(linted, findings=(*linted.findings, finding), gpu=said)
