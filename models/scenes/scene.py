"""Scenes as data: what is shown where, sampled from a seed, a split and an index.

Coordinates are fractions of the width and the height with the origin at the top left; radii are fractions
of the shorter side, so that a layout without overlap stays without overlap at any aspect ratio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeVar

import numpy as np

from pocketclip.models.errors import DatasetError, choices
from pocketclip.models.scenes.attributes import (
    COLOUR_RGB,
    GROUND_RGB,
    HELDOUT_PAIRS,
    MAX_COUNT,
    SEEN_PAIRS,
    Colour,
    Ground,
    GroundStyle,
    Pair,
    Position,
    Relation,
    Shape,
    Size,
    Texture,
    contrast,
)
from pocketclip.models.untrusted.numbers import MAX_SEED

T = TypeVar("T")

MARGIN: Final = 0.02
MIN_CONTRAST: Final = 190.0


class Split(StrEnum):
    """`train` and `validation` show the seen pairs, `heldout` shows only the pairs held out."""

    TRAIN = "train"
    VALIDATION = "validation"
    HELDOUT = "heldout"


class Stream(StrEnum):
    """The independent random streams of one sample."""

    SCENE = "scene"
    CAPTION = "caption"
    RENDER = "render"


class SceneKind(StrEnum):
    """What a scene is about, and with that what its caption may say."""

    SINGLE = "single"
    POSITION = "position"
    COUNT = "count"
    RELATION = "relation"


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One object: its looks, its centre `x`, `y` and its `radius` (that of the circle around it)."""

    shape: Shape
    colour: Colour
    size: Size
    texture: Texture
    x: float
    y: float
    radius: float

    @property
    def pair(self) -> Pair:
        """The colour and the shape, which together make the class."""
        return self.colour, self.shape


@dataclass(frozen=True, slots=True)
class Background:
    """What lies behind the objects."""

    ground: Ground
    style: GroundStyle


@dataclass(frozen=True, slots=True)
class Scene:
    """One to four objects on a background.

    `position` is set for scenes of kind POSITION only, `relation` (of the first object to the second)
    for those of kind RELATION only. Raises `DatasetError` where kind and content disagree.
    """

    kind: SceneKind
    objects: tuple[SceneObject, ...]
    background: Background
    position: Position | None = None
    relation: Relation | None = None

    def __post_init__(self) -> None:
        least, most = _OBJECT_COUNTS[self.kind]
        if not least <= len(self.objects) <= most:
            raise DatasetError(
                f"a {self.kind} scene cannot have {len(self.objects)} objects: "
                f"give it {least if least == most else f'{least} to {most}'}"
            )
        if (self.position is not None) != (self.kind is SceneKind.POSITION):
            raise DatasetError(
                f"a {self.kind} scene cannot have position {self.position}: "
                "set it for position scenes, and only for those"
            )
        if (self.relation is not None) != (self.kind is SceneKind.RELATION):
            raise DatasetError(
                f"a {self.kind} scene cannot have relation {self.relation}: "
                "set it for relation scenes, and only for those"
            )


_OBJECT_COUNTS: Final = {
    SceneKind.SINGLE: (1, 1),
    SceneKind.POSITION: (1, 1),
    SceneKind.COUNT: (2, MAX_COUNT),
    SceneKind.RELATION: (2, 2),
}

_SPLIT_NUMBER: Final = {split: number for number, split in enumerate(Split)}
_STREAM_NUMBER: Final = {stream: number for number, stream in enumerate(Stream)}

_SEEN_KINDS: Final = (
    (SceneKind.SINGLE, 0.40),
    (SceneKind.POSITION, 0.15),
    (SceneKind.COUNT, 0.20),
    (SceneKind.RELATION, 0.25),
)
_HELDOUT_KINDS: Final = ((SceneKind.SINGLE, 0.6), (SceneKind.POSITION, 0.4))
_TEXTURES: Final = (
    (Texture.PLAIN, 0.58),
    (Texture.STRIPED, 0.14),
    (Texture.DOTTED, 0.14),
    (Texture.CHECKERED, 0.14),
)

# The radii that fit each layout; all lie within RADIUS_RANGE.
_SMALL: Final = (0.125, 0.15)
_LARGE_SINGLE: Final = (0.24, 0.38)
_LARGE_SHARED: Final = (0.19, 0.215)
_OUTER: Final = (0.33, 0.39)
_INNER_TO_OUTER: Final = 0.38

# Shapes with room for an object in their middle.
_OUTER_SHAPES: Final = frozenset({Shape.CIRCLE, Shape.SQUARE, Shape.HEXAGON, Shape.RING})

_POSITION_CENTRE: Final = {
    Position.LEFT: (0.25, 0.5),
    Position.RIGHT: (0.75, 0.5),
    Position.TOP: (0.5, 0.25),
    Position.BOTTOM: (0.5, 0.75),
    Position.CENTER: (0.5, 0.5),
    Position.TOP_LEFT: (0.25, 0.25),
    Position.TOP_RIGHT: (0.75, 0.25),
    Position.BOTTOM_LEFT: (0.25, 0.75),
    Position.BOTTOM_RIGHT: (0.75, 0.75),
}


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def pick_weighted(rng: np.random.Generator, options: Sequence[tuple[T, float]]) -> T:
    """One of the options by their weights, which add up to 1."""
    left = rng.random()
    for option, weight in options:
        left -= weight
        if left < 0:
            return option
    return options[-1][0]


def parse_split(split: str) -> Split:
    """The split of that name; `DatasetError` where there is none."""
    try:
        return Split(split)
    except ValueError:
        raise DatasetError(f"unknown split {split!r}: choose one of {choices(Split)}") from None


def sample_rng(seed: int, split: Split, index: int, stream: Stream) -> np.random.Generator:
    """The generator of one stream of one sample, independent of all others.

    Raises `DatasetError` for a seed or an index outside 0..2**32-1: each must fill exactly one word of the
    key, or two samples could share a generator.
    """
    for name, value in (("seed", seed), ("index", index)):
        if not 0 <= value <= MAX_SEED:
            raise DatasetError(f"{name} {value} is out of range: choose one of 0..{MAX_SEED}")
    return np.random.default_rng([seed, _SPLIT_NUMBER[split], index, _STREAM_NUMBER[stream]])


def sample_scene(seed: int, index: int, split: str = Split.TRAIN) -> Scene:
    """The scene number `index` of a split: always the same one for the same arguments.

    The held-out split goes through its pairs in turn, so that any run of `len(HELDOUT_PAIRS)` indices
    shows each once. Raises `DatasetError` for an unknown split, seed or index.
    """
    split = parse_split(split)
    rng = sample_rng(seed, split, index, Stream.SCENE)
    if split is Split.HELDOUT:
        pair = HELDOUT_PAIRS[index % len(HELDOUT_PAIRS)]
        kind = pick_weighted(rng, _HELDOUT_KINDS)
    else:
        pair = pick(rng, SEEN_PAIRS)
        kind = pick_weighted(rng, _SEEN_KINDS)
    match kind:
        case SceneKind.SINGLE:
            return _single_scene(rng, pair)
        case SceneKind.POSITION:
            return _position_scene(rng, pair)
        case SceneKind.COUNT:
            return _count_scene(rng, pair)
        case SceneKind.RELATION:
            return _relation_scene(rng, pair)


def _single_scene(rng: np.random.Generator, pair: Pair) -> Scene:
    item = _unplaced(rng, pair, _LARGE_SINGLE)
    reach = 0.5 - MARGIN - item.radius
    x, y = rng.uniform(0.5 - reach, 0.5 + reach, size=2).tolist()
    return Scene(SceneKind.SINGLE, (replace(item, x=x, y=y),), _background(rng, item.colour))


def _position_scene(rng: np.random.Generator, pair: Pair) -> Scene:
    position = pick(rng, tuple(Position))
    item = _unplaced(rng, pair, _LARGE_SHARED)
    dx, dy = rng.uniform(-0.03, 0.03, size=2).tolist()
    x, y = _POSITION_CENTRE[position]
    placed = replace(item, x=x + dx, y=y + dy)
    return Scene(SceneKind.POSITION, (placed,), _background(rng, item.colour), position=position)


def _count_scene(rng: np.random.Generator, pair: Pair) -> Scene:
    """Equal objects in cells of a grid drawn without repetition, so that none touch."""
    item = _unplaced(rng, pair, _LARGE_SHARED)
    count = int(rng.integers(2, MAX_COUNT + 1))
    side = 3 if item.size is Size.SMALL else 2
    slack = max(0.0, 0.5 / side - item.radius - 0.01)
    objects: list[SceneObject] = []
    for cell in rng.permutation(side * side)[:count].tolist():
        row, column = divmod(cell, side)
        dx, dy = rng.uniform(-slack, slack, size=2).tolist()
        objects.append(replace(item, x=(column + 0.5) / side + dx, y=(row + 0.5) / side + dy))
    return Scene(SceneKind.COUNT, tuple(objects), _background(rng, item.colour))


def _relation_scene(rng: np.random.Generator, pair: Pair) -> Scene:
    relation = pick(rng, tuple(Relation))
    if relation in (Relation.INSIDE, Relation.AROUND):
        inner, outer = _nested(rng, pair)
        objects = (inner, outer) if relation is Relation.INSIDE else (outer, inner)
        return Scene(SceneKind.RELATION, objects, _background(rng, outer.colour), relation=relation)
    first = _unplaced(rng, pair, _LARGE_SHARED)
    second = _unplaced(rng, _other_pair(rng, pair), _LARGE_SHARED)
    objects = _side_by_side(rng, first, second, relation)
    background = _background(rng, first.colour, second.colour)
    return Scene(SceneKind.RELATION, objects, background, relation=relation)


def _other_pair(rng: np.random.Generator, pair: Pair) -> Pair:
    """A seen pair that differs; half the time in one attribute only, so that binding has to be learnt."""
    near = tuple(other for other in SEEN_PAIRS if (other[0] is pair[0]) != (other[1] is pair[1]))
    far = tuple(other for other in SEEN_PAIRS if other[0] is not pair[0] and other[1] is not pair[1])
    return pick(rng, near if rng.random() < 0.5 else far)


def _side_by_side(
    rng: np.random.Generator, first: SceneObject, second: SceneObject, relation: Relation
) -> tuple[SceneObject, SceneObject]:
    """Places two objects apart along the relation's axis and close to level across it."""
    swapped = relation in (Relation.RIGHT_OF, Relation.BELOW)
    near, far = (second, first) if swapped else (first, second)
    room = 1 - 2 * MARGIN - near.radius - far.radius
    distance = rng.uniform(near.radius + far.radius + 0.03, room)
    start = rng.uniform(MARGIN + near.radius, MARGIN + near.radius + room - distance)
    largest = max(near.radius, far.radius)
    level = rng.uniform(MARGIN + largest, 1 - MARGIN - largest)
    # Off level by at most 0.3 of the distance, so that only one relation is true of the two.
    reach = min(0.3 * distance, level - MARGIN - largest, 1 - MARGIN - largest - level)
    across = level + rng.uniform(-reach, reach)
    if relation in (Relation.LEFT_OF, Relation.RIGHT_OF):
        near, far = replace(near, x=start, y=level), replace(far, x=start + distance, y=across)
    else:
        near, far = replace(near, x=level, y=start), replace(far, x=across, y=start + distance)
    return (far, near) if swapped else (near, far)


def _nested(rng: np.random.Generator, pair: Pair) -> tuple[SceneObject, SceneObject]:
    """A small object in the middle of a large plain one that it stands out from."""
    hosts = tuple(
        other
        for other in SEEN_PAIRS
        if other[1] in _OUTER_SHAPES and contrast(COLOUR_RGB[other[0]], COLOUR_RGB[pair[0]]) >= MIN_CONTRAST
    )
    colour, shape = pick(rng, hosts)
    radius = rng.uniform(*_OUTER)
    reach = 0.5 - MARGIN - radius
    x, y = rng.uniform(0.5 - reach, 0.5 + reach, size=2).tolist()
    outer = SceneObject(shape, colour, Size.LARGE, Texture.PLAIN, x, y, radius)
    texture = pick_weighted(rng, _TEXTURES)
    inner = SceneObject(pair[1], pair[0], Size.SMALL, texture, x, y, _INNER_TO_OUTER * radius)
    return inner, outer


def _unplaced(rng: np.random.Generator, pair: Pair, large: tuple[float, float]) -> SceneObject:
    """An object of random size and texture, at the image's centre until it is placed."""
    size = pick(rng, tuple(Size))
    radius = rng.uniform(*(_SMALL if size is Size.SMALL else large))
    return SceneObject(pair[1], pair[0], size, pick_weighted(rng, _TEXTURES), 0.5, 0.5, radius)


def _background(rng: np.random.Generator, *colours: Colour) -> Background:
    """A background that all the colours stand out from, or the best there is for them."""
    least = {ground: min(contrast(rgb, COLOUR_RGB[colour]) for colour in colours) for ground, rgb in GROUND_RGB.items()}
    clear = tuple(ground for ground, distance in least.items() if distance >= MIN_CONTRAST)
    ground = pick(rng, clear) if clear else max(least, key=least.__getitem__)
    return Background(ground, pick(rng, tuple(GroundStyle)))
