"""From an embedded ICC profile to sRGB, as Android's and iOS's decoders do when they are asked for sRGB."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

# A profile that moves no colour of this grid by more than one step is sRGB: its pictures stay as they are.
_GRID = 9
_SAME = 1
# No camera and no editor writes more; a table of this size takes LittleCMS a moment.
_MOST_BYTES = 16 * 1024 * 1024
# Of the header.
_COLOUR_SPACE = slice(16, 20)
_OTHERS = (b"GRAY", b"CMYK", b"Lab ", b"XYZ ")


@dataclass
class IgnoredProfiles:
    """How many images of this process had a profile that cannot be read, and what was wrong with the first.

    An image that is read again counts once.
    """

    first: str = ""
    _seen: set[int] = field(default_factory=set[int], repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def count(self) -> int:
        """How many images."""
        return len(self._seen)

    def add(self, name: str, profile: bytes, reason: str) -> None:
        """Counts one image."""
        with self._lock:
            self.first = self.first or f"{name}: {reason}"
            self._seen.add(hash((name, profile)))

    def __str__(self) -> str:
        """One line for a user."""
        return ignored_words(self.count, self.first)


def ignored_words(count: int, first: str | None) -> str:
    """What to tell a user of images whose profile was ignored."""
    return (
        f"{count} image{'' if count == 1 else 's'} with a colour profile that cannot be used, the first: {first}; "
        "its colours were read as sRGB"
    )


IGNORED = IgnoredProfiles()
"""Of this process."""

_NOTED: ContextVar[list[str] | None] = ContextVar("noted profiles", default=None)


def transform_to_srgb(profile: bytes, name: str) -> ImageCmsTransform | None:
    """What turns RGB pixels of an embedded profile into sRGB; None where nothing is to do.

    Nothing is to do for sRGB itself. A profile that cannot be read, or is not for RGB, counts in `IGNORED`,
    or in `noted_profiles` where that is under way.

    Args:
        profile: the ICC profile's bytes.
        name: the image, for the message.
    """
    reason = _judge(profile)
    if reason is None:
        return _transform(profile)
    if reason:
        noted = _NOTED.get()
        if noted is None:
            IGNORED.add(name, profile, reason)
        else:
            noted.append(reason)
    return None


@contextlib.contextmanager
def noted_profiles() -> Iterator[list[str]]:
    """Takes why profiles of images that this thread decodes meanwhile cannot be used, and counts them nowhere else:
    for whoever says and records it."""
    found: list[str] = []
    token = _NOTED.set(found)
    try:
        yield found
    finally:
        _NOTED.reset(token)


@functools.lru_cache(maxsize=64)
def _judge(profile: bytes) -> str | None:
    """None where colours are to be converted, nothing where they are sRGB, else why the profile cannot be used."""
    from PIL import ImageCms

    if len(profile) > _MOST_BYTES:
        return f"its {len(profile):,} bytes are more than {_MOST_BYTES:,}"
    space = profile[_COLOUR_SPACE]
    if space != b"RGB ":
        return f"it is for {space.decode().strip()} and not for RGB" if space in _OTHERS else "it is damaged"
    grid = np.linspace(0, 255, _GRID).round().astype(np.uint8)
    colours = np.array(list(itertools.product(grid, grid, grid)), np.uint8)[None]
    try:
        shown = ImageCms.applyTransform(Image.fromarray(colours), _transform(profile))
    except Exception as error:
        # LittleCMS's binding raises whatever it meets in a damaged profile.
        return f"{error or type(error).__name__}"
    moved = np.abs(np.asarray(shown).astype(np.int16) - colours).max()
    return "" if moved <= _SAME else None


def _transform(profile: bytes) -> ImageCmsTransform:
    from PIL import ImageCms

    # Made anew for each image: LittleCMS's transforms may not be shared between threads.
    return ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        "RGB",
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
