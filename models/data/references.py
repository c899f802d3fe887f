"""Where one sample lies, and what is read there: picklable, so that worker processes read what the main one orders."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from pocketclip.models.data.image_files import IMAGE_MEMBERS
from pocketclip.models.data.shards import (
    AUGMENTATION_MEMBER,
    CAPTION_MEMBER,
    EMBEDDING_MEMBERS,
    LABEL_MEMBER,
    SYNTHETIC_MEMBER,
    read_members,
)
from pocketclip.models.data.word_lists import is_visible
from pocketclip.models.errors import DatasetError, ImageError
from pocketclip.models.pixels import images
from pocketclip.models.scenes import SceneDataset, Split
from pocketclip.models.scenes.captions import caption as scene_caption
from pocketclip.models.untrusted import json_text
from pocketclip.models.untrusted.files import is_there, read_bounded
from pocketclip.models.untrusted.printable import printable_line, printable_path

PLAIN_MEMBERS = frozenset((*IMAGE_MEMBERS, CAPTION_MEMBER, LABEL_MEMBER))
CAPTIONED_MEMBERS = PLAIN_MEMBERS | {SYNTHETIC_MEMBER}
REINFORCED_MEMBERS = CAPTIONED_MEMBERS | {AUGMENTATION_MEMBER, *EMBEDDING_MEMBERS}

MOST_IMAGE_BYTES = 256 << 20
# Tokenising takes longer than its share of the text: one word of a million letters would take hours.
MOST_CAPTION = 10_000
_MOST_LABEL = 200

_MOST_JSON = 1 << 20
_ADDRESS = re.compile(r"(?:^|/)(?:https?|ftp|s3|gs|file|data):/?", re.IGNORECASE)

SCENE_CAPTIONS = 5
"""How many captions of a scene are drawn: the first is its caption, others that differ are synthetic ones."""


@dataclass(frozen=True)
class RawSample:
    """What is stored of one sample: the encoded image with its kind, captions, and the members of reinforcement.

    `label` is what its class is called, empty where it has none: samples of one class are no negatives of each other.
    """

    image: bytes
    extension: str
    caption: str
    synthetic_captions: tuple[str, ...] = ()
    reinforcement: Mapping[str, bytes] | None = None
    label: str = ""


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

    def read_image(self) -> bytes:
        """The encoded image alone, whatever else lacks; `DatasetError` where there is none."""
        ...

    def read_caption(self) -> str:
        """The caption alone, whatever else lacks; `DatasetError` where there is none."""
        ...


@dataclass(frozen=True)
class ShardReference:
    """A sample of a tar shard."""

    shard: int
    sample: int
    key: str
    path: Path
    members: Mapping[str, tuple[int, int]]
    fault: str | None = None

    @property
    def name(self) -> str:
        """The shard's file name and the key."""
        return printable_line(f"{self.path.name}/{self.key}")

    def read(self, wanted: Collection[str]) -> RawSample:
        """Reads by offset."""
        extension = self._image_kind()
        self._require_caption()
        unread = set(IMAGE_MEMBERS) - {extension}
        content = read_members(
            self.path, {kind: at for kind, at in self.members.items() if kind in wanted and kind not in unread}
        )
        return RawSample(
            content[extension],
            extension,
            _caption(content[CAPTION_MEMBER]),
            _synthetic(content[SYNTHETIC_MEMBER]) if SYNTHETIC_MEMBER in content else (),
            content if AUGMENTATION_MEMBER in wanted else None,
            _label(content[LABEL_MEMBER]) if LABEL_MEMBER in content else "",
        )

    def read_image(self) -> bytes:
        """Reads by offset."""
        kind = self._image_kind()
        return read_members(self.path, {kind: self.members[kind]})[kind]

    def read_caption(self) -> str:
        """Reads by offset."""
        self._require_caption()
        return _caption(read_members(self.path, {CAPTION_MEMBER: self.members[CAPTION_MEMBER]})[CAPTION_MEMBER])

    def _image_kind(self) -> str:
        if self.fault is not None:
            raise DatasetError(self.fault)
        kind = next((kind for kind in IMAGE_MEMBERS if kind in self.members), None)
        if kind is None:
            raise DatasetError(f"no image; one of {', '.join(IMAGE_MEMBERS)} is needed")
        return kind

    def _require_caption(self) -> None:
        if self.fault is not None:
            raise DatasetError(self.fault)
        if CAPTION_MEMBER not in self.members:
            raise DatasetError(f"no caption ({CAPTION_MEMBER})")


@dataclass(frozen=True)
class FileReference:
    """An image file with its caption: a row of a table, or a file with a caption file beside it.

    `title` names it for people; `path` None where a row names no image; `caption_file` is read where there is no
    `caption`.
    """

    shard: int
    sample: int
    title: str
    path: Path | None
    caption: str | None
    caption_file: Path | None = None

    @property
    def key(self) -> str:
        """The sample's number in nine digits."""
        return f"{self.sample:09d}"

    @property
    def name(self) -> str:
        """The table and the row, counted from 1 below the heading, or the file."""
        return printable_line(self.title)

    def read(self, wanted: Collection[str]) -> RawSample:
        """Reads the image file."""
        if self.path is None:
            raise DatasetError("the row names no image")
        caption = self.read_caption()
        return RawSample(self.read_image(), self.path.suffix.lower().lstrip("."), caption)

    def read_caption(self) -> str:
        """The row's caption, or that of the file beside the image."""
        return _caption(self._caption_bytes())

    def read_image(self) -> bytes:
        """Reads the image file."""
        if self.path is None:
            raise DatasetError("the row names no image")
        # Joined to a folder, a URL has lost one of its slashes.
        if _ADDRESS.search(self.path.as_posix()) and not is_there(self.path):
            raise DatasetError(
                f"the row names an address, not a file ({printable_path(self.path)})", fix="download images first"
            )
        return read_bounded(self.path, MOST_IMAGE_BYTES, error=DatasetError)

    def _caption_bytes(self) -> bytes:
        if self.caption is not None or self.caption_file is None:
            return (self.caption or "").encode("utf-8", "surrogatepass")
        if not is_there(self.caption_file):
            raise DatasetError(f"no caption: there is no {printable_path(self.caption_file.name)} beside the image")
        return read_bounded(self.caption_file, MOST_CAPTION * 4, error=DatasetError)


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
        scenes = self._scenes()
        scene = scenes.scene(self.sample)
        first = scenes.caption(self.sample)
        drawn = [
            scene_caption(scene, np.random.default_rng([self.seed, self.sample, draw]))
            for draw in range(SCENE_CAPTIONS - 1)
        ]
        further = [text for text in dict.fromkeys(drawn) if text != first]
        return RawSample(self.read_image(), "png", first, tuple(further))

    def read_image(self) -> bytes:
        """Renders the scene."""
        buffer = io.BytesIO()
        Image.fromarray(self._scenes().image(self.sample)).save(buffer, "png")
        return buffer.getvalue()

    def read_caption(self) -> str:
        """The scene's first caption."""
        return self._scenes().caption(self.sample)

    def _scenes(self) -> SceneDataset:
        return SceneDataset(Split.TRAIN, self.sample + 1, seed=self.seed, size=self.size)


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

    def read_image(self) -> bytes:
        """Raises the fault."""
        raise DatasetError(self.reason)

    def read_caption(self) -> str:
        """Raises the fault."""
        raise DatasetError(self.reason)


def decode_image(data: bytes) -> Image.Image:
    """An encoded image as `models.pixels.images.decode_image` gives it.

    Raises:
        DatasetError: no image, a damaged one, or one that is not taken.
    """
    try:
        return images.decode_image(data, "the image")
    except ImageError as error:
        raise DatasetError(str(error)) from error


def _label(content: bytes) -> str:
    label = content[: _MOST_LABEL + 1].decode(errors="replace").strip()
    if not label or len(content) > _MOST_LABEL:
        raise DatasetError(f"the class ({LABEL_MEMBER}) has {len(content)} bytes; it must have 1 to {_MOST_LABEL}")
    return label


def _caption(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise DatasetError("the caption is not UTF-8") from error
    if not is_visible(text):
        raise DatasetError("the caption is invisible" if text else "the caption is empty")
    _require_length(text, "the caption")
    return text


def _synthetic(data: bytes) -> tuple[str, ...]:
    try:
        texts = json_text.loads(data, most_bytes=_MOST_JSON)["syn_text"]
    except json_text.JsonFault as error:
        raise DatasetError(f"syn.json {error}") from error
    except (KeyError, TypeError) as error:
        raise DatasetError('syn.json is not {"syn_text": [...]}') from error
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise DatasetError("syn_text is not a list of texts")
    for text in texts:
        _require_length(text, "a synthetic caption")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise DatasetError("a synthetic caption holds half a character (a lone surrogate)") from error
    return tuple(texts)


def _require_length(text: str, what: str) -> None:
    if len(text) > MOST_CAPTION:
        raise DatasetError(f"{what} has {len(text)} characters; at most {MOST_CAPTION} are read")
