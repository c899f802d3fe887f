"""Lays a picture on a background: size, place, turn, light and grain drawn by a seed.

Colours keep their hue: labels name them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from pocketclip.models.pictures.backgrounds import background

_MOST, _LEAST = ImageFilter.MaxFilter(3), ImageFilter.MinFilter(3)
# Pixels at each side for contours around what is visible.
_CONTOUR_ROOM = 2
_WIDE_CONTOURS_FROM = 96


@dataclass(frozen=True)
class Variety:
    """How far compositions differ.

    Attributes:
        scale: least and most share of the side that the picture's longer side takes.
        degrees: the most it is turned to either side.
        light: the most that brightness, contrast and saturation change, as a share.
        grain: the share of compositions that are blurred, and of those that have grain.
        quality: least and most quality of the JPEG.
        inked: the share of pictures that are redrawn in flat colours with dark contours.
    """

    scale: tuple[float, float]
    degrees: float
    light: float
    grain: float
    quality: tuple[int, int]
    inked: float


TRAINING = Variety(scale=(0.5, 1.0), degrees=15.0, light=0.25, grain=0.15, quality=(75, 95), inked=0.35)
EVALUATION = Variety(scale=(0.7, 0.95), degrees=5.0, light=0.0, grain=0.0, quality=(92, 92), inked=0.0)


def composed(
    picture: Image.Image, rng: np.random.Generator, side: int, variety: Variety, *, mirrored: bool = False
) -> bytes:
    """A JPEG of `side` x `side` pixels that shows an RGBA picture on a background.

    Args:
        picture: cut to what is visible.
        rng: all that is drawn follows from it.
        side: pixels of both sides.
        variety: how far to vary.
        mirrored: whether half of the compositions may be mirrored: not where left and right mean something.
    """
    subject = _mean_colour(picture)
    ground = background(rng, side, subject)
    if mirrored and rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    degrees = float(rng.uniform(-variety.degrees, variety.degrees))
    if rng.random() < variety.inked:
        picture = inked(picture, rng)
    turned = picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    longest = side * float(rng.uniform(*variety.scale))
    factor = longest / max(turned.size)
    width, height = (max(1, min(side, round(length * factor))) for length in turned.size)
    laid = turned.resize((width, height), Image.Resampling.BICUBIC)
    place = (int(rng.integers(0, side - width + 1)), int(rng.integers(0, side - height + 1)))
    ground.paste(laid, place, laid)
    return _jpeg(_varied(ground, rng, variety), int(rng.integers(variety.quality[0], variety.quality[1] + 1)))


def inked(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The picture in few flat colours with dark contours, as many designs have them.

    Args:
        picture: RGBA.
        rng: draws the number of colours, what counts as a contour, its width and its darkness.
    """
    wide = ImageOps.expand(picture, _CONTOUR_ROOM, (0, 0, 0, 0))
    alpha = wide.getchannel("A")
    # What transparent pixels hide has colours too.
    mean = tuple(round(float(level)) for level in _mean_colour(picture))
    shown = Image.composite(wide.convert("RGB"), Image.new("RGB", wide.size, mean), alpha)
    flat = shown.quantize(int(rng.integers(4, 13)), Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    colours = flat.convert("RGB")
    # The difference of neighbours, in the colour that differs most or in what is visible.
    steps = (*colours.split(), alpha)
    contrast = np.max([np.asarray(step.filter(_MOST)) - np.asarray(step.filter(_LEAST)) for step in steps], axis=0)
    contours = Image.fromarray(np.where(contrast > rng.integers(40, 121), 255, 0).astype(np.uint8))
    if max(picture.size) >= _WIDE_CONTOURS_FROM and rng.random() < 0.5:
        contours = contours.filter(_MOST)
    colours.paste(tuple(int(level) for level in rng.integers(0, 50, 3)), (0, 0), contours)
    return Image.merge("RGBA", (*colours.split(), ImageChops.lighter(alpha, contours)))


def framed(picture: Image.Image, side: int) -> bytes | None:
    """A JPEG of a photograph's middle square; None for a cut-out, which is laid on a background."""
    if any(picture.getchannel("A").histogram()[:255]):
        return None
    whole = ImageOps.fit(picture.convert("RGB"), (side, side), Image.Resampling.BICUBIC)
    return _jpeg(whole, EVALUATION.quality[0])


def _mean_colour(picture: Image.Image) -> np.ndarray:
    pixels = np.asarray(picture, np.float64).reshape(-1, 4)
    weights = pixels[:, 3]
    return (pixels[:, :3] * weights[:, None]).sum(0) / max(1.0, weights.sum())


def _varied(image: Image.Image, rng: np.random.Generator, variety: Variety) -> Image.Image:
    if variety.light:
        for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            image = enhancer(image).enhance(float(rng.uniform(1 - variety.light, 1 + variety.light)))
    if rng.random() < variety.grain:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 1.0))))
    if rng.random() < variety.grain:
        grain = rng.normal(0.0, rng.uniform(3.0, 12.0), (image.height, image.width, 1))
        image = Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))
    return image


def _jpeg(image: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    # No subsampling: small pictures live by their colours.
    image.save(stream, "JPEG", quality=quality, subsampling=0)
    return stream.getvalue()
