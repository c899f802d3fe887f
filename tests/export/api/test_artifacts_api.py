"""`load_artifact(...).run(...)`: what it takes, what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import pocketclip
from pocketclip.export.errors import InferenceInputError
from pocketclip.export.precision import Tower
from tests.export.bundle.tiny_artifacts import SIZE, build_artifact, embed_image


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> pocketclip.Artifact:
    return pocketclip.load_artifact(build_artifact(tmp_path_factory.mktemp("tiny"), Tower.IMAGE).folder)


def test_rows_come_in_the_order_given(image: pocketclip.Artifact) -> None:
    pixels = np.random.default_rng(0).normal(size=(3, 3, SIZE, SIZE)).astype(np.float32)
    np.testing.assert_allclose(image.run(pixels), embed_image(pixels), rtol=1e-4, atol=1e-5)


GOOD = np.zeros((2, 3, SIZE, SIZE), np.float32)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (GOOD.astype(np.float64), f"takes a float32 array of shape (N, 3, {SIZE}, {SIZE}), N at least 1; got float64"),
        (GOOD[0], f"got float32 of shape (3, {SIZE}, {SIZE})"),
        (GOOD[:0], f"got float32 of shape (0, 3, {SIZE}, {SIZE})"),
        (GOOD.transpose(0, 2, 3, 1), f"got float32 of shape (2, {SIZE}, {SIZE}, 3)"),
        (np.full_like(GOOD, np.nan), "image holds NaN or infinity"),
        (np.array(1, np.float32), "got float32 of shape ()"),
        (np.array(["a photo"]), "got <U7 of shape (1,)"),
    ],
    ids=["float64", "no-batch", "empty", "NHWC", "nan", "scalar", "text"],
)
def test_other_arrays_are_refused(image: pocketclip.Artifact, given: NDArray[Any], said: str) -> None:
    with pytest.raises(InferenceInputError) as caught:
        image.run(given)
    assert said in str(caught.value) and caught.value.fix


def test_the_folder_is_what_was_loaded(image: pocketclip.Artifact) -> None:
    assert isinstance(image.folder, Path) and image.model_path.parent == image.folder
