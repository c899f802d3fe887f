"""What tables and CSV rows say of a record, derived from it."""

from __future__ import annotations

import numpy as np

from pocketclip.benchmark.records.accuracy import AccuracyRecord, RetrievalRecord
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, Status
from pocketclip.benchmark.records.farm import FarmRecord, FarmStatus
from pocketclip.benchmark.statistics.formatting import milliseconds, percent, three_digits
from pocketclip.benchmark.statistics.summaries import (
    PERCENTILES,
    farm_median_ns,
    median_first_inference_ns,
    median_instructions,
    median_load_ns,
    median_peak_bytes,
    p50_ns,
)
from pocketclip.benchmark.store import Record
from pocketclip.models.evaluation.retrieval import Direction

Cell = str | int | float | bool | None


def measured_cells(record: Record) -> dict[str, Cell]:
    """The figures of a record; names of kinds differ. See `benchmark_cells`, `farm_cells` and `evaluation_cells`."""
    if isinstance(record, FarmRecord):
        return farm_cells(record)
    return benchmark_cells(record) if isinstance(record, BenchmarkRecord) else evaluation_cells(record)


def benchmark_cells(record: BenchmarkRecord) -> dict[str, Cell]:
    """Figures of a benchmark: times of the steady samples of all launches in ns, medians over launches of the rest.

    Memory is the peak over the baseline. Counted records have instructions in the place of times.
    """
    pooled = [value for launch in record.launches for value in launch.steady_ns]
    percentiles = map(float, np.percentile(pooled, PERCENTILES)) if pooled else [None] * len(PERCENTILES)
    return {
        "status": record.status.value,
        "reason": record.reason,
        "valid": not record.invalid,
        "invalid": " ".join(each.code for each in record.invalid) or None,
        "runtime": record.runtime.name,
        "runtime_version": record.runtime.version,
        "threads": record.settings.threads,
        "accelerator": record.settings.accelerator,
        "load_mode": record.settings.load_mode.value,
        "launches": len(record.launches),
        "samples": len(pooled),
        **{f"p{percent}_ns": value for percent, value in zip(PERCENTILES, percentiles, strict=True)},
        "load_ns": median_load_ns(record),
        "first_inference_ns": median_first_inference_ns(record),
        "peak_bytes": median_peak_bytes(record),
        "instructions": None if record.instructions is None else median_instructions(record.instructions),
        "model_size_bytes": record.artifact.model_size_bytes,
        "cosine_min": None if record.golden_check is None else record.golden_check.cosine_min,
    }


def farm_cells(record: FarmRecord) -> dict[str, Cell]:
    """Figures of a farm's own measurement, over the inferences that it lists; memory is its highest peak."""
    times = record.times
    listed = () if times is None else times.inference_ns
    percentiles = map(float, np.percentile(listed, PERCENTILES)) if listed else [None] * len(PERCENTILES)
    return {
        "status": record.status.value,
        "reason": record.reason,
        "accelerator": record.accelerator,
        "samples": len(listed),
        **{f"p{percent}_ns": value for percent, value in zip(PERCENTILES, percentiles, strict=True)},
        "load_ns": None if times is None else times.warm_load_ns,
        "peak_bytes": None if record.memory is None else record.memory.peak_high_bytes,
        "model_size_bytes": record.artifact.model_size_bytes,
        "cosine_min": None if record.golden_check is None else record.golden_check.cosine_min,
    }


def evaluation_cells(record: AccuracyRecord | RetrievalRecord) -> dict[str, Cell]:
    """Figures of an accuracy or a retrieval: shares in [0, 1], accuracy with its interval (95 %)."""
    cells: dict[str, Cell] = {"dataset": record.dataset, "split": record.split}
    if isinstance(record, AccuracyRecord):
        return cells | {
            "accuracy": record.accuracy,
            "accuracy_low": record.accuracy_low,
            "accuracy_high": record.accuracy_high,
            "top5_accuracy": record.top5_accuracy,
        }
    first = {each.direction: each.recall for each in record.recalls if each.k == 1}
    return cells | {f"recall_at_1_{direction.value.replace('-', '_')}": first.get(direction) for direction in Direction}


def headline(record: Record) -> str:
    """The one figure that matters most, with its unit; what was not measured has none."""
    if isinstance(record, BenchmarkRecord):
        if record.status is Status.MEASURED:
            if not record.timed:
                return "emulated"
            return milliseconds(p50_ns(record.launches))
        counts = record.instructions
        return "" if counts is None else f"{three_digits(median_instructions(counts) / 1e6)} M instr."
    if isinstance(record, FarmRecord):
        return milliseconds(farm_median_ns(record)) if record.status is FarmStatus.MEASURED else ""
    if isinstance(record, AccuracyRecord):
        return percent(record.accuracy)
    first = record.recalls[0]
    return f"{percent(first.recall)} R@{first.k}"


def standing(record: Record) -> str:
    """How far a record came, or what forbids to rank it."""
    if isinstance(record, FarmRecord):
        return f"{record.status} by {record.farm}"
    if not isinstance(record, BenchmarkRecord):
        return record.kind
    codes = ", ".join(each.code for each in record.invalid)
    return f"invalid: {codes}" if codes else record.status.value
