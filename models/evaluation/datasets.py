"""The data sets of `eval` by name: where to get each, how it is laid out, and how it is opened.

ImageNet-O was made to test the detection of classes that ImageNet lacks. CLIP papers report something else on it:
zero-shot top-1 accuracy among its 200 folders' classes, as clip-benchmark, OpenCLIP and DataComp do. So does this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.models.data.left_out import LeftOutLog
from pocketclip.models.data.source import local_path
from pocketclip.models.errors import DatasetError, choices
from pocketclip.models.evaluation import folders
from pocketclip.models.evaluation.pictures import PICTURES, open_pictures
from pocketclip.models.evaluation.prompts import SceneTemplates, Templates, load_templates
from pocketclip.models.evaluation.samples import ClassificationSet, Counted, identity_sha256
from pocketclip.models.untrusted.files import is_folder
from pocketclip.models.untrusted.printable import printable_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from pocketclip.models.evaluation.retrieval import RetrievalSet
    from pocketclip.models.evaluation.samples import Pixels, Sample
    from pocketclip.models.pixels.preprocess import PreprocessSpec
    from pocketclip.models.scenes import SceneDataset

DEFAULT_DATASET = "scenes"
DEFAULT_SCENES = 960


@dataclass(frozen=True)
class SetOptions:
    """What a user may say about a set.

    Attributes:
        data_root: the folder that holds the published sets, or one of them.
        templates: a name or a file for `load_templates`; None takes the set's own.
        classes: a file of class names.
        count: how many samples; None takes all (of scenes, 960).
        seed: which samples, or which scenes.
        missing_allowed: take images of a table that do not exist for unreadable ones.
        partial: take a set of pictures that lacks some.
    """

    data_root: Path = Path("data")
    templates: str | None = None
    classes: Path | None = None
    count: int | None = None
    seed: int = 0
    missing_allowed: bool = False
    partial: bool = False


@dataclass(frozen=True)
class PublishedSet:
    """A set as its authors publish it.

    Attributes:
        title: what people call it.
        source: the page where it is to be had.
        layout: the folders expected below the data root.
        folders: where the class folders may lie below the data root, the first that exists is taken.
        split: which part of it is judged.
        samples: how many images it has.
        kind: how folders map to classes: `wnid`, `index` or `objectnet`.
        subset: whether only some of ImageNet's classes are shown, as `class_sets.subset_wnids` knows them.
    """

    title: str
    source: str
    layout: str
    folders: tuple[str, ...]
    split: str
    samples: int
    kind: str = "wnid"
    subset: bool = False


PUBLISHED_SETS: dict[str, PublishedSet] = {
    "imagenet": PublishedSet(
        "ImageNet (ILSVRC 2012) validation",
        "https://image-net.org/download.php",
        "imagenet/val/n01440764/*.JPEG: the validation images sorted into one folder per WordNet id",
        ("imagenet/val", "ILSVRC2012/val", "val", "."),
        "val",
        50_000,
    ),
    "imagenet-v2": PublishedSet(
        "ImageNet-V2 (matched frequency)",
        "https://github.com/modestyachts/ImageNetV2",
        "imagenetv2-matched-frequency-format-val/0/*.jpeg to 999/*.jpeg: one folder per label",
        (
            "imagenetv2-matched-frequency-format-val",
            "imagenetv2-matched-frequency",
            "ImageNetV2-matched-frequency",
            "imagenet-v2",
            ".",
        ),
        "matched-frequency",
        10_000,
        kind="index",
    ),
    "imagenet-a": PublishedSet(
        "ImageNet-A (natural adversarial examples)",
        "https://github.com/hendrycks/natural-adv-examples",
        "imagenet-a/n01498041/*.jpg: one folder per WordNet id, 200 of them",
        ("imagenet-a", "."),
        "test",
        7_500,
        subset=True,
    ),
    "imagenet-o": PublishedSet(
        "ImageNet-O (natural adversarial examples, out of distribution)",
        "https://github.com/hendrycks/natural-adv-examples",
        "imagenet-o/n01443537/*.JPEG: one folder per WordNet id, 200 of them",
        ("imagenet-o", "."),
        "test",
        2_000,
        subset=True,
    ),
    "imagenet-r": PublishedSet(
        "ImageNet-R (renditions)",
        "https://github.com/hendrycks/imagenet-r",
        "imagenet-r/n01443537/*.jpg: one folder per WordNet id, 200 of them",
        ("imagenet-r", "."),
        "test",
        30_000,
        subset=True,
    ),
    "objectnet": PublishedSet(
        "ObjectNet",
        "https://objectnet.dev",
        "objectnet-1.0/images/air_freshener/*.png and objectnet-1.0/mappings/*: the zip as it unpacks",
        ("objectnet-1.0/images", "objectnet/objectnet-1.0/images", "objectnet/images", "images"),
        "test",
        18_574,
        kind="objectnet",
    ),
}

# What stands before the colon -> what stands behind it.
PREFIXES = {
    "folder": "PATH of a folder that has one folder per class",
    "csv": "FILE with the columns image and label, .csv or .tsv",
    "webdataset": "PATTERN of tar shards, with braces or globs",
    "retrieval": "CSV file with the columns image and caption",
}


def dataset_names() -> list[str]:
    """What `--dataset` takes, for help and messages."""
    return [
        DEFAULT_DATASET,
        *PICTURES,
        *PUBLISHED_SETS,
        *(f"{prefix}:{what.split()[0]}" for prefix, what in PREFIXES.items()),
    ]


def open_dataset(reference: str, options: SetOptions) -> ClassificationSet | RetrievalSet:
    """The data set that a user names; see `dataset_names`.

    Raises:
        DatasetError: it is unknown, missing or not laid out as expected; the message says where to get it and how to
            lay it out.
        PromptError: the templates cannot be used.
        MissingPackageError: the set needs a package of the `eval` extra.
    """
    prefix, colon, place = reference.partition(":")
    if prefix == "retrieval" and place:
        from pocketclip.models.evaluation.retrieval import read_pairs

        _reject(reference, templates=options.templates, classes=options.classes)
        return read_pairs(local_path(place), options.count, options.seed, missing_allowed=options.missing_allowed)
    if prefix == "webdataset" and place:
        from pocketclip.models.evaluation.shards import open_shards

        found = open_shards(place, options.classes, options.count)
    elif prefix == "csv" and place:
        from pocketclip.models.evaluation.labelled_tables import open_table

        found = open_table(place, options.classes, options.count, options.seed, missing_allowed=options.missing_allowed)
    elif prefix == "folder" and place:
        found = _open_folder(local_path(place), options)
    elif reference == DEFAULT_DATASET:
        _reject(reference, classes=options.classes)
        found = _open_scenes(options)
    elif reference in PICTURES:
        _reject(reference, classes=options.classes)
        found = open_pictures(reference, options.data_root, options.count, partial=options.partial)
    elif reference in PUBLISHED_SETS:
        _reject(reference, classes=options.classes)
        found = _open_published(reference, PUBLISHED_SETS[reference], options)
    else:
        behind = f"; after {prefix}: write the {PREFIXES[prefix]}" if prefix in PREFIXES and colon else ""
        raise DatasetError(f"there is no data set {reference!r}; choose among: {choices(dataset_names())}{behind}")
    return found if options.templates is None else replace(found, templates=load_templates(options.templates))


def _reject(reference: str, **given: object) -> None:
    for name, value in given.items():
        if value is not None:
            raise DatasetError(f"--{name} does not apply to the data set {reference}", fix="leave it out")


def _open_scenes(options: SetOptions) -> ClassificationSet:
    import numpy as np

    from pocketclip.models.scenes import SceneDataset, Split, scene_classes

    count = DEFAULT_SCENES if options.count is None else options.count
    dataset = SceneDataset(Split.HELDOUT, count, seed=options.seed)
    labels = dataset.labels()
    shown = np.flatnonzero(labels >= 0)
    if not len(shown):
        raise DatasetError(f"none of {count} scenes shows exactly one class", fix="use a larger --count")
    return ClassificationSet(
        name=DEFAULT_DATASET,
        split=Split.HELDOUT,
        class_names=tuple(entry.name for entry in scene_classes(Split.HELDOUT)),
        templates=SceneTemplates(),
        sha256=identity_sha256(["scenes", Split.HELDOUT, count, options.seed]),
        count=len(shown),
        source=partial(_scene_samples, dataset, labels, shown),
        classes_shown=len(np.unique(labels[shown])),
    )


def _scene_samples(
    dataset: SceneDataset, labels: NDArray[np.int64], shown: NDArray[np.int64], start: int
) -> Iterator[Sample]:
    from pocketclip.models.evaluation.samples import Sample

    for place in range(start, len(shown)):
        index = int(shown[place])
        yield Sample(place, f"scene {index}", int(labels[index]), partial(_load_scene, dataset, index))


def _load_scene(dataset: SceneDataset, index: int, spec: PreprocessSpec) -> Pixels:
    from pocketclip.models.pixels.preprocess import normalize
    from pocketclip.models.scenes import SceneDataset

    # Rendered at the model's own size: a scene has no other.
    sized = SceneDataset(dataset.split, len(dataset), seed=dataset.seed, size=spec.image_size)
    return normalize(sized.image(index), spec)


def _open_folder(root: Path, options: SetOptions) -> ClassificationSet:
    if not is_folder(root):
        raise DatasetError(f"there is no folder {root}; folder:PATH needs one folder per class, with images in it")
    names, labels = folders.own_classes(root, options.classes)
    expected = (
        "each folder is a class, named by its label"
        if options.classes is None
        else f"every folder must be named in {options.classes}"
    )
    log = LeftOutLog()
    files = folders.draw(folders.list_images(root, labels.__getitem__, expected, log), options.count, options.seed)
    name = printable_path(f"folder:{root.resolve().name}")
    return _file_set(name, _part("all", options), names, load_templates("openai"), root, files, log)


def _open_published(name: str, entry: PublishedSet, options: SetOptions) -> ClassificationSet:
    root = _find(name, entry, options.data_root)
    border = 0
    if entry.kind == "objectnet":
        from pocketclip.models.evaluation.objectnet import RED_BORDER, read_objectnet_classes

        classes = read_objectnet_classes(root.parent)
        names, border = classes.names, RED_BORDER
        label_of: folders.LabelOf = classes.labels.__getitem__
        expected = "folders are named as in mappings/folder_to_objectnet_label.json"
    else:
        names, label_of, expected = _imagenet_classes(name, entry)
    log = LeftOutLog()
    files = folders.draw(folders.list_images(root, label_of, expected, log), options.count, options.seed)
    found = _file_set(name, _part(entry.split, options), names, load_templates("openai"), root, files, log, border)
    return replace(found, published_count=entry.samples)


def _imagenet_classes(name: str, entry: PublishedSet) -> tuple[tuple[str, ...], folders.LabelOf, str]:
    from pocketclip.models.evaluation.class_sets import imagenet_names, imagenet_wnids, names_of, subset_wnids

    if entry.kind == "index":
        return imagenet_names(), _label_of_index, "folders are named by ImageNet's labels, 0 to 999"
    wnids = subset_wnids(name) if entry.subset else imagenet_wnids()
    labels = {wnid: label for label, wnid in enumerate(wnids)}
    expected = f"folders are named by WordNet ids, the {len(wnids)} of {entry.title}"
    return names_of(wnids), labels.__getitem__, expected


def _label_of_index(folder: str) -> int:
    # Read as a number: sorted as text, folder 10 would come before folder 2.
    if not (folder.isascii() and folder.isdecimal()) or int(folder) > 999:
        raise KeyError(folder)
    return int(folder)


def _file_set(
    name: str,
    split: str,
    class_names: tuple[str, ...],
    templates: Templates,
    root: Path,
    files: Sequence[folders.ImageFile],
    log: LeftOutLog,
    border: int = 0,
) -> ClassificationSet:
    left_out = Counted()
    left_out.put("", log.entries)
    return ClassificationSet(
        name=name,
        split=split,
        class_names=class_names,
        templates=templates,
        sha256=folders.files_sha256(files),
        count=len(files),
        source=partial(folders.file_samples, root, tuple(files), border),
        classes_shown=len({file.label for file in files}),
        left_out=left_out,
    )


def _part(split: str, options: SetOptions) -> str:
    return split if options.count is None else f"{split}, {options.count} drawn with seed {options.seed}"


def _find(name: str, entry: PublishedSet, root: Path) -> Path:
    """The folder of class folders."""
    looks_right: Callable[[Path, str], bool] = lambda path, place: place != "." or _holds_classes(path, entry)  # noqa: E731
    for place in entry.folders:
        path = root / place
        if is_folder(path) and looks_right(path, place):
            return path
    if entry.kind == "wnid" and any(is_folder(path) and any(path.glob("*.JPEG")) for path in _candidates(entry, root)):
        reason = "its images are in one folder, not sorted by class"
    else:
        reason = "it is not there"
    raise DatasetError(
        (
            f"cannot open {entry.title} below {root}: {reason}; get it from {entry.source} and lay it out as "
            f"{entry.layout}"
        ),
        fix="then give its parent folder with --data-root",
    )


def _candidates(entry: PublishedSet, root: Path) -> list[Path]:
    return [root / place for place in entry.folders]


def _holds_classes(path: Path, entry: PublishedSet) -> bool:
    names = folders.class_folders(path)
    if entry.kind == "index":
        return any(name.isascii() and name.isdecimal() for name in names)
    return any(len(name) == 9 and name[0] == "n" and name[1:].isdecimal() for name in names)
