"""Which records are compared: two that a user names, or all of a baseline's with the last ones like them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from pocketclip.benchmark.errors import NoRecordError
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, Status
from pocketclip.benchmark.report.selection import operation
from pocketclip.benchmark.statistics.verdicts import why_invalid
from pocketclip.export.artifact.reading import load_artifact

_LOG = logging.getLogger("pocketclip.benchmark")


def find_record(known: Sequence[BenchmarkRecord], reference: str) -> BenchmarkRecord:
    """The record that a user names.

    Raises:
        NoRecordError: there is none, or an id's beginning has several.
    """
    if reference and Path(reference).is_dir():
        sha256 = load_artifact(Path(reference)).manifest.sha256
        found = [record for record in known if record.artifact.sha256 == sha256][-1:]
    else:
        found = [record for record in known if record.record_id.startswith(reference)]
    if len(found) != 1:
        many = f"{len(found)} records begin with" if found else "there is no record of"
        raise NoRecordError(
            f"{many} {reference!r}",
            fix="give an id as `pocketclip results` lists them, or the folder of an artefact that was benched",
        )
    return found[0]


def pair_with_baseline(
    known: Sequence[BenchmarkRecord], baseline: str, candidate: str | None, *, allow_invalid: bool
) -> list[tuple[BenchmarkRecord, BenchmarkRecord]]:
    """The last record of each kind with the baseline's tag, with the last one of the candidate's.

    Records that may not be ranked take part with `allow_invalid` alone, and only where no other is of their kind; else
    a note tells how many were left out, and names the first.

    Raises:
        NoRecordError: nothing has the tag, or nothing is like what has it.
    """
    sides: tuple[dict[tuple[object, ...], BenchmarkRecord], ...] = ({}, {})
    invalid: tuple[dict[tuple[object, ...], BenchmarkRecord], ...] = ({}, {})
    for record in known:
        side = 0 if record.tag == baseline else 1 if candidate is None or record.tag == candidate else None
        if side is None or not (record.timed or record.status is Status.COUNTED):
            continue
        (invalid if record.invalid else sides)[side][_kind(record)] = record
    # A later valid run takes an invalid one's place, whatever is asked.
    left_out = [
        record
        for place in (0, 1)
        for kind, record in invalid[place].items()
        if kind not in sides[place] and (place == 0 or kind in sides[0] or kind in invalid[0])
    ]
    if allow_invalid:
        sides = tuple({**invalid[place], **sides[place]} for place in (0, 1))
        left_out = []
    if not sides[0]:
        raise NoRecordError(
            f"no valid record has the tag {baseline!r}; " + (_left_out(left_out) or f"bench with --tag {baseline}")
        )
    pairs = [(old, sides[1][kind]) for kind, old in sides[0].items() if kind in sides[1]]
    if not pairs:
        raise NoRecordError(
            f"no record matches those with the tag {baseline!r}: the same model, scheme, tower, device, threads"
            + (f"; {_left_out(left_out)}" if left_out else "")
        )
    if left_out:
        _LOG.warning("%s", _left_out(left_out))
    return pairs


def _left_out(records: Sequence[BenchmarkRecord]) -> str:
    """How many records may not be ranked, the first with the reason, and what to do; empty for none."""
    if not records:
        return ""
    first = records[0]
    count = f"{len(records)} {'record' if len(records) == 1 else 'records'}"
    return (
        f"{count} {'is' if len(records) == 1 else 'are'} invalid and skipped (first: "
        f"{'; '.join(why_invalid(first))}): {first.invalid[0].fix}, or compare with --allow-invalid"
    )


def _kind(record: BenchmarkRecord) -> tuple[object, ...]:

    artifact, device = record.artifact, record.device
    return artifact.model, artifact.tower, device.name, device.instance, operation(record), record.status
