"""Image preprocessing, one implementation for training, evaluation, calibration and parity.

Upright sRGB (`models.pixels.upright_rgb`), resize of the shorter side, centre crop, values in [0, 1], then mean and
std: the arithmetic and rounding of torchvision's `Resize`, `CenterCrop` and `ToTensor`, with Pillow and numpy alone.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np
from PIL import Image

from pocketclip.models.documents import document
from pocketclip.models.errors import ConfigError
from pocketclip.models.pixels.images import decode_image, decoded, load_image
from pocketclip.models.pixels.resampling import resized_part
from pocketclip.models.pixels.upright_rgb import to_rgb

__all__ = [
    "Interpolation",
    "PreprocessSpec",
    "ResizeMode",
    "decode_image",
    "decoded",
    "load_image",
    "normalize",
    "preprocess",
    "preprocessor",
    "resize_and_crop",
    "to_rgb",
]


class Interpolation(StrEnum):
    """The resampling filter, antialiased."""

    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


class ResizeMode(StrEnum):
    """How an image that is no square becomes one: its centre, or the whole of it squeezed."""

    SHORTEST = "shortest"
    SQUASH = "squash"


# Far above every published CLIP: one image of it takes 200 MB as the model's input.
MOST_IMAGE_SIZE = 4096


@document
class PreprocessSpec:
    """How an image becomes the model's input: `(3, image_size, image_size)` float32, `(x / 255 - mean) / std`."""

    image_size: int
    resize_mode: ResizeMode = ResizeMode.SHORTEST
    interpolation: Interpolation = Interpolation.BILINEAR
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if not 1 <= self.image_size <= MOST_IMAGE_SIZE:
            raise ConfigError(f"image_size must lie in 1 to {MOST_IMAGE_SIZE} pixels, got {self.image_size}")
        if min(self.std) <= 0:
            raise ConfigError(f"std must be positive in every channel, got {self.std}")


_FILTERS = {
    Interpolation.BILINEAR: Image.Resampling.BILINEAR,
    Interpolation.BICUBIC: Image.Resampling.BICUBIC,
}
# How much longer than wide an image is of which only a part is resized. Pillow is faster where the whole is small.
_NARROW = 4


def resize_and_crop(image: Image.Image, spec: PreprocessSpec) -> Image.Image:
    """Shorter side to `image_size`, then the centre `image_size` square; or both sides, by `resize_mode`.

    Takes memory for the image and the square, however narrow the image is.
    """
    size, resampling = spec.image_size, _FILTERS[spec.interpolation]
    if spec.resize_mode is ResizeMode.SQUASH:
        return image.resize((size, size), resampling)
    width, height = image.size
    # torchvision truncates the longer side and rounds the crop's corner half to even.
    scaled = (size, int(size * height / width)) if width <= height else (int(size * width / height), size)
    left = round((scaled[0] - size) / 2.0)
    top = round((scaled[1] - size) / 2.0)
    if max(scaled) > _NARROW * size:
        return resized_part(image, max(scaled), max(left, top), size, resampling)
    if scaled != image.size:
        image = image.resize(scaled, resampling)
    return image.crop((left, top, left + size, top + size))


def normalize(pixels: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    """`(..., H, W, 3)` uint8 pixels to `(..., 3, H, W)` float32 model input."""
    scaled = np.moveaxis(pixels, -1, -3).astype(np.float32) / np.float32(255)
    if spec.mean == (0.0, 0.0, 0.0) and spec.std == (1.0, 1.0, 1.0):
        return np.ascontiguousarray(scaled)
    mean = np.asarray(spec.mean, np.float32).reshape(3, 1, 1)
    std = np.asarray(spec.std, np.float32).reshape(3, 1, 1)
    return np.ascontiguousarray((scaled - mean) / std)


def preprocess(image: Image.Image, spec: PreprocessSpec) -> np.ndarray:
    """A PIL image of any mode and size to `(3, image_size, image_size)` float32."""
    return normalize(np.asarray(resize_and_crop(to_rgb(image), spec)), spec)


def preprocessor(spec: PreprocessSpec) -> Callable[[Image.Image], np.ndarray]:
    """`preprocess` with its spec bound."""
    return lambda image: preprocess(image, spec)
