"""Records of a store as far as they can be read: one that cannot be hides none of the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmark.accuracy_records import AccuracyRecord, RetrievalRecord
from benchmark.errors import RecordError, RecordVersionError
from benchmark.records import BenchmarkRecord
from benchmark.store.codec import Record, RecordText, decode


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
        """The benchmark records among them."""
        return [record for record in self.records if isinstance(record, BenchmarkRecord)]

    @property
    def accuracies(self) -> list[AccuracyRecord]:
        """The accuracy records among them."""
        return [record for record in self.records if isinstance(record, AccuracyRecord)]

    @property
    def retrievals(self) -> list[RetrievalRecord]:
        """The retrieval records among them."""
        return [record for record in self.records if isinstance(record, RetrievalRecord)]


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


def left_out_words(unreadable: Sequence[Unreadable], where: str) -> str | None:
    """One line on the records that were left out: how many, the first and the reason. None where there are none."""
    if not unreadable:
        return None
    first = unreadable[0]
    count = f"{len(unreadable)} record{'s' if len(unreadable) > 1 else ''}"
    what = "; `pocketclip results check` lists all" + ("" if first.newer else ", and takes damaged ones out")
    return f"left out: {count} of {where} cannot be read, the first: {first.reason}{what}"
