"""From a preprocessed input to the array that an artefact's input declares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from export.manifest import TensorSpec
from export.runtimes import Session


def image_input(image: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """An image `(1, 3, S, S)` float32, preprocessed by the artefact's manifest, in the input's type and layout."""
    if spec.dtype == "uint8":
        image = np.rint(image * 255).clip(0, 255).astype(np.uint8)
    if spec.layout == "NHWC":
        image = np.ascontiguousarray(image.transpose(0, 2, 3, 1))
    return image


@dataclass(frozen=True)
class AdaptedSession:
    """A session that is fed the model's own inputs, each adapted to what its artefact takes."""

    session: Session
    adapt: Callable[[np.ndarray], np.ndarray]

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """As `export.runtimes.Session.run`."""
        return self.session.run([self.adapt(array) for array in inputs])

    def close(self) -> None:
        """Frees the model."""
        self.session.close()
