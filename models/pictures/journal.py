"""`shards.jsonl` of a set: which shards are finished, and from what their bytes follow."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from pocketclip.models import atomic, documents
from pocketclip.models.documents import document
from pocketclip.models.errors import DatasetError
from pocketclip.models.pictures.shards import Written
from pocketclip.models.untrusted.names import RelativePath, Sha256
from pocketclip.models.untrusted.numbers import FileSize

JOURNAL_FILE = "shards.jsonl"


@document
class FinishedShard:
    """A line: a shard by its path in the set, its hash and size, and the hash of what it was composed from."""

    file: RelativePath
    sha256: Sha256
    size_bytes: FileSize
    composed_from: Sha256


def read(folder: Path, digests: Mapping[Path, str]) -> dict[Path, Written]:
    """The finished shards that a build need not compose again: those that follow from the same, and are there.

    The journal is written anew with these: lines of a shard that was composed differently would only grow it.

    Raises:
        DatasetError: the journal is damaged.
        StorageError: it cannot be written.
    """
    journal = folder / JOURNAL_FILE
    if not journal.is_file():
        return {}
    finished: dict[Path, Written] = {}
    kept: dict[Path, bytes] = {}
    for number, line in enumerate(journal.read_bytes().splitlines(keepends=True), start=1):
        if not line.endswith(b"\n"):
            # The build was ended while it wrote this line.
            break
        shard = documents.parse(FinishedShard, line, source=f"{journal} line {number}", error=DatasetError)
        path = folder / shard.file
        same = digests.get(path) == shard.composed_from
        if same and path.is_file() and path.stat().st_size == shard.size_bytes:
            finished[path] = Written(shard.sha256, shard.size_bytes)
            kept[path] = line
    atomic.write_bytes(journal, b"".join(kept.values()))
    return finished


def append(folder: Path, path: Path, digest: str, written: Written) -> None:
    """Notes a finished shard.

    Raises:
        StorageError: the disk is full.
    """
    line = FinishedShard(path.relative_to(folder).as_posix(), written.sha256, written.size_bytes, digest)
    journal = folder / JOURNAL_FILE
    with atomic.storage_errors(journal), journal.open("a") as stream:
        stream.write(json.dumps(asdict(line)) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
