"""Comparing an artefact's embeddings with PyTorch's, on the same real inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from pocketclip.export.artifact.manifest import ParityData
from pocketclip.export.artifact.parity_report import ParityReport
from pocketclip.export.inputs.parity_data import proof_samples
from pocketclip.export.own_samples import SampleRequest
from pocketclip.export.parity.budgets import Budget
from pocketclip.export.parity.reference_cache import cached_embeddings
from pocketclip.export.passes.tower_module import tower_module
from pocketclip.export.precision import Tower
from pocketclip.export.runtimes import Session
from pocketclip.models.errors import NonFiniteError
from pocketclip.models.statistics.judgement import surely_below
from pocketclip.models.towers.clip import AnyModel

Embeddings = NDArray[np.float32]

# Of the inputs, those on which the reparameterised model is compared with the trained one.
_FOLDED_EVERY = 8


@dataclass(frozen=True)
class Reference:
    """PyTorch's side of the comparison for one tower.

    `embeddings` (N, D) come from the trained multi-branch model in fp32, normalised unless the artefact leaves that to
    the host; `counterpart` (M, D) are the other tower's embeddings, normalised, that top-1 agreement is judged on.
    `data` says which samples of the user's own the inputs are, None for the built-in ones.
    """

    inputs: Sequence[np.ndarray]
    embeddings: Embeddings
    counterpart: Embeddings
    multibranch_cosine_min: float
    data: ParityData | None = None

    def at(self, places: slice) -> Reference:
        """The same of some of the samples."""
        return replace(self, inputs=self.inputs[places], embeddings=self.embeddings[places])

    def some(self, most: int) -> Reference:
        """The same of at most so many samples, evenly over all of them."""
        return self.at(slice(0, None, -(-len(self.inputs) // most)))


def make_reference(model: AnyModel, tower: Tower, *, raw: bool = False, data: SampleRequest | None = None) -> Reference:
    """Runs PyTorch, multi-branch and reparameterised, on the parity inputs of a tower.

    Args:
        model: the trained model.
        tower: the encoder.
        raw: leave the embeddings as long as they are.
        data: the user's own samples; None takes the built-in ones.

    Raises:
        NonFiniteError: the model itself gives NaN or infinity.
        CalibrationError: the user's samples cannot be used.
    """
    samples = proof_samples(model.config, tower, data)
    inputs = samples.of(tower)
    if tower is Tower.IMAGE:
        counterpart = eager_embeddings(model, Tower.TEXT, samples.labels)
    else:
        counterpart = eager_embeddings(model, Tower.IMAGE, samples.images)
    embeddings = eager_embeddings(model, tower, inputs, raw=raw)
    # Folding is algebra that does not depend on the input; every artefact is compared on all of them besides.
    probes = inputs[::_FOLDED_EVERY]
    folded = cached_embeddings(model, tower, "reparameterised", probes, lambda: _run_folded(model, tower, probes))
    record = None if data is None or samples.own is None else ParityData.of(data, samples.own)
    return Reference(inputs, embeddings, counterpart, float(cosines(embeddings[::_FOLDED_EVERY], folded).min()), record)


# Cosines of vectors in float32 that are nearer than this differ by rounding. Untrained towers give many such.
TIE = 1e-6


def run_session(session: Session, inputs: Sequence[np.ndarray], batch: int = 1) -> Embeddings:
    """The session's first output for each input, stacked: (N, D). `batch` inputs are given at once."""
    groups = (np.concatenate(list(inputs[start : start + batch])) for start in range(0, len(inputs), batch))
    return np.concatenate([np.asarray(session.run([rows])[0], np.float32) for rows in groups])


def compare(reference: Reference, outputs: Embeddings, budget: Budget, executed_by: str) -> ParityReport:
    """Measures agreement and judges it by the budget.

    Raises:
        NonFiniteError: an output is NaN or infinite; no metric is computed then.
    """
    require_finite(outputs, executed_by)
    measured = measure(reference.embeddings, outputs, reference.counterpart)
    failures = missed(measured, budget, len(outputs))
    if reference.multibranch_cosine_min < 0.99999:
        failures.append(
            f"reparameterised PyTorch is at cosine {reference.multibranch_cosine_min:.6g} of the multi-branch model"
        )
    return ParityReport(
        samples=len(outputs),
        **measured,
        multibranch_cosine_min=reference.multibranch_cosine_min,
        executed_by=executed_by,
        failures=tuple(failures),
    )


def measure(expected: Embeddings, outputs: Embeddings, counterpart: Embeddings) -> dict[str, float]:
    """The measures of a `ParityReport` by name, for finite embeddings `(N, D)` that should be the same."""
    # Of length 1 already, unless they are raw: then errors count relative to each embedding's length.
    lengths = np.linalg.norm(expected, axis=1, keepdims=True)
    expected, outputs = expected / lengths, outputs / lengths
    cosine = cosines(expected, outputs)
    return {
        "cosine_mean": float(cosine.mean()),
        "cosine_p1": float(np.percentile(cosine, 1)),
        "cosine_min": float(cosine.min()),
        "max_abs": float(np.abs(outputs.astype(np.float64) - expected).max()),
        "snr_db": snr_db(expected, outputs),
        "top1_agreement": top1_agreement(expected, outputs, counterpart),
    }


def missed(measured: Mapping[str, float], budget: Budget, samples: int) -> list[str]:
    """Words every measure that is not within the budget.

    A share of the `samples` misses its bound where its whole 95 % interval lies below (`models.statistics.judgement`).
    """

    def beyond(name: str, value: float) -> bool:
        if name == "top1_agreement":
            return surely_below(round(value * samples), samples, budget.top1_agreement)
        return value > budget.max_abs if name == "max_abs" else value < getattr(budget, name)

    return [
        f"{name} {value:.6g} is {'above' if name == 'max_abs' else 'below'} {getattr(budget, name):g}"
        for name, value in measured.items()
        if beyond(name, value)
    ]


def snr_db(expected: np.ndarray, outputs: np.ndarray) -> float:
    """The power of finite values over that of their error, in decibels, at most 200."""
    signal = expected.astype(np.float64)
    noise = float(((outputs.astype(np.float64) - signal) ** 2).sum())
    # An exact match has no finite ratio; 200 dB is beyond what fp64 could tell apart.
    return min(200.0, 10 * float(np.log10(max(float((signal**2).sum()), 1e-300) / max(noise, 1e-300))))


def cosines(first: np.ndarray, second: np.ndarray) -> NDArray[np.float64]:
    """Cosine of each pair of rows, (N, D) and (N, D) to (N,)."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(1) / np.maximum(norms, 1e-30)


def top1_agreement(expected: Embeddings, outputs: Embeddings, counterpart: Embeddings) -> float:
    """Share of rows whose best match among `counterpart` is the same for both."""
    return float(np.mean(same_best(expected @ counterpart.T, outputs @ counterpart.T)))


def same_best(expected: Embeddings, found: Embeddings) -> NDArray[np.bool_]:
    """Whether the best of each row of cosines `(N, M)` is the same, `(N,)`; of equals, any is the best."""
    chosen = np.take_along_axis(expected, found.argmax(1)[:, None], axis=1)[:, 0]
    return chosen >= expected.max(1) - TIE


def require_finite(outputs: np.ndarray, source: str) -> None:
    """Raises `NonFiniteError` where a value is NaN or infinite."""
    bad = ~np.isfinite(outputs).all(axis=tuple(range(1, outputs.ndim)))
    if bad.any():
        raise NonFiniteError(
            f"{source} gave NaN or infinite values for {int(bad.sum())} of {len(outputs)} samples "
            f"(first: sample {int(bad.argmax())})"
        )


def eager_embeddings(model: AnyModel, tower: Tower, inputs: Sequence[np.ndarray], *, raw: bool = False) -> Embeddings:
    """The trained multi-branch model's embeddings `(N, D)`, normalised unless `raw`, from the cache where they are.

    Raises:
        NonFiniteError: one is NaN or infinite.
    """
    encode = model.encode_image if tower is Tower.IMAGE else model.encode_text

    def compute() -> Embeddings:
        with torch.inference_mode():
            return torch.cat([encode(torch.from_numpy(array)) for array in inputs]).numpy()

    rows = cached_embeddings(model, tower, "eager", inputs, compute)
    require_finite(rows, f"PyTorch ({model.config.name}, {tower} tower)")
    return rows if raw else torch.nn.functional.normalize(torch.from_numpy(rows), dim=-1).numpy()


def _run_folded(model: AnyModel, tower: Tower, inputs: Sequence[np.ndarray]) -> Embeddings:
    # Its cosines to the multi-branch model's do not depend on the norm.
    folded = tower_module(model, tower, raw=True)
    with torch.inference_mode():
        return np.concatenate([folded(torch.from_numpy(array)).numpy() for array in inputs])
