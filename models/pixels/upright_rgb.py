"""From any image that Pillow decodes to upright 8-bit sRGB over white; docs/bundles.md says the steps.

The apps' decoders follow the same rule, so that a picture means the same on every device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pocketclip.models.errors import ImageError
from pocketclip.models.pixels.colour_profiles import transform_to_srgb
from pocketclip.models.pixels.exif import turn_upright

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

_WHITE = (255, 255, 255)
# What a profile of RGB can be about. Greys, CMYK and others are converted by Pillow's formulas.
_RGB_MODES = frozenset({"RGB", "RGBA", "RGBa", "RGBX", "P", "PA"})
# Pixels that are converted at a time, so that the steps between need little memory.
_BAND_PIXELS = 4_000_000
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
_BITS_PER_SAMPLE = 258
_SIXTEEN_BITS = 65535


def to_rgb(image: Image.Image, name: str = "the image") -> Image.Image:
    """Turns upright, converts to sRGB by an embedded profile, and puts the image over white.

    The image is left as it is; it is returned itself where nothing is to do. `name` is for messages.

    Raises:
        ImageError: whole or floating-point numbers without an agreed white.
    """
    image = turn_upright(_eight_bits(image, name))
    profile = image.info.get("icc_profile") if image.mode in _RGB_MODES else None
    transform = transform_to_srgb(profile, name) if isinstance(profile, bytes) and profile else None
    transparent = image.has_transparency_data
    if transform is None and not transparent:
        return image if image.mode == "RGB" else image.convert("RGB")
    made = Image.new("RGB", image.size)
    for box in _bands(image.size):
        made.paste(_flat(image.crop(box), transform, transparent), box[:2])
    return made


def _bands(size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    width, height = size
    rows = max(1, _BAND_PIXELS // width)
    for top in range(0, height, rows):
        yield 0, top, width, min(top + rows, height)


def _flat(image: Image.Image, transform: ImageCmsTransform | None, transparent: bool) -> Image.Image:
    """Over white: `round((a c + (255 - a) 255) / 255)` for a colour c in sRGB and its opacity a, both 0 to 255."""
    from PIL import ImageCms

    full = image.convert("RGBA") if transparent else image
    colours = full.convert("RGB")
    if transform is not None:
        colours = ImageCms.applyTransform(colours, transform)
        assert colours is not None
    if not transparent:
        return colours
    white = Image.new("RGB", image.size, _WHITE)
    # Pillow's paste rounds to the nearest.
    white.paste(colours, mask=full.getchannel("A"))
    return white


def _banded(image: Image.Image, eight_bits: Callable[[np.ndarray], np.ndarray]) -> Image.Image:
    """An 8-bit grey image of the values of one channel."""
    made = Image.new("L", image.size)
    for box in _bands(image.size):
        made.paste(Image.fromarray(eight_bits(np.asarray(image.crop(box))).astype(np.uint8)), box[:2])
    return made


def _extremes(image: Image.Image) -> tuple[float, float]:
    """The least and greatest value of one channel; not a number where one value is none."""
    bands = [np.asarray(image.crop(box)) for box in _bands(image.size)]
    return float(np.min([band.min() for band in bands])), float(np.max([band.max() for band in bands]))


def _eight_bits(image: Image.Image, name: str) -> Image.Image:
    """Greys of more than 8 bits as 8-bit greys: the upper eight bits; other images as they are."""
    mode = image.mode
    tags = getattr(image, "tag_v2", None)
    # Pillow converts these by clipping at 255, which makes nearly all of them white.
    if mode.startswith("I;16"):
        bits = next(iter(tags.get(_BITS_PER_SAMPLE, (16,))), 16) if tags is not None else 16
        greys = _banded(image, lambda values: (values.astype(np.uint32) << (16 - bits) >> 8).clip(max=255))
        hidden = image.info.get("transparency")
        if isinstance(hidden, int):
            greys = Image.merge("LA", (greys, _banded(image, lambda values: np.where(values == hidden, 0, 255))))
    elif mode == "I":
        low, high = _extremes(image)
        if tags is not None or not 0 <= low <= high <= _SIXTEEN_BITS:
            raise ImageError(
                (
                    f"{name} holds 32-bit whole numbers from {low:.0f} to {high:.0f}, and nothing says which value "
                    "is white"
                ),
                fix="save it with 8 or 16 bits a channel",
            )
        greys = _banded(image, lambda values: values >> 8)
    elif mode == "F":
        low, high = _extremes(image)
        if not 0 <= low <= high <= 1:
            raise ImageError(
                f"{name} holds floating-point numbers from {low:g} to {high:g}; only 0 (black) to 1 (white) is "
                "supported: scale it, or save it with 8 or 16 bits a channel"
            )
        greys = _banded(image, lambda values: np.rint(values * np.float32(255)))
    else:
        return image
    if tags is not None and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        greys = greys.point(lambda value: 255 - value)
    for kept in ("exif", "icc_profile"):
        if kept in image.info:
            greys.info[kept] = image.info[kept]
    return greys
