"""Compare: tells whether records are faster or slower."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.benchmark.api.stores import read_store
from pocketclip.benchmark.default_store import DEFAULT_STORE

if TYPE_CHECKING:
    from pocketclip.benchmark.records.benchmark import BenchmarkRecord
    from pocketclip.benchmark.statistics.verdicts import Comparison


def compare(
    baseline: BenchmarkRecord | str | Path,
    candidate: BenchmarkRecord | str | Path,
    *,
    store: str | Path = DEFAULT_STORE,
    device: str | None = None,
    allow_invalid: bool = False,
) -> Comparison:
    """Tells whether the candidate is faster or slower than the baseline, or takes more or fewer instructions.

    Args:
        baseline: a record, a stored record's id or its beginning, or an artefact's folder (its latest record).
        candidate: likewise.
        store: the store for records that are given by id or folder.
        device: use only records from this device.
        allow_invalid: also compare invalid records; the result marks them.

    Raises:
        NoRecordError: there is no such record.
        IncomparableError: the two were measured on different devices, or in different ways.
    """
    from pocketclip.benchmark.records.benchmark import BenchmarkRecord
    from pocketclip.benchmark.results.pairing import find_record
    from pocketclip.benchmark.statistics.verdicts import compare_records

    sides: list[BenchmarkRecord] = []
    known: list[BenchmarkRecord] | None = None
    for each in (baseline, candidate):
        if isinstance(each, BenchmarkRecord):
            sides.append(each)
            continue
        if known is None:
            known = _benchmarks(store, device)
        sides.append(find_record(known, str(each)))
    return compare_records(sides[0], sides[1], allow_invalid=allow_invalid)


def compare_with_baseline(
    baseline: str,
    *,
    candidate: str | None = None,
    store: str | Path = DEFAULT_STORE,
    device: str | None = None,
    allow_invalid: bool = False,
) -> list[Comparison]:
    """Compares records tagged `baseline` with the latest matching ones, judged as one family (Holm).

    Args:
        baseline: the tag of the baseline's records.
        candidate: the tag of the others; None means all records outside the baseline.
        store, device, allow_invalid: as for `compare`.

    Raises:
        NoRecordError: no record has the tag, or no record matches those that have it.
    """
    from pocketclip.benchmark.results.pairing import pair_with_baseline
    from pocketclip.benchmark.statistics.verdicts import compare_records, judge_family

    known = _benchmarks(store, device)
    pairs = pair_with_baseline(known, baseline, candidate, allow_invalid=allow_invalid)
    return judge_family([compare_records(*pair, allow_invalid=allow_invalid) for pair in pairs])


def _benchmarks(store: str | Path, device: str | None) -> list[BenchmarkRecord]:
    return [record for record in read_store(store).benchmarks if device in (None, record.device.name)]
