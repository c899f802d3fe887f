"""Labels from Python: what is no list of distinct, visible texts is refused before a model runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import pocketclip
from pocketclip.export.precision import Tower
from pocketclip.models.errors import LabelError
from tests.export.bundle.tiny_artifacts import build_artifact

WRONG: list[tuple[Any, str]] = [
    ("a cat,a dog", "labels are a list, got the text 'a cat,a dog'; give a list"),
    ("", "labels are a list, got the text ''"),
    (["a cat", 3], "each label is a text, got 3"),
    (["a cat", "a dog", "a cat"], "the label 'a cat' occurs more than once"),
    (["a cat", "A  Cat"], "are the same to the model"),
    (["a cat", ""], "label 2 of 2 is '', which is invisible"),
]


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Callable[[Any], object]]:
    """What takes labels, by name."""
    folder, photograph = tmp_path_factory.mktemp("tiny"), Image.new("RGB", (20, 20))
    image, text = (pocketclip.load_artifact(build_artifact(folder, tower).folder) for tower in Tower)
    bundle = pocketclip.write_bundle(image, text, out=folder / "clip.bundle")

    def write(labels: Any) -> None:
        out: Path = folder / "other.bundle"
        try:
            pocketclip.write_bundle(image, text, out=out, labels=labels)
        finally:
            assert not out.exists()

    return {
        "pair": lambda labels: pocketclip.classify(photograph, labels, image=image, text=text),
        "bundle": lambda labels: bundle.classify(photograph, labels),
        "write": write,
    }


@pytest.mark.parametrize(("labels", "said"), WRONG)
@pytest.mark.parametrize("name", ["pair", "bundle", "write"])
def test_labels_that_are_refused(calls: dict[str, Callable[[Any], object]], name: str, labels: Any, said: str) -> None:
    with pytest.raises(LabelError) as caught:
        calls[name](labels)
    assert said in str(caught.value)


def test_a_pair_needs_labels(calls: dict[str, Callable[[Any], object]]) -> None:
    with pytest.raises(LabelError, match="the label list is empty"):
        calls["pair"]([])
