"""What a run could not use of its data: `data.json` beside the weights, written at every checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from pocketclip.models import documents
from pocketclip.models.data.left_out import LeftOut, LeftOutLog
from pocketclip.models.data.skips import MOST_NAMED, SkippedSample
from pocketclip.models.documents import document
from pocketclip.models.errors import ConfigError

DATA_FILE = "data.json"


@document
class LeftOutOfShard:
    """What was passed over in one shard, table or folder: how many of what, and the first by name."""

    shard: str
    reason: str
    count: int
    first: str


@document
class ReadNotes:
    """`skipped` counts samples that could not be used, `first_skipped` names the first with reasons; `left_out` says
    what is no sample, of every shard that was read; `ignored_profiles` counts images whose colour profile cannot be
    used (taken as sRGB), the first one named."""

    skipped: int
    first_skipped: tuple[str, ...]
    left_out: tuple[LeftOutOfShard, ...]
    ignored_profiles: int = 0
    first_ignored_profile: str | None = None

    @property
    def left_out_in_all(self) -> tuple[LeftOut, ...]:
        """One entry a reason."""
        return LeftOutLog(LeftOut(entry.reason, entry.count, entry.first) for entry in self.left_out).entries


@document
class DataNotes(ReadNotes):
    """The same of a run's data, and of its `validation`: None where that reads no data of the user's."""

    validation: ReadNotes | None = None
    schema_version: int = 1


class _Read(Protocol):
    @property
    def skipped(self) -> Sequence[SkippedSample]: ...
    @property
    def skipped_count(self) -> int: ...
    @property
    def ignored_profiles(self) -> tuple[int, str | None]: ...


def notes_of(read: _Read, left_out: Mapping[str, Sequence[LeftOut]]) -> ReadNotes:
    """What one reader noted."""
    count, first = read.ignored_profiles
    return ReadNotes(
        read.skipped_count,
        tuple(map(str, read.skipped)),
        tuple(
            LeftOutOfShard(shard, entry.reason, entry.count, entry.first)
            for shard, entries in left_out.items()
            for entry in entries
        ),
        count,
        first,
    )


def write_data_notes(folder: Path, processes: Sequence[ReadNotes], validation: ReadNotes | None = None) -> None:
    """Puts together what the processes of a run noted, and what was noted before the run was interrupted."""
    earlier = read_data_notes(folder)
    entries = {(each.shard, each.reason): each for each in (() if earlier is None else earlier.left_out)}
    for notes in processes:
        # Processes that share a shard count the same.
        entries |= {(each.shard, each.reason): each for each in notes.left_out}
    named = dict.fromkeys(name for notes in processes for name in notes.first_skipped)
    profiles = [notes.first_ignored_profile for notes in processes if notes.first_ignored_profile is not None]
    documents.write(
        DataNotes(
            sum(notes.skipped for notes in processes),
            tuple(named)[:MOST_NAMED],
            tuple(entries[key] for key in sorted(entries)),
            sum(notes.ignored_profiles for notes in processes),
            next(iter(profiles), None),
            validation,
        ),
        folder / DATA_FILE,
    )


def read_data_notes(folder: Path) -> DataNotes | None:
    """The notes of a run's folder; None before the first checkpoint.

    Raises:
        ConfigError: the file is malformed.
    """
    path = folder / DATA_FILE
    return documents.read(DataNotes, path, error=ConfigError) if path.is_file() else None
