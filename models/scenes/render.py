"""Draws a scene with Pillow: supersampled twofold, with jitter of colour, angle and scale, and mild noise."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pocketclip.models.errors import DatasetError
from pocketclip.models.scenes.attributes import COLOUR_RGB, GROUND_RGB, RGB, GroundStyle, Shape, Texture
from pocketclip.models.scenes.scene import Background, Scene, SceneObject

MIN_SIDE: Final = 16
MAX_SIDE: Final = 1024
SUPERSAMPLING: Final = 2

MAX_ANGLE: Final = 12.0
"""Degrees; well under the 45 that would turn a square onto its corner and a cross into an x."""
MAX_SCALE: Final = 0.05
MAX_HUE: Final = 5 / 360
MAX_BRIGHTNESS: Final = 0.08

PERIOD: Final = {Texture.PLAIN: 1.0, Texture.STRIPED: 0.52, Texture.DOTTED: 0.6, Texture.CHECKERED: 0.36}
"""Repeat of a pattern as a fraction of the object's radius."""

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outline:
    """Corner points (N, 2) in the unit circle, y down, and those of its hole."""

    edge: Points
    hole: Points | None = None


def parse_size(size: int | tuple[int, int]) -> tuple[int, int]:
    """Width and height in pixels; one number stands for a square.

    Raises `DatasetError` for a side outside `MIN_SIDE`..`MAX_SIDE`.
    """
    width, height = (size, size) if isinstance(size, int) else size
    for name, side in (("width", width), ("height", height)):
        if not MIN_SIDE <= side <= MAX_SIDE:
            raise DatasetError(f"image {name} {side} is out of range: choose one of {MIN_SIDE}..{MAX_SIDE} px")
    return width, height


def render(scene: Scene, size: int | tuple[int, int] = 128, *, seed: int | Sequence[int]) -> Image.Image:
    """The scene as an RGB image of `size` pixels, a side or (width, height).

    `seed` (one or several numbers from 0 up) decides all jitter: the same arguments give the same pixels.
    Raises `DatasetError` for a size out of range.
    """
    return render_with(scene, size, np.random.default_rng(seed))


def render_with(scene: Scene, size: int | tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """As `render`, with the jitter drawn from a generator, which moves on."""
    width, height = parse_size(size)
    exposure = 1 + rng.uniform(-MAX_BRIGHTNESS, MAX_BRIGHTNESS) / 2
    canvas = _draw_background(scene.background, (width, height), exposure, rng)
    angle = rng.uniform(-MAX_ANGLE, MAX_ANGLE)
    # Large before small: an object that lies around another must not cover it.
    for item in sorted(scene.objects, key=lambda item: -item.radius):
        _draw_object(canvas, item, angle + rng.uniform(-3, 3), exposure, rng)
    return _add_noise(canvas.reduce(SUPERSAMPLING), rng.uniform(0.5, 4.0), rng)


def _draw_background(
    background: Background, size: tuple[int, int], exposure: float, rng: np.random.Generator
) -> Image.Image:
    width, height = size
    canvas_size = (width * SUPERSAMPLING, height * SUPERSAMPLING)
    colour = _jittered(GROUND_RGB[background.ground], exposure, rng)
    match background.style:
        case GroundStyle.PLAIN:
            return Image.new("RGB", canvas_size, colour)
        case GroundStyle.GRADIENT:
            corners = np.array(colour) + rng.uniform(-26, 26, size=(2, 2, 1))
            return _image(corners).resize(canvas_size, Image.Resampling.BILINEAR)
        case GroundStyle.NOISE:
            grain = rng.standard_normal((height, width, 1), dtype=np.float32) * 9
            return _image(grain + np.array(colour, dtype=np.float32)).resize(canvas_size, Image.Resampling.NEAREST)


def _draw_object(
    canvas: Image.Image, item: SceneObject, angle: float, exposure: float, rng: np.random.Generator
) -> None:
    radius = item.radius * min(canvas.size) * (1 + rng.uniform(-MAX_SCALE, MAX_SCALE))
    side = ceil(2 * radius) + 2
    centre_x, centre_y = item.x * canvas.width, item.y * canvas.height
    left, top = int(centre_x - side / 2), int(centre_y - side / 2)
    mask = _mask(item.shape, side, (centre_x - left, centre_y - top), radius, angle)
    colour = _jittered(COLOUR_RGB[item.colour], exposure, rng)
    if item.texture is Texture.PLAIN:
        canvas.paste(colour, (left, top), mask)
        return
    patch = Image.new("RGB", (side, side), colour)
    patch.paste(_accent(colour, COLOUR_RGB[item.colour]), (0, 0), _pattern(item.texture, side, radius, rng))
    canvas.paste(patch, (left, top), mask)


def _mask(shape: Shape, side: int, centre: tuple[float, float], radius: float, angle: float) -> Image.Image:
    """The shape as a mask of `side` pixels, rotated by `angle` degrees around its centre."""
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    outline = OUTLINES[shape]
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    turn = radius * np.array([[cos, sin], [-sin, cos]])
    draw.polygon((outline.edge @ turn + centre).ravel().tolist(), fill=255)
    if outline.hole is not None:
        draw.polygon((outline.hole @ turn + centre).ravel().tolist(), fill=0)
    return mask


def _pattern(texture: Texture, side: int, radius: float, rng: np.random.Generator) -> Image.Image:
    """A mask of `side` pixels, set where the texture shows the accent instead of the colour.

    The period is tied to the radius, so that a small object shows as many repeats as a large one.
    """
    along = np.arange(side) / (PERIOD[texture] * radius)
    angle = rng.uniform(-0.2, 0.2) + np.pi / 4 * (rng.integers(4) if texture is Texture.STRIPED else 0)
    cos, sin, (shift_u, shift_v) = np.cos(angle), np.sin(angle), rng.random(2)
    u = cos * along[None, :] + sin * along[:, None] + shift_u
    v = cos * along[:, None] - sin * along[None, :] + shift_v
    match texture:
        case Texture.STRIPED:
            accented = u % 1 < 0.45
        case Texture.CHECKERED:
            accented = (np.floor(u) + np.floor(v)) % 2 < 1
        case Texture.DOTTED:
            accented = (u % 1 - 0.5) ** 2 + (v % 1 - 0.5) ** 2 < 0.09
        case Texture.PLAIN:
            accented = np.zeros((side, side), dtype=np.bool_)
    return Image.fromarray(accented.astype(np.uint8) * 255)


def _accent(colour: RGB, nominal: RGB) -> RGB:
    """The second colour of a texture: a tint of a dark colour, a shade of a light one.

    The nominal colour decides which, lest jitter gives equal objects of one scene different patterns.
    """
    red, green, blue = nominal
    light = 0.299 * red + 0.587 * green + 0.114 * blue >= 140
    red, green, blue = colour
    if light:
        return red * 9 // 20, green * 9 // 20, blue * 9 // 20
    return 255 - (255 - red) * 2 // 5, 255 - (255 - green) * 2 // 5, 255 - (255 - blue) * 2 // 5


def _jittered(colour: RGB, exposure: float, rng: np.random.Generator) -> RGB:
    """The colour in another light: its hue turned a little, its brightness changed."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    hue = (hue + rng.uniform(-MAX_HUE, MAX_HUE)) % 1
    value = min(1.0, value * exposure * (1 + rng.uniform(-MAX_BRIGHTNESS, MAX_BRIGHTNESS) / 2))
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _add_noise(image: Image.Image, sigma: float, rng: np.random.Generator) -> Image.Image:
    """The image with the noise of a camera's sensor, `sigma` in steps of 1/255."""
    pixels = np.asarray(image, dtype=np.float32)
    return _image(pixels + sigma * rng.standard_normal(pixels.shape, dtype=np.float32))


def _image(pixels: NDArray[np.floating]) -> Image.Image:
    """An RGB image of an array (H, W, 3) of 0..255, rounded and clipped."""
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def _polar(angles: Points, radii: Points | float = 1.0) -> Points:
    """Points (N, 2) at angles in radians, clockwise from the right as y points down."""
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _regular(corners: int, start: float = -90.0) -> Points:
    """A regular polygon, its first corner at `start` degrees."""
    return _polar(np.deg2rad(start + 360 / corners * np.arange(corners)))


def _centred(points: Points) -> Points:
    """The points moved and scaled to fill the unit circle around the middle of their bounding box."""
    moved = points - (points.min(axis=0) + points.max(axis=0)) / 2
    return moved / np.linalg.norm(moved, axis=1).max()


def _star() -> Points:
    return _centred(_polar(np.deg2rad(-90 + 36.0 * np.arange(10)), np.tile([1.0, 0.42], 5)))


def _cross() -> Points:
    arm, half = 1.0, 0.34
    quarter = np.array([[half, -half], [arm, -half], [arm, half]])
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    return _centred(np.concatenate([quarter @ np.linalg.matrix_power(turn, times) for times in range(4)]))


def _heart() -> Points:
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return _centred(np.stack([16 * np.sin(t) ** 3, -y], axis=1))


def _crescent() -> Points:
    """The unit circle less a smaller one moved to the right: both arcs run between where the two meet."""
    shift, bite = 0.5, 0.8
    meet_x = (1 - bite**2 + shift**2) / (2 * shift)
    outer_angle = np.arccos(meet_x)
    inner_angle = np.arccos((meet_x - shift) / bite)
    outer = _polar(np.linspace(outer_angle, 2 * np.pi - outer_angle, 32))
    inner = _polar(np.linspace(2 * np.pi - inner_angle, inner_angle, 24), bite) + np.array([shift, 0.0])
    return _centred(np.concatenate([outer, inner]))


OUTLINES: Final[dict[Shape, Outline]] = {
    Shape.CIRCLE: Outline(_regular(48)),
    Shape.SQUARE: Outline(_regular(4, start=45)),
    Shape.TRIANGLE: Outline(_centred(_regular(3))),
    Shape.STAR: Outline(_star()),
    Shape.CROSS: Outline(_cross()),
    Shape.RING: Outline(_regular(48), hole=0.58 * _regular(48)),
    Shape.HEART: Outline(_heart()),
    # Narrower than a turned square, so that no rotation makes the two alike.
    Shape.DIAMOND: Outline(_regular(4) * np.array([0.62, 1.0])),
    Shape.HEXAGON: Outline(_regular(6)),
    Shape.CRESCENT: Outline(_crescent()),
}
