"""Image preprocessing, one implementation for training, evaluation, calibration and parity.

Resize of the shorter side, centre crop, RGB in [0, 1], then mean and std: the arithmetic and rounding of
torchvision's `Resize`, `CenterCrop` and `ToTensor`, with Pillow and numpy alone.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from models.documents import document
from models.errors import ConfigError, ImageError


class Interpolation(StrEnum):
    """The resampling filter, antialiased."""

    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


class ResizeMode(StrEnum):
    """How an image that is no square becomes one: its centre, or the whole of it squeezed."""

    SHORTEST = "shortest"
    SQUASH = "squash"


@document
class PreprocessSpec:
    """How an image becomes the model's input: `(3, image_size, image_size)` float32, `(x / 255 - mean) / std`."""

    image_size: int
    resize_mode: ResizeMode = ResizeMode.SHORTEST
    interpolation: Interpolation = Interpolation.BILINEAR
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if self.image_size < 1:
            raise ConfigError(f"image_size must be at least 1 pixel, got {self.image_size}")
        if min(self.std) <= 0:
            raise ConfigError(f"std must be positive in every channel, got {self.std}")


_FILTERS = {
    Interpolation.BILINEAR: Image.Resampling.BILINEAR,
    Interpolation.BICUBIC: Image.Resampling.BICUBIC,
}


def load_image(path: Path) -> Image.Image:
    """Opens an image file as upright RGB.

    Raises:
        ImageError: the file is missing, no image, or truncated.
    """
    return _open_image(path, str(path))


def decode_image(content: bytes, name: str) -> Image.Image:
    """`load_image` for the bytes of a file; `name` says in messages where they came from."""
    return _open_image(io.BytesIO(content), name)


def _open_image(source: Path | io.BytesIO, name: str) -> Image.Image:
    try:
        with Image.open(source) as image:
            return to_rgb(image)
    except FileNotFoundError as error:
        raise ImageError(f"there is no file {name}") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is not an image that Pillow can read; use JPEG, PNG or WebP") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError(f"cannot decode {name}: {error}") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Turns the image as its EXIF orientation says and converts it to 8-bit RGB; transparency is dropped."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):
        # Pillow clips 16-bit greys at 255 when it converts them; scale them instead.
        upright = Image.fromarray((np.asarray(upright, dtype=np.uint32) >> 8).astype(np.uint8))
    return upright.convert("RGB")


def resize_and_crop(image: Image.Image, spec: PreprocessSpec) -> Image.Image:
    """Shorter side to `image_size`, then the centre `image_size` square; or both sides, by `resize_mode`."""
    size = spec.image_size
    if spec.resize_mode is ResizeMode.SQUASH:
        return image.resize((size, size), _FILTERS[spec.interpolation])
    width, height = image.size
    # torchvision truncates the longer side and rounds the crop's corner half to even.
    scaled = (size, int(size * height / width)) if width <= height else (int(size * width / height), size)
    if scaled != image.size:
        image = image.resize(scaled, _FILTERS[spec.interpolation])
    left = round((scaled[0] - size) / 2.0)
    top = round((scaled[1] - size) / 2.0)
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
