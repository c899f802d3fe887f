"""What an evaluation has found so far, on disk batch by batch, so that an interrupted run can be gone on with.

A text file: each line is a checksum, a space and a JSON object; the first one is the header. A line that a killed
process left half-written fails its checksum and is dropped with all that follows.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import uuid
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketclip.models import atomic, documents
from pocketclip.models.documents import document
from pocketclip.models.errors import ResumeError
from pocketclip.models.untrusted.printable import printable_line

_SUFFIX, _ASIDE = ".journal", ".journal.old"
_RUN_ID = "run_id"


@document
class JournalHeader:
    """What a journal is about. Two runs with the same header would find the same.

    `image`, `text`, `inputs` and `executed_by` identify the encoder, `dataset` and `dataset_sha256` the samples,
    `prompts_sha256` what the classes are called.
    """

    model: str
    image: str
    text: str
    inputs: str
    executed_by: str
    dataset: str
    split: str
    dataset_sha256: str
    prompts_sha256: str
    skip_corrupt: bool
    format: int = 1

    @property
    def slot(self) -> str:
        """The file's name: the model, the data set and the prompts, whatever the set's files are at the moment."""
        words = (self.image, self.text, self.inputs, self.dataset, self.split, self.prompts_sha256)
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class JournalEntry:
    """One batch: `size` samples from place `start` on, what was found for them, which ones were left out, and whose
    colour profile was ignored."""

    start: int
    size: int
    arrays: Mapping[str, NDArray[Any]]
    skipped: tuple[str, ...]
    ignored_profiles: tuple[str, ...] = ()


class Journal:
    """The entries of a run, those read from disk and those appended since. Use `open_journal`.

    Attributes:
        run_id: the same however often the run is gone on with.
        resumed_at: how many samples an interrupted run had dealt with.
        set_aside: where the journal of an interrupted run went that is not gone on with.
    """

    def __init__(
        self,
        path: Path,
        run_id: str,
        entries: list[JournalEntry],
        stream: io.BufferedWriter,
        set_aside: Path | None = None,
    ) -> None:
        self.path = path
        self.run_id = run_id
        self.set_aside = set_aside
        self.resumed_at = _end(entries)
        self._entries = entries
        self._stream = stream

    @property
    def end(self) -> int:
        """How many samples have been dealt with: the place to go on from."""
        return _end(self._entries)

    @property
    def skipped(self) -> tuple[str, ...]:
        """Names of all samples left out."""
        return tuple(name for entry in self._entries for name in entry.skipped)

    @property
    def ignored_profiles(self) -> tuple[str, ...]:
        """Names of all images whose colour profile cannot be used."""
        return tuple(name for entry in self._entries for name in entry.ignored_profiles)

    def array(self, name: str) -> NDArray[Any]:
        """All values of that name, joined in the order of the samples.

        Raises:
            ValueError: there is no entry yet.
        """
        return np.concatenate([entry.arrays[name] for entry in self._entries if name in entry.arrays])

    def append(self, entry: JournalEntry) -> None:
        """Adds a batch; it survives the process once this returns.

        Raises:
            StorageError: the file cannot be written.
        """
        if entry.start != self.end:
            raise ValueError(f"the next batch starts at {self.end}, got {entry.start}")
        with atomic.storage_errors(self.path):
            self._stream.write(_line(_to_json(entry)))
            self._stream.flush()
        self._entries.append(entry)

    def close(self) -> None:
        """Closes the file and leaves it where it is."""
        # It writes only what `append` could not, and that was told.
        with suppress(OSError):
            self._stream.close()

    def remove(self) -> None:
        """Deletes the file: its result is kept elsewhere."""
        self.close()
        self.path.unlink(missing_ok=True)


def open_journal(folder: Path, header: JournalHeader, *, resume: bool) -> Journal:
    """The journal of a run.

    Args:
        folder: where journals are kept.
        header: what the run is about.
        resume: go on from what an interrupted run left; else start anew, and what was left is set aside.

    Raises:
        ResumeError: what was left is about something else: the message names what has changed.
        StorageError: the folder cannot be written.
    """
    path = folder / f"{header.slot}{_SUFFIX}"
    set_aside: Path | None = None
    with atomic.storage_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        if path.is_file() and resume:
            length, run_id, entries = _read(path, header)
            if length:
                os.truncate(path, length)
                return Journal(path, run_id, entries, path.open("ab"))
        elif path.is_file():
            set_aside = path.with_name(path.name.removesuffix(_SUFFIX) + _ASIDE)
            path.replace(set_aside)
        run_id = str(uuid.uuid4())
        stream = path.open("wb")
        stream.write(_line(json.dumps({**documents.to_builtin(header), _RUN_ID: run_id})))
        stream.flush()
    return Journal(path, run_id, [], stream, set_aside)


def _read(path: Path, header: JournalHeader) -> tuple[int, str, list[JournalEntry]]:
    """How many bytes are sound, the run's id, and the batches; nothing where not even the header is sound."""
    entries: list[JournalEntry] = []
    length, run_id = 0, ""
    with path.open("rb") as stream:
        for line in stream:
            content = _checked(line)
            if content is None:
                break
            if not length:
                found = json.loads(content)
                run_id = found[_RUN_ID]
                _compare(path, found, documents.to_builtin(header))
            else:
                entry = _from_json(content)
                if entry.start != _end(entries):
                    break
                entries.append(entry)
            length += len(line)
    return length, run_id, entries


def _compare(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    changed = [name for name, value in wanted.items() if found.get(name) != value]
    if changed:
        worded = ", ".join("the files of the data set" if name == "dataset_sha256" else name for name in changed)
        raise ResumeError(
            f"cannot resume the interrupted evaluation in {path}: {worded} changed since",
            fix="omit --resume to start again",
        )


def _end(entries: list[JournalEntry]) -> int:
    return entries[-1].start + entries[-1].size if entries else 0


def _line(content: str) -> bytes:
    data = content.encode()
    return b"%08x %b\n" % (zlib.crc32(data), data)


def _checked(line: bytes) -> bytes | None:
    checksum, _, data = line.partition(b" ")
    if not data.endswith(b"\n"):
        return None
    data = data[:-1]
    return data if checksum == b"%08x" % zlib.crc32(data) else None


def _to_json(entry: JournalEntry) -> str:
    arrays = {name: base64.b64encode(_npy(values)).decode() for name, values in entry.arrays.items()}
    body = {"start": entry.start, "size": entry.size, "arrays": arrays, "skipped": entry.skipped}
    return json.dumps(body | {"ignored_profiles": entry.ignored_profiles})


def _from_json(content: bytes) -> JournalEntry:
    body = json.loads(content)
    arrays = {
        name: np.load(io.BytesIO(base64.b64decode(data)), allow_pickle=False) for name, data in body["arrays"].items()
    }
    # Journals of earlier versions hold names as the file system has them, which no record may.
    named = (tuple(map(printable_line, body.get(key, ()))) for key in ("skipped", "ignored_profiles"))
    return JournalEntry(body["start"], body["size"], arrays, *named)


def _npy(values: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=False)
    return stream.getvalue()
