"""What a classification set is: named classes, an identity, and a stream of samples that decode themselves."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pocketclip.models.data.left_out import LeftOut, LeftOutLog
from pocketclip.models.errors import MissingPackageError, extra_command
from pocketclip.models.evaluation.prompts import Templates
from pocketclip.models.pixels.preprocess import PreprocessSpec

Pixels = NDArray[np.float32]
MAX_CORRUPT_SHARE = 0.05
"""A set with a larger share of unreadable samples is not the set it is taken for."""


class Sample(NamedTuple):
    """One image of a set; `load` decodes it to `(3, S, S)` float32 and raises `ImageError` where it cannot.

    `place` counts from 0 in the order of the set, `label` is a place among its classes.
    """

    place: int
    name: str
    label: int
    load: Callable[[PreprocessSpec], Pixels]


class Counted:
    """What readers of a set passed over, each part once however often it is read."""

    def __init__(self) -> None:
        self._parts: dict[str, tuple[LeftOut, ...]] = {}

    def put(self, part: str, entries: tuple[LeftOut, ...]) -> None:
        """What was passed over in a part, such as a shard."""
        self._parts[part] = entries

    @property
    def entries(self) -> tuple[LeftOut, ...]:
        """All of it, one entry a reason."""
        log = LeftOutLog()
        for entries in self._parts.values():
            log.take(entries)
        return log.entries


@dataclass(frozen=True)
class ClassificationSet:
    """Images with labels.

    Attributes:
        name: how records call it; no path of the machine.
        split: which part of the set it is.
        class_names: what the prompts say, by label.
        templates: those of the set, where the user names none.
        sha256: identity of the samples: their names, sizes and labels.
        count: how many samples `source` gives; None where only the end of the stream tells.
        published_count: how many the whole published set has.
        classes_shown: how many classes have at least one sample; None where only the stream tells.
        source: samples from a place on, the same ones in the same order at every call.
        skips_corrupt: whether unreadable samples are skipped and counted without being asked to.
        left_out: files and members that are no samples, known once they have been read.
    """

    name: str
    split: str
    class_names: tuple[str, ...]
    templates: Templates
    sha256: str
    count: int | None
    source: Callable[[int], Iterator[Sample]]
    published_count: int | None = None
    classes_shown: int | None = None
    skips_corrupt: bool = False
    left_out: Counted = field(default_factory=Counted, compare=False)


def identity_sha256(parts: Iterable[object]) -> str:
    """One hash over the words of the parts, each on a line of its own."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def require_package(name: str, purpose: str) -> None:
    """Checks that a package of the `eval` extra is there.

    Raises:
        MissingPackageError: it is not; the message has the command that adds it.
    """
    try:
        importlib.import_module(name)
    except ImportError as error:
        raise MissingPackageError(
            f"{purpose} needs the package {name.split('.')[0]} ({error})",
            fix=f"install it in PocketCLIP's folder with: {extra_command('eval')}",
        ) from error
