"""What a comparison found, as JSON: every sample of every process, ratios derived on demand.

Schema history:
  1: first version.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from pocketclip.models.documents import document

SCHEMA_VERSION = 1


@document
class PerfRecord:
    """Files of one runtime and tower that ran in turn. `flops` are those of the tower.

    `samples_ns` has a row for each process, in it one for each of `labels`, with the samples in their order.
    `gemm_flops_per_second` has the processor's rate in each process.
    """

    model: str
    tower: str
    runtime: str
    runtime_version: str
    flops: int
    labels: tuple[str, ...]
    samples_ns: tuple[tuple[tuple[int, ...], ...], ...]
    gemm_flops_per_second: tuple[float, ...]

    def medians_ns(self, label: str) -> tuple[float, ...]:
        """The median of each process."""
        place = self.labels.index(label)
        return tuple(float(statistics.median(process[place])) for process in self.samples_ns)

    def ratio(self, label: str, base: str) -> Ratio:
        """How a file's time is to another's, by process."""
        pairs = zip(self.medians_ns(label), self.medians_ns(base), strict=True)
        return Ratio(tuple(own / other for own, other in pairs))

    def gemm_share(self, label: str) -> float:
        """The share of the processor's rate in matrix products of fp32 that the tower reached."""
        seconds = statistics.median(self.medians_ns(label)) / 1e9
        return self.flops / seconds / statistics.median(self.gemm_flops_per_second)


@dataclass(frozen=True)
class Ratio:
    """Ratios of several processes."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """Over the processes."""
        return float(statistics.median(self.values))

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % bootstrap interval of the median; None for fewer than five processes."""
        from pocketclip.benchmark.statistics.summaries import launch_interval

        return launch_interval(self.values)


@document
class PerfReport:
    """A whole comparison: when and on what it was made."""

    created_at: str
    processor: str
    instruction_sets: tuple[str, ...]
    records: tuple[PerfRecord, ...]
    schema_version: int = SCHEMA_VERSION
