"""Makes reinforced shards: stored augmentations, captions and teacher embeddings (MobileCLIP, section 4).

The output has DataCompDR's layout and a `reinforced.json`. Shards are written whole or not at all, and noted in
`shards.jsonl`; an interrupted run goes on behind the last of them and ends with the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset

from pocketclip.models import atomic, documents
from pocketclip.models.data.decoding import CorruptSample
from pocketclip.models.data.embeddings import SampleEmbeddings, write_embeddings
from pocketclip.models.data.indexes import SampleIndex, open_index
from pocketclip.models.data.left_out import LeftOut, LeftOutLog
from pocketclip.models.data.pairs import references_from
from pocketclip.models.data.references import SampleReference
from pocketclip.models.data.reinforcement import REINFORCEMENT_FILE, Reinforcement, ReinforcementSettings
from pocketclip.models.data.skips import SkipLog, SkippedSample
from pocketclip.models.data.source import parse_source
from pocketclip.models.documents import document
from pocketclip.models.errors import ConfigError, DatasetError
from pocketclip.models.processes import end_with_parent
from pocketclip.models.reinforcing.samples import PreparedSample, SamplePreparer
from pocketclip.models.reinforcing.teachers import Teacher

JOURNAL_FILE = "shards.jsonl"
_CHUNK = 4
_VERSIONED = ("torch", "torchvision", "pillow", "numpy")

Read = tuple[SampleReference, PreparedSample | CorruptSample]


@document
class FinishedShard:
    """A line of the journal: one shard, and where in the source and after which skips the next one begins.

    `left_out` holds what was passed over so far, `[reason, count, first]` by the number of the
    source's shard.
    """

    file: str
    sha256: str
    samples: int
    next_shard: int
    next_sample: int
    skips: dict[str, Any]
    left_out: dict[str, list[tuple[str, int, str]]] = field(default_factory=dict[str, list[tuple[str, int, str]]])


@dataclass(frozen=True)
class ReinforceReport:
    """How far a run is: samples in all, of how many where that is known, those per second of this run."""

    samples: int
    total: int | None
    shards: int
    skipped: int
    samples_per_second: float


class _Preparing(Dataset[Read]):
    """The preparer in the form that `DataLoader` takes."""

    def __init__(self, preparer: SamplePreparer) -> None:
        self._preparer = preparer

    def __getitem__(self, index: SampleReference) -> Read:
        return index, self._preparer(index)


def reinforce(
    settings: ReinforcementSettings,
    teachers: Sequence[Teacher],
    folder: Path,
    *,
    workers: int = 0,
    max_skipped_share: float = 0.05,
    cache: Path | None = None,
    report: Callable[[ReinforceReport], object] = lambda _: None,
    on_skip: Callable[[SkippedSample], object] | None = None,
) -> Reinforcement:
    """Writes the reinforced shards of a source, or the rest of them where an earlier run was interrupted.

    Args:
        settings: all that the shards follow from; its teachers are the records of `teachers`.
        teachers: in the order of the embeddings' slices.
        folder: where the shards go.
        workers: processes that read and augment; the result does not depend on them.
        max_skipped_share: share of samples that may be corrupt.
        cache: folder of fetched shards.
        report: told after each group of samples.
        on_skip: told of every skipped sample.

    Returns:
        What was also written to `reinforced.json`.

    Raises:
        ConfigError: the folder holds shards made with other settings.
        DatasetError: the source has no usable sample, or too many corrupt ones.
        NonFiniteError: a teacher gives NaN or infinity.
        StorageError: the folder cannot be written.
    """
    if workers < 0:
        raise ConfigError(f"the number of workers must be 0 or more, got {workers}")
    size = settings.image_size or max(teacher.record.image_size for teacher in teachers)
    index = open_index(parse_source(settings.source), cache=cache, scene_seed=settings.seed, scene_size=size)
    earlier = _claim(folder, settings)
    if earlier is not None and earlier.complete:
        return earlier
    log = SkipLog(max_skipped_share, shards=len(index.shards), on_skip=on_skip)
    finished = _read_journal(folder)
    if finished:
        log.restore(finished[-1].skips)
    run = _Run(settings, teachers, folder, index, log, report, finished)
    try:
        run.write_rest(workers)
    finally:
        index.close()
    if not run.samples:
        named = "; ".join(map(str, log.first[:3])) or "it is empty"
        raise DatasetError(f"no sample of {settings.source} can be used: {named}")
    result = Reinforcement(
        settings=settings,
        complete=True,
        versions=_versions(),
        shards=len(run.finished),
        samples=run.samples,
        skipped=log.count,
        first_skipped=tuple(map(str, log.first)),
        left_out=tuple(map(str, LeftOutLog(entry for each in run.left_out().values() for entry in each).entries)),
        ignored_profiles=log.ignored_profiles,
        first_ignored_profile=log.first_ignored_profile,
    )
    documents.write(result, folder / REINFORCEMENT_FILE)
    return result


class _Run:
    """The rest of a run: shards from the first that is not finished."""

    def __init__(
        self,
        settings: ReinforcementSettings,
        teachers: Sequence[Teacher],
        folder: Path,
        index: SampleIndex,
        log: SkipLog,
        report: Callable[[ReinforceReport], object],
        finished: list[FinishedShard],
    ) -> None:
        self._settings, self._teachers, self._folder = settings, teachers, folder
        self._index, self._log, self._report = index, log, report
        self.finished = finished
        self.samples = sum(shard.samples for shard in finished)
        self._total = index.count(0) if len(index.shards) == 1 else None
        self._place = (finished[-1].next_shard, finished[-1].next_sample) if finished else (0, 0)
        self._first, self._started = self.samples, time.perf_counter()

    def left_out(self, last: int | None = None) -> dict[str, list[LeftOut]]:
        """What was passed over, before an interruption too, by the number of the source's shard up to `last`."""
        before = self.finished[-1].left_out if self.finished else {}
        found = {shard: [LeftOut(*entry) for entry in entries] for shard, entries in before.items()}
        # Workers read ahead: what the journal says must not depend on how far.
        now = {number: each for number, each in self._index.left_out.items() if last is None or number <= last}
        return found | {str(number): list(now[number]) for number in sorted(now)}

    def write_rest(self, workers: int) -> None:
        """Writes shards until the source ends."""
        samples = self._usable(workers)
        while group := list(itertools.islice(samples, 1)):
            self._write_shard(itertools.chain(group, itertools.islice(samples, self._settings.samples_per_shard - 1)))

    def _write_shard(self, samples: Iterator[PreparedSample]) -> None:
        path = self._folder / f"{len(self.finished):06d}.tar"
        count = 0
        # Groups end with the shard: its bytes then follow from its samples alone, whatever was resumed.
        per_group = max(1, self._settings.batch_size // self._settings.augmentations)
        keys: set[str] = set()
        with _new_archive(path) as archive:
            while group := list(itertools.islice(samples, per_group)):
                for sample, embeddings in zip(group, self._embed(group), strict=True):
                    # Samples side by side with one key would be read as one.
                    key = sample.key if sample.key not in keys else f"{sample.key}-{count}"
                    keys.add(key)
                    member = write_embeddings(embeddings, self._settings.embeddings, self._settings.dtype)
                    for extension, data in {**sample.members, self._settings.embeddings.value: member}.items():
                        _add(archive, f"{key}.{extension}", data, path)
                    count += 1
                self.samples += len(group)
                self._tell()
        self._note(path, count)

    def _embed(self, group: list[PreparedSample]) -> list[SampleEmbeddings]:
        captions = [caption for sample in group for caption in sample.captions]
        # Each teacher's rows for all images and captions of the group, side by side.
        image = np.concatenate(
            [
                teacher.embed_images(np.concatenate([sample.pixels[teacher.record.image_size] for sample in group]))
                for teacher in self._teachers
            ],
            axis=1,
        )
        text = np.concatenate([teacher.embed_texts(captions) for teacher in self._teachers], axis=1)
        image_rows = np.split(image, len(group))
        edges = np.cumsum([len(sample.captions) for sample in group])[:-1].tolist()
        return [SampleEmbeddings(*rows) for rows in zip(image_rows, np.split(text, edges), strict=True)]

    def _usable(self, workers: int) -> Iterator[PreparedSample]:
        references = references_from(self._index, *self._place)
        loader = DataLoader(
            _Preparing(SamplePreparer(self._settings)),
            batch_sampler=_chunks(references),  # pyright: ignore[reportArgumentType]
            num_workers=workers,
            collate_fn=list,
            worker_init_fn=end_with_parent,
        )
        for reference, sample in itertools.chain.from_iterable(loader):
            self._place = (reference.shard, reference.sample + 1)
            if isinstance(sample, CorruptSample):
                self._log.skip(sample.skipped, broken_shard_of_epoch=0 if sample.whole_shard else None)
            else:
                self._log.used()
                if sample.ignored_profile is not None:
                    self._log.ignored_profile(sample.ignored_profile)
                yield sample

    def _note(self, path: Path, samples: int) -> None:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        left_out = {
            shard: [(entry.reason, entry.count, entry.first) for entry in entries]
            for shard, entries in self.left_out(self._place[0]).items()
        }
        shard = FinishedShard(path.name, digest, samples, *self._place, self._log.state(), left_out)
        self.finished.append(shard)
        journal = self._folder / JOURNAL_FILE
        with atomic.storage_errors(journal), journal.open("a") as stream:
            stream.write(json.dumps(asdict(shard)) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def _tell(self) -> None:
        speed = (self.samples - self._first) / (time.perf_counter() - self._started)
        self._report(ReinforceReport(self.samples, self._total, len(self.finished), self._log.count, speed))


def _claim(folder: Path, settings: ReinforcementSettings) -> Reinforcement | None:
    """What an earlier run with these settings left in the folder; begins one where there is nothing."""
    description = folder / REINFORCEMENT_FILE
    if description.is_file():
        earlier = documents.read(Reinforcement, description, error=DatasetError)
        unlike = [
            field.name
            for field in fields(settings)
            if getattr(earlier.settings, field.name) != getattr(settings, field.name)
        ]
        if unlike:
            raise ConfigError(
                f"{folder} holds shards with different settings ({', '.join(unlike)})",
                fix="use their settings, or another folder",
            )
        return earlier
    if folder.is_dir() and any(folder.glob("*.tar")):
        raise ConfigError(f"{folder} holds shards from another program", fix="choose another folder")
    documents.write(Reinforcement(settings=settings, complete=False, versions=_versions()), description)
    return None


def _read_journal(folder: Path) -> list[FinishedShard]:
    """The shards that are finished: lines up to the first that is torn or whose file is gone."""
    journal = folder / JOURNAL_FILE
    if not journal.is_file():
        return []
    content = journal.read_bytes()
    finished: list[FinishedShard] = []
    kept = b""
    for number, line in enumerate(content.splitlines(keepends=True), start=1):
        if not line.endswith(b"\n"):
            # The run was ended while it wrote this line.
            break
        shard = documents.parse(FinishedShard, line, source=f"{journal} line {number}", error=DatasetError)
        if not (folder / shard.file).is_file():
            break
        finished.append(shard)
        kept += line
    if kept != content:
        atomic.write_bytes(journal, kept)
    return finished


@contextmanager
def _new_archive(path: Path) -> Iterator[tarfile.TarFile]:
    # One name for every run, so that what a killed one left is overwritten.
    part = path.with_name(f".{path.name}.part")
    try:
        with (
            atomic.written_in_parts(part, path) as stream,
            tarfile.open(fileobj=stream, mode="w") as archive,
        ):
            yield archive
            with atomic.storage_errors(path):
                archive.close()
                stream.flush()
                os.fsync(stream.fileno())
                part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, name: str, data: bytes, path: Path) -> None:
    # A new TarInfo has no time, owner or rights of this machine.
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    with atomic.storage_errors(path):
        archive.addfile(entry, io.BytesIO(data))


def _chunks(references: Iterator[SampleReference]) -> Iterator[list[SampleReference]]:
    while chunk := list(itertools.islice(references, _CHUNK)):
        yield chunk


def _versions() -> dict[str, str]:
    return {package: version(package) for package in _VERSIONED}
