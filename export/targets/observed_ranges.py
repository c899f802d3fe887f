"""Ranges of activations over calibration samples, by which static quantisation chooses its steps."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pocketclip.export.precision import Precision
from pocketclip.models.quantization.schemes import OUTLIER_PERCENT


def outlier_percent(precision: Precision) -> float:
    """Of the samples, those whose extremes a range leaves out at either end.

    16 bits hold outliers too: leaving them out would lose more than the finer steps gain.
    """
    return 0.0 if precision.traits.activation_bits == 16 else OUTLIER_PERCENT


class RangeObserver:
    """Keeps the extremes of each value in each sample, not the values: memory does not grow with their size."""

    def __init__(self, names: Iterable[str]) -> None:
        self._lows: dict[str, list[float]] = {name: [] for name in names}
        self._highs: dict[str, list[float]] = {name: [] for name in self._lows}

    @property
    def names(self) -> list[str]:
        """The values that are observed."""
        return list(self._lows)

    def observe(self, name: str, values: np.ndarray) -> None:
        """Takes one value of one sample."""
        self._lows[name].append(float(values.min()))
        self._highs[name].append(float(values.max()))

    def ranges(self, outlier_percent: float = OUTLIER_PERCENT) -> dict[str, tuple[float, float]]:
        """For each value, the range that all but the most extreme samples stay within.

        Args:
            outlier_percent: of the samples, those that a range leaves out at either end.
        """
        return {
            name: (
                float(np.percentile(self._lows[name], outlier_percent)),
                float(np.percentile(self._highs[name], 100 - outlier_percent)),
            )
            for name in self._lows
        }
