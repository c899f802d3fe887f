"""A Gaussian process over points: what is known of some, said of all others, with how sure that is.

Two points are alike as far as they share levels: each parameter adds a variance of its own (main effects, additive).
One more variance falls with the number of levels in which two points differ (interactions; the exponential kernel on
the Hamming distance). One is that of a slope along figures of the models, such as their operations, by which a level
that was never tried is not wholly unknown. The variances are those that make what was seen most likely.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.int64]
"""`(points, parameters)`: the place of each level in its parameter's list."""
Values = NDArray[np.float64]

_STEPS = (0.01, 0.1, 0.3, 1.0, 3.0)
_SWEEPS = 3
# Beside the noise that is known: what no kernel of levels explains.
_NUGGET = 1e-3


@dataclass(frozen=True)
class Inputs:
    """Points as a surrogate takes them: levels `(points, parameters)`, and features `(points, features)`."""

    levels: Levels
    features: Values

    def __len__(self) -> int:
        return len(self.levels)


@dataclass(frozen=True)
class Surrogate:
    """A fitted process; get one from `fit_surrogate`. Values are in the units of what was fitted."""

    seen: Inputs
    variances: Values
    mean: float
    scale: float
    weights: Values
    inverse: Values
    leave_one_out: Values

    def predict(self, points: Inputs) -> tuple[Values, Values]:
        """Mean `(points,)` and covariance `(points, points)` of the values at points."""
        cross = _kernel(points, self.seen, self.seen, self.variances)
        mean = self.mean + self.scale * (cross @ self.weights)
        covariance = _kernel(points, points, self.seen, self.variances) - cross @ self.inverse @ cross.T
        return mean, self.scale**2 * covariance

    def predict_each(self, points: Inputs) -> tuple[Values, Values]:
        """Mean and standard deviation, each `(points,)`, without how points go together."""
        cross = _kernel(points, self.seen, self.seen, self.variances)
        mean = self.mean + self.scale * (cross @ self.weights)
        scaled = _scaled(points, self.seen)
        own = self.variances[:-1].sum() + self.variances[-1] * np.square(scaled).sum(axis=1) / max(1, scaled.shape[1])
        variance = own - np.einsum("ij,jk,ik->i", cross, self.inverse, cross)
        return mean, self.scale * np.sqrt(np.maximum(variance, 0.0))


def fit_surrogate(points: Inputs, values: Values, noise: Values) -> Surrogate:
    """Fits a process to values `(points,)` whose standard errors are `noise`; at least two points.

    Raises:
        ValueError: there are fewer.
    """
    if len(values) < 2:
        raise ValueError(f"a surrogate needs at least two points, got {len(values)}")
    mean, scale = float(values.mean()), float(values.std()) or 1.0
    target, error = (values - mean) / scale, np.square(noise / scale) + _NUGGET
    count = points.levels.shape[1] + 2
    variances = np.full(count, 1.0 / count)
    shared = _parts(points, points, points)

    def fitted(tried: Values) -> float:
        return _log_likelihood(np.tensordot(tried, shared, 1) + np.diag(error), target)

    best = fitted(variances)
    for _, place in itertools.product(range(_SWEEPS), range(count)):
        for step in _STEPS:
            tried = variances.copy()
            tried[place] = step / count
            likelihood = fitted(tried)
            # Of equals, what stood before stays: rounding must choose nothing.
            if likelihood > best + 1e-9:
                best, variances = likelihood, tried
    covariance = np.tensordot(variances, shared, 1) + np.diag(error)
    inverse: Values = np.asarray(np.linalg.inv(covariance), np.float64)
    weights = inverse @ target
    left_out = mean + scale * (target - weights / np.diag(inverse))
    return Surrogate(points, variances, mean, scale, weights, inverse, left_out)


def draws(mean: Values, covariance: Values, count: int, random: np.random.Generator) -> Values:
    """`(count, points)` values that go together as the process says."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return mean + random.standard_normal((count, len(mean))) @ root.T


def as_levels(points: Sequence[tuple[str, ...]], levels: Sequence[Sequence[str]]) -> Levels:
    """Points as places of their levels."""
    places = [{level: place for place, level in enumerate(each)} for each in levels]
    rows = [[where[level] for where, level in zip(places, point, strict=True)] for point in points]
    return np.array(rows, np.int64).reshape(len(rows), len(levels))


def _parts(one: Inputs, other: Inputs, seen: Inputs) -> Values:
    """`(parameters + 2, points, points)`: which levels are shared, how near points are in all, and along features."""
    same = one.levels[:, None, :] == other.levels[None, :, :]
    near = np.exp(-np.sum(~same, axis=2))
    along = _along(one, other, seen)
    return np.concatenate([np.moveaxis(same, 2, 0).astype(np.float64), near[None], along[None]])


def _kernel(one: Inputs, other: Inputs, seen: Inputs, variances: Values) -> Values:
    total = variances[-1] * _along(one, other, seen)
    total += variances[-2] * np.exp(-np.sum(one.levels[:, None, :] != other.levels[None, :, :], axis=2))
    for place in range(one.levels.shape[1]):
        total += variances[place] * (one.levels[:, None, place] == other.levels[None, :, place])
    return total


def _along(one: Inputs, other: Inputs, seen: Inputs) -> Values:
    first, second = _scaled(one, seen), _scaled(other, seen)
    return first @ second.T / max(1, first.shape[1])


def _scaled(points: Inputs, seen: Inputs) -> Values:
    """Features in the units of what was seen; one that never varied says nothing."""
    spread = seen.features.std(axis=0)
    known = spread > 1e-9
    return (points.features - seen.features.mean(axis=0))[:, known] / spread[known]


def _log_likelihood(covariance: Values, target: Values) -> float:
    lower = np.linalg.cholesky(covariance)
    solved = np.linalg.solve(lower, target)
    return float(-0.5 * solved @ solved - np.log(np.diag(lower)).sum())
