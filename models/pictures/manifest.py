"""`pictures.json`: what a built set is, what it lacks, and the hash of every shard."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.errors import DatasetError
from pocketclip.models.pictures.plan import Split
from pocketclip.models.pictures.sources import Role
from pocketclip.models.untrusted.names import PlainName, Sha256
from pocketclip.models.untrusted.numbers import Count, FileSize

MANIFEST_FILE = "pictures.json"


@document
class SourceUse:
    """A package: its pin, and what was taken of it. `lacking` says why nothing was, where that is so."""

    name: PlainName
    package: str
    version: str
    sha256: Sha256
    role: Role
    licence: str
    attribution: str
    pictures: Count
    lacking: str | None = None


@document
class ShardFile:
    """A shard by its name in the split's folder."""

    file: PlainName
    sha256: Sha256
    size_bytes: FileSize
    samples: Count


@document
class SplitUse:
    """A split: how many samples it has, and how many it has where nothing is missing."""

    name: Split
    samples: Count
    whole_samples: Count
    classes: Count
    sha256: Sha256
    shards: tuple[ShardFile, ...]
    lacking: tuple[str, ...] = ()

    @property
    def partial(self) -> bool:
        """Whether samples are missing."""
        return self.samples < self.whole_samples


@document
class PicturesManifest:
    """A built set. `complete` is false while a build goes on; `left_out` names pictures that could not be drawn."""

    side: Count
    compositions: Count
    complete: bool
    sources: tuple[SourceUse, ...] = ()
    splits: tuple[SplitUse, ...] = ()
    left_out: tuple[str, ...] = ()
    versions: dict[str, str] | None = None
    schema_version: Literal[1] = 1

    @property
    def partial(self) -> bool:
        """Whether any split lacks samples."""
        return any(split.partial for split in self.splits)

    def split(self, name: Split) -> SplitUse:
        """A split by name.

        Raises:
            DatasetError: the manifest does not have it.
        """
        for split in self.splits:
            if split.name is name:
                return split
        raise DatasetError(f"the set has no split {name}", fix="build it again")


def read_manifest(folder: Path) -> PicturesManifest:
    """The manifest of a set.

    Raises:
        DatasetError: it is missing or damaged.
    """
    return documents.read(PicturesManifest, folder / MANIFEST_FILE, error=DatasetError)
