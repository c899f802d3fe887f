"""What a run could not use of its data: `data.json` beside the weights, written at every checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models import documents
from models.data.left_out import LeftOut, LeftOutLog
from models.data.skips import MOST_NAMED
from models.documents import document
from models.errors import ConfigError

DATA_FILE = "data.json"


@document
class LeftOutOfShard:
    """What was passed over in one shard, table or folder: how many of what, and the first by name."""

    shard: str
    reason: str
    count: int
    first: str


@document
class DataNotes:
    """`skipped` counts samples that could not be used, `first_skipped` names the first with reasons; `left_out` says
    what is no sample, of every shard that was read."""

    skipped: int
    first_skipped: tuple[str, ...]
    left_out: tuple[LeftOutOfShard, ...]
    schema_version: int = 1

    @property
    def left_out_in_all(self) -> tuple[LeftOut, ...]:
        """One entry a reason."""
        log = LeftOutLog()
        log.take(LeftOut(entry.reason, entry.count, entry.first) for entry in self.left_out)
        return log.entries


def write_data_notes(folder: Path, processes: Sequence[Mapping[str, Any]]) -> None:
    """Puts together what the processes of a run noted, and what was noted before the run was interrupted."""
    earlier = read_data_notes(folder)
    entries = {(each.shard, each.reason): each for each in (() if earlier is None else earlier.left_out)}
    for notes in processes:
        for shard, found in notes["left_out"].items():
            # Processes that share a shard count the same.
            entries |= {(shard, reason): LeftOutOfShard(shard, reason, count, first) for reason, count, first in found}
    named = dict.fromkeys(name for notes in processes for name in notes["first_skipped"])
    documents.write(
        DataNotes(
            sum(notes["skipped"] for notes in processes),
            tuple(named)[:MOST_NAMED],
            tuple(entries[key] for key in sorted(entries)),
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
