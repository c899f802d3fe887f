"""From pixels to what an image tower takes: its layout, element type and range."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pocketclip.export.artifact.manifest import TensorSpec
from pocketclip.export.errors import BundleError
from pocketclip.models.pixels.preprocess import PreprocessSpec, normalize, resize_and_crop

# Of declared ranges: they were computed from mean and std in double precision.
_ROUNDING = 1e-4


def image_input(image: Image.Image, preprocess: PreprocessSpec, spec: TensorSpec) -> np.ndarray:
    """An upright RGB image as the tower's input of batch 1.

    Float inputs hold `(x / 255 - mean) / std`, inputs of bytes the pixels themselves.

    Raises:
        BundleError: as `check_image_input`.
    """
    check_image_input(preprocess, spec)
    pixels = np.asarray(resize_and_crop(image, preprocess))
    channels_first = np.moveaxis(pixels, -1, 0) if spec.dtype == "uint8" else normalize(pixels, preprocess)
    chosen = channels_first if spec.layout == "NCHW" else np.moveaxis(channels_first, 0, -1)
    return np.ascontiguousarray(chosen[None])


def step_sizes(preprocess: PreprocessSpec, spec: TensorSpec) -> np.ndarray:
    """What one step of an 8-bit pixel is in the tower's input, shaped so that it broadcasts over channels."""
    steps = np.ones(3) if spec.dtype == "uint8" else 1 / (255 * np.asarray(preprocess.std, np.float64))
    return steps.reshape((1, 3, 1, 1) if spec.layout == "NCHW" else (1, 1, 1, 3))


def check_image_input(preprocess: PreprocessSpec, spec: TensorSpec) -> None:
    """Refuses inputs that this preprocessing does not make.

    Raises:
        BundleError: the layout, type, shape or range is another one.
    """
    size = preprocess.image_size
    shapes = {"NCHW": (1, 3, size, size), "NHWC": (1, size, size, 3)}
    if spec.layout not in shapes or spec.dtype not in ("float32", "uint8"):
        raise BundleError(
            f"the image tower takes {spec.dtype} in layout {spec.layout}; "
            "bundles know float32 and uint8 in NCHW and NHWC"
        )
    if spec.shape != shapes[spec.layout]:
        raise BundleError(
            f"the image tower takes {list(spec.shape)}, its preprocessing makes {list(shapes[spec.layout])}",
            fix="export the image tower again",
        )
    low, high = _range(preprocess) if spec.dtype == "float32" else (0.0, 255.0)
    if abs(spec.minimum - low) > _ROUNDING or abs(spec.maximum - high) > _ROUNDING:
        raise BundleError(
            (
                f"the image tower takes values from {spec.minimum:g} to {spec.maximum:g}, its preprocessing makes "
                f"{low:g} to {high:g}"
            ),
            fix="export the image tower again",
        )


def _range(preprocess: PreprocessSpec) -> tuple[float, float]:
    channels = list(zip(preprocess.mean, preprocess.std, strict=True))
    return min((0 - mean) / std for mean, std in channels), max((1 - mean) / std for mean, std in channels)
