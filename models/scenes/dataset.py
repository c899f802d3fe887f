"""Scenes as a data set: images with captions and, where one class is shown, its label."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from pocketclip.models.errors import DatasetError
from pocketclip.models.processes import worker_pool
from pocketclip.models.scenes.attributes import HELDOUT_PAIRS, SEEN_PAIRS, Pair
from pocketclip.models.scenes.captions import class_name, sample_caption
from pocketclip.models.scenes.render import parse_size, render_with
from pocketclip.models.scenes.scene import (
    Scene,
    SceneKind,
    Split,
    Stream,
    parse_split,
    sample_rng,
    sample_scene,
)
from pocketclip.models.untrusted.numbers import MAX_SEED

Pixels = NDArray[np.uint8]

NO_LABEL: Final = -1
"""Stands for "no class" where labels are an array."""

MAX_WORKERS: Final = 64


class SceneSample(NamedTuple):
    """One sample: `image` (H, W, 3), its caption and its label, None for scenes of two classes."""

    image: Pixels
    caption: str
    label: int | None


class SceneClass(NamedTuple):
    """A class for zero-shot: its name ("red circle") and its label, which is its place in the list."""

    name: str
    label: int


def scene_classes(split: str) -> list[SceneClass]:
    """The classes of a split, labelled 0..N-1: the held-out pairs, or the seen ones for the other splits.

    Raises `DatasetError` for an unknown split.
    """
    return [SceneClass(class_name(*pair), label) for label, pair in enumerate(_pairs(parse_split(split)))]


def heldout_classes() -> list[SceneClass]:
    """The classes that training never shows, with the labels the held-out split gives its samples."""
    return scene_classes(Split.HELDOUT)


class SceneDataset(Sequence[SceneSample]):
    """`count` scenes of a split, drawn on access, each the same whenever and in whatever order it is taken.

    `size` is a side in pixels or (width, height). Raises `DatasetError` for an unknown split, a count
    under 1, or a seed or size out of range.
    """

    def __init__(self, split: str, count: int, *, seed: int = 0, size: int | tuple[int, int] = 64) -> None:
        self.split: Final = parse_split(split)
        if not 1 <= count <= MAX_SEED:
            raise DatasetError(f"count {count} is out of range: choose one of 1..{MAX_SEED}")
        if not 0 <= seed <= MAX_SEED:
            raise DatasetError(f"seed {seed} is out of range: choose one of 0..{MAX_SEED}")
        self._count: Final = count
        self.seed: Final = seed
        self.size: Final = parse_size(size)
        self._labels: Final = {pair: label for label, pair in enumerate(_pairs(self.split))}

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> SceneSample: ...
    @overload
    def __getitem__(self, index: slice) -> list[SceneSample]: ...
    def __getitem__(self, index: int | slice) -> SceneSample | list[SceneSample]:
        if isinstance(index, slice):
            return [self[each] for each in range(self._count)[index]]
        place = range(self._count)[index]
        return SceneSample(self.image(place), self.caption(place), self.label(place))

    def scene(self, index: int) -> Scene:
        """What sample number `index` shows."""
        return sample_scene(self.seed, index, self.split)

    def image(self, index: int) -> Pixels:
        """The pixels (H, W, 3) of sample number `index`."""
        rng = sample_rng(self.seed, self.split, index, Stream.RENDER)
        return np.array(render_with(self.scene(index), self.size, rng))

    def caption(self, index: int) -> str:
        """The caption of sample number `index`."""
        return sample_caption(self.seed, index, self.split)

    def label(self, index: int) -> int | None:
        """The place of the class in `scene_classes(split)`; None for scenes of two classes."""
        scene = self.scene(index)
        return None if scene.kind is SceneKind.RELATION else self._labels[scene.objects[0].pair]

    def labels(self) -> NDArray[np.int64]:
        """The labels (N,) of all samples, `NO_LABEL` for none."""
        labels = (self.label(index) for index in range(self._count))
        return np.fromiter((NO_LABEL if label is None else label for label in labels), np.int64, self._count)

    def captions(self) -> list[str]:
        """The captions of all samples."""
        return [self.caption(index) for index in range(self._count)]


def render_arrays(
    split: str, count: int, seed: int = 0, size: int | tuple[int, int] = 64, *, workers: int = 1
) -> tuple[Pixels, list[str]]:
    """All images (N, H, W, 3) and captions of a data set, the same ones whatever the number of `workers`.

    One worker is this process. Raises `DatasetError` as `SceneDataset` does, and for workers outside
    1..`MAX_WORKERS`; `WorkerEndedError` where one was ended.
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise DatasetError(f"workers {workers} is out of range: choose one of 1..{MAX_WORKERS}")
    dataset = SceneDataset(split, count, seed=seed, size=size)
    width, height = dataset.size
    images = np.empty((count, height, width, 3), dtype=np.uint8)
    if workers == 1:
        for index in range(count):
            images[index] = dataset.image(index)
        return images, dataset.captions()
    # Several chunks per worker even out their load; small ones keep what travels back at once small.
    length = max(1, min(1000, -(-count // (4 * workers))))
    chunks = [range(start, min(start + length, count)) for start in range(0, count, length)]
    captions: list[str] = []
    with worker_pool(
        workers,
        ended="a process that renders scenes was ended from outside, perhaps for lack of memory",
        fix="free some memory or use fewer workers (--workers), and run it again",
        # The system's own: drawing takes no lock of another thread, and a script needs no guard around its main part.
        context=multiprocessing.get_context(),
    ) as pool:
        for chunk, (pixels, texts) in zip(chunks, pool.map(partial(_render_chunk, dataset), chunks), strict=True):
            images[chunk.start : chunk.stop] = pixels
            captions += texts
    return images, captions


def _render_chunk(dataset: SceneDataset, chunk: range) -> tuple[Pixels, list[str]]:
    return np.stack([dataset.image(index) for index in chunk]), [dataset.caption(index) for index in chunk]


def _pairs(split: Split) -> tuple[Pair, ...]:
    return HELDOUT_PAIRS if split is Split.HELDOUT else SEEN_PAIRS
