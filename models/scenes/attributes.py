"""What a scene is made of: shapes, colours, sizes, textures, positions, relations and grounds.

The value of every member is the word a caption uses for it. The order of `Colour` and `Shape` decides
which pairs are held out of training, so new members go at the end and change that set.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import product
from types import MappingProxyType
from typing import Final

RGB = tuple[int, int, int]
"""Red, green and blue, each 0..255 in sRGB."""


class Shape(StrEnum):
    """The outline of an object; `models.scenes.render` draws one per member."""

    CIRCLE = "circle"
    SQUARE = "square"
    TRIANGLE = "triangle"
    STAR = "star"
    CROSS = "cross"
    RING = "ring"
    HEART = "heart"
    DIAMOND = "diamond"
    HEXAGON = "hexagon"
    CRESCENT = "crescent"


class Colour(StrEnum):
    """The colour of an object; `COLOUR_RGB` gives its value."""

    RED = "red"
    GREEN = "green"
    BLUE = "blue"
    YELLOW = "yellow"
    ORANGE = "orange"
    PURPLE = "purple"
    PINK = "pink"
    BROWN = "brown"
    CYAN = "cyan"
    WHITE = "white"
    BLACK = "black"
    GREY = "grey"


class Size(StrEnum):
    """How large an object is: its radius against the shorter side, see `RADIUS_RANGE`."""

    SMALL = "small"
    LARGE = "large"


class Texture(StrEnum):
    """The pattern an object is filled with, its colour against a tint or shade of it."""

    PLAIN = "plain"
    STRIPED = "striped"
    DOTTED = "dotted"
    CHECKERED = "checkered"


class Position(StrEnum):
    """Where a lone object lies in the image."""

    LEFT = "left"
    RIGHT = "right"
    TOP = "top"
    BOTTOM = "bottom"
    CENTER = "center"
    TOP_LEFT = "top left"
    TOP_RIGHT = "top right"
    BOTTOM_LEFT = "bottom left"
    BOTTOM_RIGHT = "bottom right"


class Relation(StrEnum):
    """How the first of two objects lies to the second."""

    LEFT_OF = "left of"
    RIGHT_OF = "right of"
    ABOVE = "above"
    BELOW = "below"
    INSIDE = "inside"
    AROUND = "around"

    @property
    def inverse(self) -> Relation:
        """How the second object lies to the first."""
        return _INVERSE[self]


class Ground(StrEnum):
    """The colour of the background; `GROUND_RGB` gives its value."""

    WHITE = "white"
    BLACK = "black"
    GREY = "grey"
    LIGHT_BLUE = "light blue"
    DARK_BLUE = "dark blue"
    LIGHT_GREEN = "light green"
    DARK_GREEN = "dark green"
    LIGHT_PINK = "light pink"
    DARK_RED = "dark red"
    LIGHT_YELLOW = "light yellow"


class GroundStyle(StrEnum):
    """How the background is filled; captions do not speak of it."""

    PLAIN = "plain"
    GRADIENT = "gradient"
    NOISE = "noise"


_INVERSE: Final = MappingProxyType(
    {
        Relation.LEFT_OF: Relation.RIGHT_OF,
        Relation.RIGHT_OF: Relation.LEFT_OF,
        Relation.ABOVE: Relation.BELOW,
        Relation.BELOW: Relation.ABOVE,
        Relation.INSIDE: Relation.AROUND,
        Relation.AROUND: Relation.INSIDE,
    }
)

COLOUR_RGB: Final = MappingProxyType[Colour, RGB](
    {
        Colour.RED: (216, 28, 34),
        Colour.GREEN: (34, 150, 52),
        Colour.BLUE: (28, 84, 222),
        Colour.YELLOW: (250, 226, 36),
        Colour.ORANGE: (246, 124, 12),
        Colour.PURPLE: (140, 40, 168),
        Colour.PINK: (250, 142, 190),
        Colour.BROWN: (116, 66, 28),
        Colour.CYAN: (28, 204, 216),
        Colour.WHITE: (248, 248, 248),
        Colour.BLACK: (16, 16, 16),
        Colour.GREY: (132, 132, 132),
    }
)

GROUND_RGB: Final = MappingProxyType[Ground, RGB](
    {
        Ground.WHITE: (246, 246, 246),
        Ground.BLACK: (14, 14, 14),
        Ground.GREY: (126, 126, 126),
        Ground.LIGHT_BLUE: (172, 208, 240),
        Ground.DARK_BLUE: (18, 30, 84),
        Ground.LIGHT_GREEN: (182, 228, 180),
        Ground.DARK_GREEN: (16, 66, 34),
        Ground.LIGHT_PINK: (248, 210, 222),
        Ground.DARK_RED: (92, 16, 24),
        Ground.LIGHT_YELLOW: (250, 242, 186),
    }
)

DARK_GROUNDS: Final = frozenset({Ground.BLACK, Ground.DARK_BLUE, Ground.DARK_GREEN, Ground.DARK_RED})
LIGHT_GROUNDS: Final = frozenset(Ground) - DARK_GROUNDS - {Ground.GREY}

RADIUS_RANGE: Final = MappingProxyType[Size, tuple[float, float]]({Size.SMALL: (0.12, 0.155), Size.LARGE: (0.185, 0.4)})
"""Least and greatest radius of each size, as a fraction of the image's shorter side. The two do not meet,
so that the word holds whatever kind of scene the object is in."""

MAX_COUNT: Final = 4

Pair = tuple[Colour, Shape]

PAIRS: Final[tuple[Pair, ...]] = tuple(product(Colour, Shape))


def _is_heldout(pair: Pair) -> bool:
    """One pair in five, on diagonals: every colour loses two shapes, every shape two or three colours."""
    colour, shape = pair
    return (list(Colour).index(colour) + 3 * list(Shape).index(shape)) % 5 == 0


HELDOUT_PAIRS: Final = tuple(pair for pair in PAIRS if _is_heldout(pair))
"""The pairs that no training or validation scene shows, in the order of `PAIRS`."""

SEEN_PAIRS: Final = tuple(pair for pair in PAIRS if not _is_heldout(pair))


def contrast(first: RGB, second: RGB) -> float:
    """Distance of two colours as the eye weighs it, 0 (equal) to about 765 (black to white).

    The weights of red and blue slide with the mean red, which plain RGB distance gets wrong for
    the yellow and pink ends.
    """
    red_mean = (first[0] + second[0]) / 2
    red, green, blue = (float(a - b) for a, b in zip(first, second, strict=True))
    weighted = (2 + red_mean / 256) * red**2 + 4 * green**2 + (2 + (255 - red_mean) / 256) * blue**2
    return weighted**0.5
