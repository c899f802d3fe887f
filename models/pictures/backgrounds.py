"""What pictures are laid on: plain colours, gradients, clouds, stripes, checks, dots and noise, drawn by a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Colour = tuple[int, int, int]

_LEAST_CONTRAST = 40.0
_TRIES = 6
_NEAR_WHITE = 225


def background(rng: np.random.Generator, side: int, subject: NDArray[np.float64]) -> Image.Image:
    """A background of `side` x `side` pixels against which a subject of that mean colour (3,) can be seen."""
    kinds, weights = zip(*_KINDS, strict=True)
    image = Image.new("RGB", (side, side))
    for _ in range(_TRIES):
        image = kinds[rng.choice(len(kinds), p=weights)](rng, side)
        if np.abs(np.asarray(image.reduce(8)).mean((0, 1)) - subject).max() >= _LEAST_CONTRAST:
            break
    return image


def _colour(rng: np.random.Generator) -> Colour:
    red, green, blue = rng.integers(0, 256, 3)
    return int(red), int(green), int(blue)


def _near(rng: np.random.Generator, colour: Colour, reach: int) -> Colour:
    red, green, blue = np.clip(np.add(colour, rng.integers(-reach, reach + 1, 3)), 0, 255)
    return int(red), int(green), int(blue)


def _plain(rng: np.random.Generator, side: int) -> Image.Image:
    return Image.new("RGB", (side, side), _colour(rng))


def _pale(rng: np.random.Generator, side: int) -> Image.Image:
    level = int(rng.integers(_NEAR_WHITE, 256))
    return Image.new("RGB", (side, side), _near(rng, (level, level, level), 8))


def _gradient(rng: np.random.Generator, side: int) -> Image.Image:
    """Four colours in the corners."""
    first = _colour(rng)
    corners = np.array([first, *(_near(rng, first, 110) for _ in range(3))], np.uint8).reshape(2, 2, 3)
    return Image.fromarray(corners).resize((side, side), Image.Resampling.BILINEAR)


def _clouds(rng: np.random.Generator, side: int) -> Image.Image:
    """Soft shapes of two sizes."""
    first = _colour(rng)
    image = _soft(rng, side, int(rng.integers(3, 7)), first, 90)
    return Image.blend(image, _soft(rng, side, int(rng.integers(9, 24)), first, 90), float(rng.uniform(0.2, 0.5)))


def _soft(rng: np.random.Generator, side: int, cells: int, colour: Colour, reach: int) -> Image.Image:
    grid = np.clip(np.asarray(colour) + rng.integers(-reach, reach + 1, (cells, cells, 3)), 0, 255).astype(np.uint8)
    return Image.fromarray(grid).resize((side, side), Image.Resampling.BICUBIC)


def _noise(rng: np.random.Generator, side: int) -> Image.Image:
    return _soft(rng, side, side // int(rng.integers(1, 4)), _colour(rng), int(rng.integers(10, 60)))


def _stripes(rng: np.random.Generator, side: int) -> Image.Image:
    """Stripes across or down, or checks where both."""
    width = int(rng.integers(4, max(5, side // 4)))
    across, down = np.indices((side, side)) // width
    which = rng.integers(3)
    odd = (across if which == 0 else down if which == 1 else across + down) % 2
    first = _colour(rng)
    return Image.fromarray(np.array([first, _near(rng, first, 70)], np.uint8)[odd])


def _dots(rng: np.random.Generator, side: int) -> Image.Image:
    pitch = int(rng.integers(8, max(9, side // 3)))
    down, across = np.indices((side, side)) % pitch - pitch // 2
    inside = (down * down + across * across < (pitch * rng.uniform(0.2, 0.4)) ** 2).astype(np.intp)
    first = _colour(rng)
    return Image.fromarray(np.array([first, _near(rng, first, 70)], np.uint8)[inside])


_KINDS: tuple[tuple[Callable[[np.random.Generator, int], Image.Image], float], ...] = (
    (_pale, 0.25),
    (_plain, 0.15),
    (_gradient, 0.15),
    (_clouds, 0.20),
    (_noise, 0.10),
    (_stripes, 0.08),
    (_dots, 0.07),
)
