"""Compare: tells whether records are faster or slower."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.benchmark.api.stores import read_store
from pocketclip.benchmark.default_store import DEFAULT_STORE

if TYPE_CHECKING:
    from pocketclip.benchmark.records.benchmark import BenchmarkRecord
    from pocketclip.benchmark.statistics.verdicts import Comparison

_LOG = logging.getLogger("pocketclip.benchmark")


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

    Pairs that were measured in unlike ways are left out; a warning counts them and names the first.

    Args:
        baseline: the tag of the baseline's records.
        candidate: the tag of the others; None means all records outside the baseline.
        store, device, allow_invalid: as for `compare`.

    Raises:
        NoRecordError: no record has the tag, or no record matches those that have it.
        IncomparableError: all pairs were measured in unlike ways.
    """
    from pocketclip.benchmark.errors import IncomparableError
    from pocketclip.benchmark.results.pairing import pair_with_baseline
    from pocketclip.benchmark.statistics.verdicts import compare_records, judge_family

    known = _benchmarks(store, device)
    pairs = pair_with_baseline(known, baseline, candidate, allow_invalid=allow_invalid)
    found: list[Comparison] = []
    unlike: list[IncomparableError] = []
    for pair in pairs:
        try:
            found.append(compare_records(*pair, allow_invalid=allow_invalid))
        except IncomparableError as error:
            unlike.append(error)
    if not found:
        raise unlike[0]
    if unlike:
        counts = len(unlike), len(pairs)
        _LOG.warning("%d of %d pairs cannot be compared and are skipped (first: %s)", *counts, unlike[0])
    return judge_family(found)


def _benchmarks(store: str | Path, device: str | None) -> list[BenchmarkRecord]:
    return [record for record in read_store(store).benchmarks if device in (None, record.device.name)]
