"""What an artefact's errors do to a CLIP model's uses: labels that flip, search results that change.

Judged on the parity images with their captions and on the label set of the scenes. The artefact is one tower, the other
one is PyTorch's in fp32: that is how a phone's queries meet a gallery that a server embedded, and the reverse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketclip.export.parity.measures import cosines, same_best
from pocketclip.export.precision import Tower
from pocketclip.models.documents import document
from pocketclip.models.statistics.judgement import surely_above, surely_below

Embeddings = NDArray[np.float32]
Scores = NDArray[np.float32]

NEAREST = 10
# Bounds of the histogram of cosines; the first bin holds all below.
HISTOGRAM_BOUNDS = (0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999)
# Scores this close are the same: captions that say the same in other words are not told apart by rounding.
_TIE = 1e-5


@dataclass(frozen=True)
class ClipBudget:
    """The least that passes.

    A label that differs from fp32's is a margin flip where fp32's first label led the second by more than `margin`
    (difference of cosines): no rounding explains it. `margin_flips` is the largest share of images that may have one;
    the overlaps are mean shares of fp32's ten nearest that are kept. Shares of images (`top1_agreement`,
    `margin_flips`) are judged by `models.statistics.judgement`: they miss a bound where their whole 95 % interval
    lies beyond it.
    """

    margin: float
    margin_flips: float
    top1_agreement: float
    overlap_at_10: float
    queries_overlap_at_10: float
    gallery_overlap_at_10: float
    reason: str


@document
class ClipGates:
    """The gates' measures and `failures`, a line for each that was missed.

    `histogram` counts samples by cosine: below `HISTOGRAM_BOUNDS[0]`, then up to each further bound, and above the
    last. `overlap_at_10` is the tower alone (its embeddings search among themselves), `queries_overlap_at_10` its
    queries against a fp32 gallery of the other tower, `gallery_overlap_at_10` fp32 queries against its gallery.
    `unjudged` says why the measures are bound to nothing, None where they are judged.
    """

    samples: int
    labels: int
    cosine_mean: float
    cosine_p1: float
    cosine_min: float
    histogram: tuple[int, ...]
    top1_agreement: float
    margin: float
    margin_flips: float
    overlap_at_10: float
    queries_overlap_at_10: float
    gallery_overlap_at_10: float
    unjudged: str | None
    failures: tuple[str, ...]


@dataclass(frozen=True)
class ClipSet:
    """Normalised embeddings of one form of a tower: `samples` (N, D); `labels` (L, D) where it is the text tower."""

    samples: Embeddings
    labels: Embeddings | None = None


def judge(
    tower: Tower,
    fp32: ClipSet,
    artifact: ClipSet,
    counterpart: ClipSet,
    *,
    keep: NDArray[np.int64],
    budget: ClipBudget,
    unjudged: str | None = None,
) -> ClipGates:
    """Measures the gates.

    Args:
        tower: the artefact's.
        fp32: the same tower in PyTorch.
        artifact: the artefact's embeddings.
        counterpart: the other tower in PyTorch; its samples are those that belong to this tower's.
        keep: places of this tower's samples that are all different, which searching needs.
        budget: what the gates must reach.
        unjudged: why the gates are measured alone, for embeddings that a budget says nothing about.
    """
    cosine = cosines(fp32.samples, artifact.samples)
    if tower is Tower.IMAGE:
        assert counterpart.labels is not None
        expected, found = (form.samples @ counterpart.labels.T for form in (fp32, artifact))
    else:
        assert fp32.labels is not None and artifact.labels is not None
        expected, found = (counterpart.samples @ labels.T for labels in (fp32.labels, artifact.labels))
    flipped = ~same_best(expected, found)
    best = np.sort(expected, axis=1)
    far = flipped & (best[:, -1] - best[:, -2] > budget.margin)
    own, ours, others = fp32.samples[keep], artifact.samples[keep], counterpart.samples
    measured = {
        "top1_agreement": float(1 - flipped.mean()),
        "margin_flips": float(far.mean()),
        "overlap_at_10": overlap(_without_self(own @ own.T), _without_self(ours @ ours.T)),
        "queries_overlap_at_10": overlap(own @ others.T, ours @ others.T),
        "gallery_overlap_at_10": overlap(others @ own.T, others @ ours.T),
    }
    beyond = {name: value < getattr(budget, name) for name, value in measured.items()}
    count = len(flipped)
    beyond["top1_agreement"] = surely_below(count - int(flipped.sum()), count, budget.top1_agreement)
    beyond["margin_flips"] = surely_above(int(far.sum()), count, budget.margin_flips)
    failures = [
        f"{name} {value:.6g} is {'above' if name == 'margin_flips' else 'below'} {getattr(budget, name):g}"
        for name, value in measured.items()
        if beyond[name]
    ]
    return ClipGates(
        samples=len(cosine),
        labels=expected.shape[1],
        cosine_mean=float(cosine.mean()),
        cosine_p1=float(np.percentile(cosine, 1)),
        cosine_min=float(cosine.min()),
        histogram=tuple(int(count) for count in np.histogram(cosine, [-np.inf, *HISTOGRAM_BOUNDS, np.inf])[0]),
        margin=budget.margin,
        unjudged=unjudged,
        failures=() if unjudged else tuple(failures),
        **measured,
    )


def overlap(expected: Scores, found: Scores, nearest: int = NEAREST) -> float:
    """Mean share of each query's nearest by `found` that belong to its nearest by `expected`, both (Q, G).

    Where `expected` has ties at the border, any of the tied counts.
    """
    nearest = min(nearest, expected.shape[1])
    border = np.sort(expected, axis=1)[:, -nearest, None] - _TIE
    chosen = np.argsort(-found, axis=1, kind="stable")[:, :nearest]
    return float((np.take_along_axis(expected, chosen, axis=1) >= border).mean())


def _without_self(scores: Scores) -> Scores:
    count = len(scores)
    return scores[~np.eye(count, dtype=bool)].reshape(count, count - 1)
