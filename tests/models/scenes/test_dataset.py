"""The data set: samples by index, labels that name what is shown, pre-rendered arrays."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from pocketclip.models.errors import DatasetError, WorkerEndedError
from pocketclip.models.scenes import (
    NO_LABEL,
    SceneDataset,
    SceneKind,
    class_name,
    heldout_classes,
    render_arrays,
    scene_classes,
)
from pocketclip.models.scenes.attributes import HELDOUT_PAIRS


def test_samples_do_not_depend_on_the_order_they_are_taken_in() -> None:
    forwards, backwards = SceneDataset("train", 20, seed=4), SceneDataset("train", 40, seed=4)
    taken = [backwards[index] for index in reversed(range(20))][::-1]
    for one, other in zip(forwards, taken, strict=True):
        assert np.array_equal(one.image, other.image)
        assert one[1:] == other[1:]


def test_images_differ_by_index_and_split() -> None:
    seen = {SceneDataset(split, 50)[index].image.tobytes() for split in ("train", "validation") for index in range(50)}
    assert len(seen) == 100


def test_a_sample_is_writable_pixels_of_the_size_asked_for() -> None:
    image = SceneDataset("validation", 3, size=(80, 48))[2].image
    assert image.shape == (48, 80, 3)
    assert image.dtype == np.uint8
    assert image.flags.writeable


def test_indexing_is_that_of_a_sequence() -> None:
    dataset = SceneDataset("train", 5)
    assert len(dataset) == len(list(dataset)) == 5
    assert dataset[-1].caption == dataset[4].caption
    assert [sample.caption for sample in dataset[1:4:2]] == [dataset[1].caption, dataset[3].caption]
    with pytest.raises(IndexError):
        dataset[5]


@pytest.mark.parametrize("split", ["train", "validation", "heldout"])
def test_labels_name_the_class_shown(split: str) -> None:
    dataset, classes = SceneDataset(split, 200), scene_classes(split)
    labels = dataset.labels()
    for index, label in enumerate(labels.tolist()):
        scene = dataset.scene(index)
        if scene.kind is SceneKind.RELATION:
            assert label == NO_LABEL and dataset.label(index) is None
        else:
            assert classes[label] == (class_name(*scene.objects[0].pair), label)


def test_held_out_classes_are_those_of_the_held_out_split() -> None:
    classes = heldout_classes()
    assert [each.name for each in classes] == [class_name(*pair) for pair in HELDOUT_PAIRS]
    assert set(SceneDataset("heldout", 24).labels().tolist()) == {each.label for each in classes}
    assert not {each.name for each in classes} & {each.name for each in scene_classes("train")}


def test_arrays_hold_the_samples_whatever_the_number_of_workers() -> None:
    images, captions = render_arrays("train", 21, seed=7, size=(40, 32))
    again, captions_again = render_arrays("train", 21, seed=7, size=(40, 32), workers=2)
    dataset = SceneDataset("train", 21, seed=7, size=(40, 32))
    assert images.shape == (21, 32, 40, 3)
    assert images.dtype == np.uint8
    assert np.array_equal(images, again)
    assert captions == captions_again == dataset.captions()
    assert np.array_equal(images[13], dataset[13].image)


def _be_killed(_: SceneDataset, index: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    if multiprocessing.get_start_method() != "fork":
        pytest.skip("a process that begins anew has no patches")
    monkeypatch.setattr(SceneDataset, "image", _be_killed)
    with pytest.raises(WorkerEndedError, match=r"renders scenes was ended .*; free some memory or use fewer workers"):
        render_arrays("train", 8, workers=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "test"}, "unknown split 'test'"),
        ({"count": 0}, "count 0 is out of range"),
        ({"seed": -1}, "seed -1 is out of range"),
        ({"size": 4}, "width 4 is out of range"),
        ({"workers": 0}, "workers 0 is out of range"),
    ],
)
def test_bad_arguments_are_refused_with_what_is_allowed(arguments: dict[str, int | str], message: str) -> None:
    with pytest.raises(DatasetError, match=rf"{message}.*: choose one of"):
        render_arrays(**({"split": "train", "count": 4} | arguments))  # pyright: ignore[reportArgumentType]


def test_import_does_not_load_torch() -> None:
    code = "import sys, pocketclip.models.scenes; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
