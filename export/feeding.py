"""From a preprocessed image to the array that an artefact's input declares."""

from __future__ import annotations

import numpy as np

from export.manifest import TensorSpec


def image_input(image: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """An image `(1, 3, S, S)` float32, preprocessed by the artefact's manifest, in the input's type and layout."""
    if spec.dtype == "uint8":
        image = np.rint(image * 255).clip(0, 255).astype(np.uint8)
    if spec.layout == "NHWC":
        image = np.ascontiguousarray(image.transpose(0, 2, 3, 1))
    return image
