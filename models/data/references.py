"""Where one sample lies, and what is read there: picklable, so that worker processes read what the main one orders."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from models import images
from models.data.shards import (
    AUGMENTATION_MEMBER,
    CAPTION_MEMBER,
    EMBEDDING_MEMBERS,
    IMAGE_MEMBERS,
    SYNTHETIC_MEMBER,
    read_members,
)
from models.errors import DatasetError, ImageError
from models.scenes import SceneDataset, Split
from models.scenes.captions import caption as scene_caption

PLAIN_MEMBERS = frozenset((*IMAGE_MEMBERS, CAPTION_MEMBER))
CAPTIONED_MEMBERS = PLAIN_MEMBERS | {SYNTHETIC_MEMBER}
REINFORCED_MEMBERS = CAPTIONED_MEMBERS | {AUGMENTATION_MEMBER, *EMBEDDING_MEMBERS}

SCENE_CAPTIONS = 5
"""How many captions of a scene are drawn: the first is its caption, others that differ are synthetic ones."""


@dataclass(frozen=True)
class RawSample:
    """What is stored of one sample: the encoded image with its kind, captions, and the members of reinforcement."""

    image: bytes
    extension: str
    caption: str
    synthetic_captions: tuple[str, ...] = ()
    reinforcement: Mapping[str, bytes] | None = None


class SampleReference(Protocol):
    """A sample's place: `shard` and `sample` count from 0 within the source; `name` and `key` are for people."""

    @property
    def shard(self) -> int: ...
    @property
    def sample(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def name(self) -> str: ...

    def read(self, wanted: Collection[str]) -> RawSample:
        """Reads the members of the kinds `wanted`; `DatasetError` where the sample cannot be used."""
        ...


@dataclass(frozen=True)
class ShardReference:
    """A sample of a tar shard."""

    shard: int
    sample: int
    key: str
    path: Path
    members: Mapping[str, tuple[int, int]]

    @property
    def name(self) -> str:
        """The shard's file name and the key."""
        return f"{self.path.name}/{self.key}"

    def read(self, wanted: Collection[str]) -> RawSample:
        """Reads by offset."""
        extension = next((kind for kind in IMAGE_MEMBERS if kind in self.members), None)
        if extension is None:
            raise DatasetError(f"no image; one of {', '.join(IMAGE_MEMBERS)} is needed")
        if CAPTION_MEMBER not in self.members:
            raise DatasetError(f"no caption ({CAPTION_MEMBER})")
        content = read_members(self.path, {kind: at for kind, at in self.members.items() if kind in wanted})
        return RawSample(
            content[extension],
            extension,
            _caption(content[CAPTION_MEMBER]),
            _synthetic(content[SYNTHETIC_MEMBER]) if SYNTHETIC_MEMBER in content else (),
            content if AUGMENTATION_MEMBER in wanted else None,
        )


@dataclass(frozen=True)
class FileReference:
    """A row of a table: an image file and its caption."""

    shard: int
    sample: int
    table: Path
    path: Path | None
    caption: str | None

    @property
    def key(self) -> str:
        """The row's number in nine digits."""
        return f"{self.sample:09d}"

    @property
    def name(self) -> str:
        """The table and the row, counted from 1 below the heading."""
        return f"{self.table.name} row {self.sample + 1}"

    def read(self, wanted: Collection[str]) -> RawSample:
        """Reads the image file."""
        if self.path is None:
            raise DatasetError("the row names no image")
        caption = _caption((self.caption or "").encode())
        try:
            return RawSample(self.path.read_bytes(), self.path.suffix.lower().lstrip("."), caption)
        except OSError as error:
            raise DatasetError(f"cannot read {self.path}: {error.strerror or error}") from error


@dataclass(frozen=True)
class SceneReference:
    """A generated scene of the training split, rendered to PNG, with true captions drawn anew as synthetic ones."""

    sample: int
    seed: int
    size: int
    shard: int = 0

    @property
    def key(self) -> str:
        """The scene's number in nine digits."""
        return f"{self.sample:09d}"

    @property
    def name(self) -> str:
        """The scene's number."""
        return f"scene {self.sample}"

    def read(self, wanted: Collection[str]) -> RawSample:
        """Renders the scene."""
        scenes = SceneDataset(Split.TRAIN, self.sample + 1, seed=self.seed, size=self.size)
        buffer = io.BytesIO()
        Image.fromarray(scenes.image(self.sample)).save(buffer, "png")
        scene = scenes.scene(self.sample)
        first = scenes.caption(self.sample)
        drawn = [
            scene_caption(scene, np.random.default_rng([self.seed, self.sample, draw]))
            for draw in range(SCENE_CAPTIONS - 1)
        ]
        further = [text for text in dict.fromkeys(drawn) if text != first]
        return RawSample(buffer.getvalue(), "png", first, tuple(further))


@dataclass(frozen=True)
class ShardFault:
    """Stands at the end of a shard that cannot be read, or not to its end."""

    shard: int
    sample: int
    name: str
    reason: str

    @property
    def key(self) -> str:
        """A fault has no key of its own."""
        return ""

    def read(self, wanted: Collection[str]) -> RawSample:
        """Raises the fault."""
        raise DatasetError(self.reason)


def decode_image(data: bytes) -> Image.Image:
    """An encoded image as `models.images.decode_image` gives it.

    Raises:
        DatasetError: no image, a damaged one, or one that is not taken.
    """
    try:
        return images.decode_image(data, "the image")
    except ImageError as error:
        raise DatasetError(str(error)) from error


def _caption(data: bytes) -> str:
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise DatasetError("the caption is not UTF-8") from error
    if not text:
        raise DatasetError("the caption is empty")
    return text


def _synthetic(data: bytes) -> tuple[str, ...]:
    try:
        texts = json.loads(data)["syn_text"]
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError('syn.json is no {"syn_text": [...]}') from error
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise DatasetError("syn_text is no list of texts")
    return tuple(texts)
