"""Records of a store as far as they can be read: one that cannot be hides none of the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pocketclip.benchmark.errors import RecordError, RecordVersionError
from pocketclip.benchmark.records.accuracy import AccuracyRecord, RetrievalRecord
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, age_key, is_future
from pocketclip.benchmark.records.farm import FarmRecord
from pocketclip.benchmark.store.codec import Record, RecordText, decode


@dataclass(frozen=True)
class Unreadable:
    """A record that cannot be read. `newer`: another version of PocketCLIP wrote it, and it may be sound."""

    text: RecordText
    reason: str
    newer: bool


@dataclass(frozen=True)
class Reading:
    """What was read, in the order of the texts, and what could not be."""

    texts: tuple[RecordText, ...]
    records: tuple[Record, ...]
    unreadable: tuple[Unreadable, ...]

    @property
    def benchmarks(self) -> list[BenchmarkRecord]:
        """The benchmark records among them, the latest last: see `age_key`."""
        found = [record for record in self.records if isinstance(record, BenchmarkRecord)]
        return sorted(found, key=lambda record: age_key(record.created_at))

    @property
    def accuracies(self) -> list[AccuracyRecord]:
        """The accuracy records among them."""
        return [record for record in self.records if isinstance(record, AccuracyRecord)]

    @property
    def retrievals(self) -> list[RetrievalRecord]:
        """The retrieval records among them."""
        return [record for record in self.records if isinstance(record, RetrievalRecord)]

    @property
    def farms(self) -> list[FarmRecord]:
        """The farms' own records among them."""
        return [record for record in self.records if isinstance(record, FarmRecord)]


def read_what_can_be(texts: Iterable[RecordText]) -> Reading:
    """Reads each text as a record."""
    read: list[RecordText] = []
    records: list[Record] = []
    unreadable: list[Unreadable] = []
    for text in texts:
        try:
            records.append(decode(text))
            read.append(text)
        except RecordError as error:
            unreadable.append(Unreadable(text, str(error), isinstance(error, RecordVersionError)))
    return Reading(tuple(read), tuple(records), tuple(unreadable))


def future_words(records: Sequence[Record]) -> str | None:
    """One line on the records that are dated in the future. None where there are none."""
    found = [record for record in records if is_future(record.created_at)]
    if not found:
        return None
    return (
        f"{len(found)} of {len(records)} records are dated in the future, the first: record {found[0].record_id}, "
        f"{found[0].created_at}; their computer's clock was wrong, so they count as the oldest"
    )


def left_out_words(unreadable: Sequence[Unreadable], where: str) -> str | None:
    """One line on the records that were left out: how many, the first and the reason. None where there are none."""
    if not unreadable:
        return None
    first = unreadable[0]
    count = f"{len(unreadable)} unreadable record{'s' if len(unreadable) > 1 else ''}"
    what = "; `pocketclip results check` lists all" + ("" if first.newer else " and can remove damaged ones")
    return f"skipped {count} in {where}; the first: {first.reason}{what}"
