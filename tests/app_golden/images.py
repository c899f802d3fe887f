"""Fifty small RGB images of odd sizes, and what preprocessing makes of them."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from pocketclip.export.artifact.manifest import TensorSpec
from pocketclip.export.bundle.image_input import image_input
from pocketclip.models.pixels.preprocess import Interpolation, PreprocessSpec, ResizeMode, resize_and_crop

_SEED = 3
_ORIENTATION_TAG = 0x0112
_OPENAI_MEAN, _OPENAI_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

# (width, height): single pixels, lines, sides just around a model's, wide and narrow, odd.
SIZES = (
    (1, 1), (1, 2), (2, 1), (2, 2), (1, 37), (37, 1), (300, 1), (1, 300), (3, 200), (200, 3),
    (2, 299), (5, 7), (7, 5), (9, 9), (11, 40), (40, 11), (13, 17), (15, 16), (16, 15), (16, 16),
    (17, 16), (19, 23), (23, 24), (24, 24), (25, 24), (24, 31), (31, 31), (31, 33), (32, 32), (33, 31),
    (47, 48), (48, 48), (49, 63), (63, 64), (64, 64), (65, 64), (64, 97), (97, 41), (41, 97), (101, 67),
    (67, 101), (127, 32), (32, 129), (150, 20), (20, 151), (111, 77), (77, 111), (255, 16), (16, 257), (120, 90),
)  # fmt: skip


@dataclass(frozen=True)
class StoredImage:
    """An image as a file would hold it, and EXIF's orientation, 1 to 8."""

    name: str
    orientation: int
    stored: Image.Image

    @property
    def upright(self) -> Image.Image:
        """The image as Pillow turns it."""
        marked = self.stored.copy()
        marked.getexif()[_ORIENTATION_TAG] = self.orientation
        turned = ImageOps.exif_transpose(marked)
        turned.info.pop("exif", None)
        return turned


def images() -> list[StoredImage]:
    """The images, the same on every call; three of four stand upright as they are stored."""
    generator = np.random.default_rng(_SEED)
    made = []
    for place, (width, height) in enumerate(SIZES):
        orientation = place // 4 % 8 + 1 if place % 4 == 3 else 1
        pixels = _pixels(generator, width, height, place)
        made.append(StoredImage(f"{place:02d}_{width}x{height}", orientation, Image.fromarray(pixels)))
    return made


def _pixels(generator: np.random.Generator, width: int, height: int, place: int) -> np.ndarray:
    """Noise for every third image, where a filter's every weight shows; else soft waves with hard edges on them."""
    noise = generator.integers(0, 256, (height, width, 3), np.uint8)
    if place % 3 == 0:
        return noise
    rows, columns = np.mgrid[0:height, 0:width]
    phases = generator.uniform(0, 6.28, 3)
    waves = np.stack([np.sin(columns / 9 + rows / 13 * (c + 1) + phases[c]) for c in range(3)], -1)
    pixels = np.clip(128 + 110 * waves, 0, 255).astype(np.uint8)
    edges = (columns + 2 * rows) % 23 < 6
    pixels[edges] = generator.integers(0, 256, 3, np.uint8)
    return pixels


# By name: every mode and filter, up and down, and a size beside the usual ones.
SPECS: dict[str, PreprocessSpec] = {
    "shortest_bilinear": PreprocessSpec(24, ResizeMode.SHORTEST, Interpolation.BILINEAR),
    "shortest_bicubic": PreprocessSpec(17, ResizeMode.SHORTEST, Interpolation.BICUBIC),
    "squash_bilinear": PreprocessSpec(16, ResizeMode.SQUASH, Interpolation.BILINEAR),
    "squash_bicubic": PreprocessSpec(31, ResizeMode.SQUASH, Interpolation.BICUBIC, _OPENAI_MEAN, _OPENAI_STD),
}


def resized(image: Image.Image, spec: PreprocessSpec) -> np.ndarray:
    """(S, S, 3) uint8 of an upright image."""
    return np.asarray(resize_and_crop(image, spec))


def tensor_specs(spec: PreprocessSpec) -> list[TensorSpec]:
    """Every form of input that a tower may take."""
    size = spec.image_size
    low = min((0 - mean) / std for mean, std in zip(spec.mean, spec.std, strict=True))
    high = max((1 - mean) / std for mean, std in zip(spec.mean, spec.std, strict=True))
    shapes = {"NCHW": (1, 3, size, size), "NHWC": (1, size, size, 3)}
    return [
        TensorSpec("image", shape, dtype, layout, *((0.0, 255.0) if dtype == "uint8" else (low, high)))
        for layout, shape in shapes.items()
        for dtype in ("float32", "uint8")
    ]


def tower_input(image: Image.Image, spec: PreprocessSpec, tensor: TensorSpec) -> np.ndarray:
    """What the tower takes."""
    return image_input(image, spec, tensor)


def orientation_files() -> list[dict[str, object]]:
    """Tiny image files of each kind and orientation, and some without EXIF, as base64."""
    picture = Image.fromarray(np.arange(36, dtype=np.uint8).reshape(3, 4, 3) * 7)
    made: list[dict[str, object]] = []
    for kind, options in (("jpeg", {"quality": 90}), ("png", {}), ("webp", {"lossless": True})):
        for orientation in (None, *range(1, 9)):
            exif = Image.Exif()
            exif[0x010F] = "PocketCLIP"
            if orientation is not None:
                exif[_ORIENTATION_TAG] = orientation
            target = io.BytesIO()
            picture.save(target, kind, exif=exif.tobytes(), **options)
            content = base64.b64encode(target.getvalue()).decode()
            made.append({"kind": kind, "orientation": orientation, "file": content})
    return made
