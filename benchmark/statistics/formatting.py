"""Numbers as people read them, the same on the terminal and in the report. None becomes an en dash."""

from __future__ import annotations

from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.statistics.summaries import (
    median_first_inference_ns,
    median_load_ns,
    median_peak_bytes,
    summarize_latency,
)

UNKNOWN = "\N{EN DASH}"
# A unit never stands alone at the start of a line.
_GAP = "\N{NO-BREAK SPACE}"


def milliseconds(nanoseconds: float | None) -> str:
    """Nanoseconds as milliseconds with three significant digits, e.g. `3.21 ms`."""
    return UNKNOWN if nanoseconds is None else f"{three_digits(nanoseconds / 1e6)}{_GAP}ms"


def megabytes(size_bytes: float | None) -> str:
    """Bytes as decimal megabytes with three significant digits, e.g. `4.20 MB`."""
    return UNKNOWN if size_bytes is None else f"{three_digits(size_bytes / 1e6)}{_GAP}MB"


def percent(share: float | None) -> str:
    """A share as percent with one decimal, e.g. `88.1 %`."""
    return UNKNOWN if share is None else f"{100 * share:.1f}{_GAP}%"


def cosine(value: float) -> str:
    """A cosine cut, never rounded up, to five decimals: 1 means exactly 1."""
    if value >= 1.0:
        return "1"
    return f"{int(value * 100_000) / 100_000:.5f}"


def three_digits(value: float) -> str:
    """A number with three significant digits and no exponent."""
    size = abs(value)
    decimals = 0 if size >= 99.95 else 1 if size >= 9.995 else 2 if size >= 0.995 else 3
    return f"{value:.{decimals}f}"


def timings(record: BenchmarkRecord) -> tuple[str, ...]:
    """p50, p90, load, first inference and peak memory of a measured record."""
    latency = summarize_latency(record.launches)
    return (
        milliseconds(latency.p50_ns),
        milliseconds(latency.p90_ns),
        milliseconds(median_load_ns(record)),
        milliseconds(median_first_inference_ns(record)),
        megabytes(median_peak_bytes(record)),
    )


def without_unit(cell: str) -> str:
    """The figure of a cell whose column's heading names the unit."""
    return cell.split(_GAP)[0]
