"""ImageNet's classes and the subsets that other sets show, as timm, open_clip and clip-benchmark have them."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path

from pocketclip.models.errors import DatasetError
from pocketclip.models.evaluation.samples import require_package
from pocketclip.models.open_clip_files import open_clip_file


@functools.cache
def imagenet_wnids() -> tuple[str, ...]:
    """WordNet ids of the 1000 classes in the order of ImageNet's labels."""
    from timm.data import ImageNetInfo

    return tuple(ImageNetInfo("imagenet-1k").label_names())


@functools.cache
def imagenet_names() -> tuple[str, ...]:
    """OpenAI's curated names of the 1000 classes, in the order of `imagenet_wnids`; two of them occur twice."""
    return tuple(open_clip_file("zero_shot_metadata").IMAGENET_CLASSNAMES)


@functools.cache
def subset_wnids(dataset: str) -> tuple[str, ...]:
    """WordNet ids of the 200 classes of `imagenet-a`, `imagenet-o` or `imagenet-r`, in the order of ImageNet's labels.

    clip-benchmark keeps its subsets inside `build_dataset`, which filters a list of names that it reads from a file.
    Names occur twice in ImageNet, ids do not: it is given a file of ids.

    Raises:
        MissingPackageError: clip-benchmark is not installed.
        DatasetError: clip-benchmark gave something else than a part of ImageNet's classes.
    """
    require_package("clip_benchmark", f"the class list of {dataset}")
    from clip_benchmark.datasets.builder import build_dataset

    known = imagenet_wnids()
    with tempfile.TemporaryDirectory(prefix="pocketclip-classes-") as name:
        folder = Path(name)
        (folder / "wnid_classnames.json").write_text(json.dumps({"imagenet1k": known}))
        (folder / "wnid_zeroshot_classification_templates.json").write_text(json.dumps({"imagenet1k": ["{c}"]}))
        # It opens a folder of classes; which one does not matter to the list.
        (folder / "images" / "class").mkdir(parents=True)
        opened = build_dataset(
            dataset, root=str(folder / "images"), language=str(folder / "wnid"), download=False, allow_empty=True
        )
        found = tuple(opened.classes)
    if not found or len(set(found)) != len(found) or not set(found) < set(known):
        raise DatasetError(f"clip-benchmark has no usable class list for {dataset}", fix="install the pinned version")
    return found


def names_of(wnids: tuple[str, ...]) -> tuple[str, ...]:
    """OpenAI's names of the classes with these ids."""
    names = dict(zip(imagenet_wnids(), imagenet_names(), strict=True))
    return tuple(names[wnid] for wnid in wnids)
