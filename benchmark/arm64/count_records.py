"""What counting found, as JSON. Counts are whole numbers of instructions; every inference is kept.

Schema history:
  1: first version.
"""

from __future__ import annotations

from collections.abc import Sequence

from pocketclip.benchmark.statistics.summaries import summarize_counts
from pocketclip.models.documents import document

SCHEMA_VERSION = 1


@document
class CountRecord:
    """One model file: its counts and its agreement with PyTorch, or why there are none.

    `processes` has, for each process, the instructions of its counted inferences. `misses` are the bounds of the
    precision's budget that the outputs are outside of, in words. Of a `failure` all else is missing.
    """

    subject: str
    runtime: str
    label: str
    size_bytes: int
    runtime_version: str | None = None
    processes: tuple[tuple[int, ...], ...] = ()
    samples: int | None = None
    cosine_min: float | None = None
    max_abs: float | None = None
    misses: tuple[str, ...] = ()
    failure: str | None = None

    @property
    def name(self) -> str:
        """For messages, e.g. `pocketclip_nano image, litert, int8-static`."""
        return f"{self.subject}, {self.runtime}, {self.label}"

    @property
    def instructions(self) -> float | None:
        """Per inference: the mean of each process, and of these the median."""
        return summarize_counts(self.processes).per_inference if self.processes else None

    @property
    def spread(self) -> float | None:
        """Largest difference between processes, as a share of the count; None where there was one."""
        return summarize_counts(self.processes).spread_share if self.processes else None


@document
class CountReport:
    """A comparison: what was counted, where, and how often. Each process inferred `warmup` times before it counted."""

    created_at: str
    cpu: str
    root: str
    versions: dict[str, str]
    warmup: int
    counted: int
    records: tuple[CountRecord, ...]
    schema_version: int = SCHEMA_VERSION


def ratio(record: CountRecord, label: str, records: Sequence[CountRecord]) -> float | None:
    """Instructions of a record by those of its sibling of that label: same subject, same runtime.

    None where one of the two has no count, or where it would be compared with itself.
    """
    if record.label == label or record.instructions is None:
        return None
    for other in records:
        if (other.subject, other.runtime, other.label) == (record.subject, record.runtime, label):
            return record.instructions / other.instructions if other.instructions else None
    return None
