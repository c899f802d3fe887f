"""Writes shards: each follows from its items only, is whole or absent, and is made by any process."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pocketclip.models import atomic
from pocketclip.models.pictures.captions import Subject, captions
from pocketclip.models.pictures.composing import EVALUATION, TRAINING, composed, framed
from pocketclip.models.pictures.plan import Item, Split, item_seed
from pocketclip.models.pictures.sprites import SpriteReader

# The first is the caption, the others are kept beside it as synthetic ones are.
_CAPTIONS = 4
# Raise it when the same items would be composed otherwise.
_VERSION = 3


@dataclass(frozen=True)
class ShardTask:
    """What a worker needs to write a shard.

    Attributes:
        path: where it goes.
        split: decides how far compositions vary, and whether samples have a label or captions.
        items: its samples, in order.
        side: pixels of both sides of an image.
        sprites: the files of sprites by source.
        subjects: what each picture shows, by source and key; only training needs it.
        mirrored: which pictures may be mirrored, by source and key.
    """

    path: Path
    split: Split
    items: tuple[Item, ...]
    side: int
    sprites: Mapping[str, Path]
    subjects: Mapping[tuple[str, str], Subject]
    mirrored: frozenset[tuple[str, str]]

    def digest(self) -> str:
        """Hash of all that the bytes of the shard follow from."""
        words = [
            _VERSION,
            self.split,
            self.side,
            [[item.source, item.key, item.composition, item.label] for item in self.items],
            sorted((name, path.name) for name, path in self.sprites.items()),
            [_words(self.subjects[each]) for item in self.items if (each := (item.source, item.key)) in self.subjects],
        ]
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()


@dataclass(frozen=True)
class Written:
    """A written shard."""

    sha256: str
    size_bytes: int


def write_shard(task: ShardTask) -> Written:
    """Writes a shard, over what an earlier build left.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
        DatasetError: a sprite cannot be read.
    """
    # One name for every build, so that what a killed one left is overwritten.
    part = task.path.with_name(f".{task.path.name}.part")
    reader = _reader(tuple(sorted(task.sprites.items())))
    try:
        # Around all of it: closing a file writes, too.
        with atomic.storage_errors(task.path):
            with part.open("wb") as stream:
                with tarfile.open(fileobj=stream, mode="w") as archive:
                    for item in task.items:
                        _add_sample(archive, task, item, reader)
                stream.flush()
                os.fsync(stream.fileno())
            with part.open("rb") as written:
                digest = hashlib.file_digest(written, "sha256").hexdigest()
            size = part.stat().st_size
            part.replace(task.path)
    finally:
        part.unlink(missing_ok=True)
    return Written(digest, size)


@functools.lru_cache(maxsize=1)
def _reader(files: tuple[tuple[str, Path], ...]) -> SpriteReader:
    # Once a process: opening a zip file reads its whole directory.
    return SpriteReader(dict(files))


def _add_sample(archive: tarfile.TarFile, task: ShardTask, item: Item, reader: SpriteReader) -> None:
    place = (item.source, item.key)
    picture = reader.picture(*place)
    rng = np.random.default_rng(item_seed(task.split, item))
    variety = TRAINING if task.split is Split.TRAIN else EVALUATION
    mirrored = task.split is Split.TRAIN and place in task.mirrored
    image = framed(picture, task.side) if task.split is Split.PHOTOGRAPHS else None
    if image is None:
        image = composed(picture, rng, task.side, variety, mirrored=mirrored)
    for extension, content in _members(task, item, image):
        # A new TarInfo has no time, owner or rights of this machine.
        entry = tarfile.TarInfo(f"{sample_key(item)}.{extension}")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


def _members(task: ShardTask, item: Item, image: bytes) -> Iterator[tuple[str, bytes]]:
    yield "jpg", image
    if item.label is not None:
        yield "cls", str(item.label).encode()
    if task.split is not Split.TRAIN:
        return
    # A generator of its own: how images are composed does not change captions.
    rng = np.random.default_rng([*item_seed(task.split, item), 1])
    first, *others = captions(task.subjects[item.source, item.key], rng, _CAPTIONS)
    yield "txt", first.encode()
    yield "syn.json", json.dumps({"syn_text": others}, ensure_ascii=False).encode()


def sample_key(item: Item) -> str:
    """The name of a sample in its shard, without dots: the source, what it shows there, the composition."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in item.key)
    # Long paths differ in their end.
    short = hashlib.sha256(item.key.encode()).hexdigest()[:8]
    return f"{item.source}_{plain[-48:]}_{short}_{item.composition}"


def _words(subject: Subject) -> list[object]:
    return [subject.name, list(subject.keywords), subject.style, subject.countable]
