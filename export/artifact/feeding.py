"""From a preprocessed input to the array that an artefact's input declares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pocketclip.export.artifact.manifest import Manifest, TensorSpec
from pocketclip.export.artifact.pass_report import PassName
from pocketclip.export.precision import Tower
from pocketclip.export.runtimes import Session
from pocketclip.models.pixels.preprocess import PreprocessSpec

FOLDED = PassName.FOLD_PREPROCESSING


def image_input(image: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """An image `(1, 3, S, S)` float32, preprocessed by the artefact's manifest, in the input's type and layout."""
    if spec.dtype == "uint8":
        image = np.rint(image * 255).clip(0, 255).astype(np.uint8)
    if spec.layout == "NHWC":
        image = np.ascontiguousarray(image.transpose(0, 2, 3, 1))
    return image


def artifact_input(array: np.ndarray, own: PreprocessSpec, manifest: Manifest) -> np.ndarray:
    """An input of the model, as its own preprocessing makes it, as its artefact takes it.

    Passes may have put mean and deviation into the graph, or given the input another type or layout.
    """
    declared = manifest.preprocess
    if manifest.tower is Tower.TEXT or declared is None:
        return array
    if FOLDED in manifest.used_passes:
        old_mean, old_std = (np.asarray(values, np.float32).reshape(1, 3, 1, 1) for values in (own.mean, own.std))
        array = array * old_std + old_mean
    return image_input(array, manifest.inputs[0])


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
