"""A part of a resized image, without the rest: bit for bit what Pillow 13's `resize` and `crop` give.

Only for narrow images, whose longer side would become thousands of pixels long for a square of some hundred. The apps
have the same arithmetic for every image (`Resampling.kt`, `Resampling.swift`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_FRACTION_BITS = 22
_A = -0.5
_SUPPORT = {Image.Resampling.BILINEAR: 1.0, Image.Resampling.BICUBIC: 2.0}


@dataclass(frozen=True)
class _Weights:
    """Of each output: its first input, and the fixed-point weights of that and the following ones."""

    firsts: tuple[int, ...]
    weights: tuple[NDArray[np.int32], ...]

    @property
    def used(self) -> tuple[int, int]:
        """The first input that any output needs, and the first after the last."""
        return self.firsts[0], self.firsts[-1] + len(self.weights[-1])


def resized_part(image: Image.Image, length: int, start: int, size: int, resampling: Image.Resampling) -> Image.Image:
    """Resizes the shorter side to `size` and the longer one to `length`, and cuts out its places from `start` on.

    Args:
        image: RGB.
        length: the longer side afterwards.
        start: where the square begins.
        size: the side of the square, `start + size <= length`.
        resampling: bilinear or bicubic.

    Returns:
        `size` by `size` pixels.
    """
    upright = image.height >= image.width
    longer = max(image.size)
    weights = _weights(longer, length, start, size, resampling)
    first, last = weights.used
    part = image.crop((0, first, image.width, last) if upright else (first, 0, last, image.height))
    whole = (size, length) if upright else (length, size)
    if _begins_vertically(image.size, whole) == upright:
        return _across(_along(part, weights, upright), size, upright, resampling)
    return _along(_across(part, size, upright, resampling), weights, upright)


def _begins_vertically(stored: tuple[int, int], wanted: tuple[int, int]) -> bool:
    """Pillow's order of the two passes, which decides about the last bit."""
    shrinks = stored[1] - wanted[1]
    return shrinks > 0 and shrinks > (stored[0] - wanted[0]) * 2


def _across(image: Image.Image, size: int, upright: bool, resampling: Image.Resampling) -> Image.Image:
    """The shorter side to `size`, the longer one as it is: one of Pillow's passes."""
    return image.resize((size, image.height) if upright else (image.width, size), resampling)


def _along(image: Image.Image, weights: _Weights, upright: bool) -> Image.Image:
    """The longer side's outputs, from an image that begins with the first input that they need."""
    pixels = np.asarray(image) if upright else np.asarray(image).swapaxes(0, 1)
    origin = weights.firsts[0]
    made = np.empty((len(weights.firsts), *pixels.shape[1:]), np.uint8)
    for place, (first, factors) in enumerate(zip(weights.firsts, weights.weights, strict=True)):
        inputs = pixels[first - origin : first - origin + len(factors)].astype(np.int32)
        total = np.tensordot(factors, inputs, axes=1) + (1 << (_FRACTION_BITS - 1))
        made[place] = np.clip(total >> _FRACTION_BITS, 0, 255)
    return Image.fromarray(np.ascontiguousarray(made if upright else made.swapaxes(0, 1)))


def _weights(inputs: int, outputs: int, start: int, count: int, resampling: Image.Resampling) -> _Weights:
    if inputs == outputs:
        # Pillow leaves a side alone that keeps its length.
        return _Weights(tuple(range(start, start + count)), (np.array([1 << _FRACTION_BITS], np.int32),) * count)
    scale = inputs / outputs
    widened = max(scale, 1.0)
    support = _SUPPORT[resampling] * widened
    firsts: list[int] = []
    weights: list[NDArray[np.int32]] = []
    for place in range(start, start + count):
        centre = (place + 0.5) * scale
        first = max(0, int(centre - support + 0.5))
        end = min(inputs, int(centre + support + 0.5))
        distances = (np.arange(first, end, dtype=np.float64) - centre + 0.5) * (1 / widened)
        exact = _filter(distances, resampling)
        # Summed up one after the other, as Pillow does.
        total = float(np.cumsum(exact)[-1])
        fixed = (exact / total if total else exact) * float(1 << _FRACTION_BITS)
        firsts.append(first)
        weights.append(np.where(fixed < 0, fixed - 0.5, fixed + 0.5).astype(np.int32))
    return _Weights(tuple(firsts), tuple(weights))


def _filter(distances: NDArray[np.float64], resampling: Image.Resampling) -> NDArray[np.float64]:
    x = np.abs(distances)
    if resampling is Image.Resampling.BILINEAR:
        return np.where(x < 1, 1 - x, 0.0)
    near = ((_A + 2) * x - (_A + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * _A
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
