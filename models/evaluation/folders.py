"""Image files in one folder per class: listed once, mapped to labels by the folder's name, never by its position."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from pocketclip.models.data.file_names import composed, is_text, name_key
from pocketclip.models.data.image_files import IMAGE_SUFFIXES, is_image, passed_over
from pocketclip.models.data.left_out import LeftOutLog
from pocketclip.models.data.word_lists import is_visible, parse_json, read_text, read_words, same_to_the_model
from pocketclip.models.errors import DatasetError
from pocketclip.models.evaluation.samples import Pixels, Sample, identity_sha256
from pocketclip.models.pixels.preprocess import PreprocessSpec, decoded, preprocess
from pocketclip.models.untrusted.printable import printable_path

_MOST_NAMED = 5
_OUTSIDE = "images that lie in no class folder"
_INSIDE = "folders inside a class folder, whose images are not read"

LabelOf = Callable[[str], int | None]
"""A folder's name (as `name_key` gives it) to its label; None for one that the set does not show. Raises `KeyError`
for an unknown name."""


@dataclass(frozen=True)
class ImageFile:
    """A file by its path below the set's folder (POSIX), its size and its label."""

    path: str
    size_bytes: int
    label: int


def class_folders(root: Path, log: LeftOutLog | None = None) -> list[str]:
    """Names of the folders directly below `root`, sorted; those of the system and hidden ones go into the log."""
    log = LeftOutLog() if log is None else log
    try:
        with os.scandir(root) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
    except OSError as error:
        raise DatasetError(f"cannot list {printable_path(root)}: {error.strerror}") from error
    reasons = {name: passed_over(name) for name in names}
    for name, reason in reasons.items():
        if reason is not None:
            log.add(reason, f"{name}/")
    return [name for name, reason in reasons.items() if reason is None]


def list_images(root: Path, label_of: LabelOf, expected: str, log: LeftOutLog) -> list[ImageFile]:
    """The images of every class folder below `root`, in the order of their paths.

    Args:
        root: the folder of class folders.
        label_of: see `LabelOf`.
        expected: what the folders' names should be, for the message.
        log: takes what is passed over.

    Raises:
        DatasetError: folders of unknown names, or no image at all.
    """
    names = class_folders(root, log)
    labels: dict[str, int | None] = {}
    unknown: list[str] = []
    for name in names:
        try:
            labels[name] = label_of(name_key(name))
        except KeyError:
            unknown.append(printable_path(name))
    if unknown:
        named = ", ".join(unknown[:_MOST_NAMED]) + (", ..." if len(unknown) > _MOST_NAMED else "")
        raise DatasetError(
            f"{printable_path(root)} has {len(unknown)} folders of unknown classes ({named}); {expected}",
            fix="move other folders away, or use --dataset folder:PATH for your own classes",
        )
    _count_outside(root, log)
    files = [file for name, label in labels.items() if label is not None for file in _files_of(root, name, label, log)]
    if not files:
        passed = "".join(f"; left out: {entry}" for entry in log.entries)
        raise DatasetError(
            f"{printable_path(root)} holds no image in {len(names)} class folders; {expected}, with files "
            f"{', '.join(IMAGE_SUFFIXES)}{passed}"
        )
    return files


def _count_outside(root: Path, log: LeftOutLog) -> None:
    with os.scandir(root) as entries:
        for name in sorted(entry.name for entry in entries if entry.is_file()):
            if passed_over(name) is None and name.lower().endswith(IMAGE_SUFFIXES):
                log.add(_OUTSIDE, name)


def _files_of(root: Path, folder: str, label: int, log: LeftOutLog) -> list[ImageFile]:
    found: list[ImageFile] = []
    try:
        with os.scandir(root / folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                path = f"{folder}/{entry.name}"
                if entry.is_dir():
                    log.add(passed_over(entry.name) or _INSIDE, f"{path}/")
                elif is_image(root / path, log, path):
                    found.append(ImageFile(path, entry.stat().st_size, label))
    except OSError as error:
        raise DatasetError(f"cannot list {printable_path(root / folder)}: {error.strerror}") from error
    return found


def draw(files: Sequence[ImageFile], count: int | None, seed: int) -> list[ImageFile]:
    """`count` files drawn without repeats, in their old order; all of them for None.

    Raises:
        DatasetError: there are not so many.
    """
    if count is None:
        return list(files)
    if count > len(files):
        raise DatasetError(f"--count {count} is more than the {len(files)} images of the set", fix="omit it to use all")
    chosen = np.random.default_rng(seed).choice(len(files), count, replace=False)
    return [files[place] for place in np.sort(chosen)]


def files_sha256(files: Sequence[ImageFile]) -> str:
    """Identity of a list of files: paths, sizes, labels. A file replaced by one of equal size is not seen."""
    return identity_sha256(f"{file.label}\0{file.size_bytes}\0{file.path}" for file in files)


def file_samples(root: Path, files: Sequence[ImageFile], border: int, start: int) -> Iterator[Sample]:
    """Samples of the files from place `start` on; `border` pixels are cut off on every side first."""
    for place in range(start, len(files)):
        file = files[place]
        yield Sample(place, printable_path(file.path), file.label, partial(_load, root / file.path, border))


def _load(path: Path, border: int, spec: PreprocessSpec) -> Pixels:
    with decoded(path, str(path)) as image:
        return preprocess(without_border(image, border), spec)


def without_border(image: Image.Image, border: int) -> Image.Image:
    """The image without `border` pixels on every side; left whole where nothing would remain."""
    width, height = image.size
    if not border or min(width, height) <= 2 * border:
        return image
    return image.crop((border, border, width - border, height - border))


def own_classes(root: Path, classes: Path | None) -> tuple[tuple[str, ...], Mapping[str, int]]:
    """Class names and each folder's label for `folder:PATH`.

    Without a file the folders' names are the classes, underscores read as spaces. A file maps folders to names: a JSON
    object, or a text file with a folder, a tab (or the first space) and a name a line. Folders of
    one name are one class.

    Raises:
        DatasetError: two folders have the same name as classes, or the file cannot be read.
    """
    if classes is None:
        names = {name_key(folder): _class_name(root, folder) for folder in class_folders(root)}
        if len(set(names.values())) != len(names) or len(names) != len(class_folders(root)):
            every = [_class_name(root, folder) for folder in class_folders(root)]
            twice = next(name for name in every if every.count(name) > 1)
            raise DatasetError(
                f"{root} has two folders for the class {twice!r}", fix="rename one, or map both with --classes"
            )
    else:
        names = read_mapping(classes)
    distinct = tuple(dict.fromkeys(names[folder] for folder in sorted(names)))
    places = {name: place for place, name in enumerate(distinct)}
    return distinct, {folder: places[name] for folder, name in names.items()}


def _class_name(root: Path, folder: str) -> str:
    if not is_text(folder):
        raise DatasetError(
            f"the folder {printable_path(folder)} in {printable_path(root)} has a name that is not UTF-8: rename it, "
            "or give its class with --classes: a file with the folder's name as shown here, a tab and the class"
        )
    return composed(folder.replace("_", " ").strip())


def read_mapping(path: Path) -> dict[str, str]:
    """Folder to class name from a file, both composed (NFC); see `own_classes`."""
    text = read_text(path, "class names", error=DatasetError)
    if path.suffix.lower() == ".json":
        content = parse_json(path, text, error=DatasetError)
        if not isinstance(content, dict) or not all(isinstance(name, str) and name for name in content.values()):
            raise DatasetError(f"{path} must hold an object of folder names and class names, all of them text")
        pairs = [(str(folder), str(name).strip()) for folder, name in content.items()]
    else:
        pairs = []
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            folder, _, name = line.partition("\t") if "\t" in line else line.strip().partition(" ")
            if not name.strip():
                raise DatasetError(
                    f"{path}, line {number}: {line!r} has no class name after the folder",
                    fix="separate them with a tab",
                )
            pairs.append((folder.strip(), name.strip()))
    mapping: dict[str, str] = {}
    for folder, name in ((composed(folder), composed(name)) for folder, name in pairs):
        if mapping.setdefault(folder, name) != name:
            raise DatasetError(f"{path} gives two classes for the folder {folder!r}: {mapping[folder]!r} and {name!r}")
    if not mapping:
        raise DatasetError(f"{path} names no class", fix="write a folder, a tab and a class name on each line")
    _require_visible(path, list(mapping.values()))
    return mapping


def read_list(path: Path) -> tuple[str, ...]:
    """Class names by label: one a line, JSON or a Python list (`models.data.word_lists`).

    Raises:
        DatasetError: the file cannot be read, is empty or has an empty line between names.
    """
    names = read_words(path, "class names", error=DatasetError)
    if not names or not all(names):
        raise DatasetError(f"{path} must name one class per line in label order, without empty lines")
    _require_visible(path, names)
    return tuple(names)


def _require_visible(path: Path, names: Sequence[str]) -> None:
    unseen = [name for name in names if not is_visible(name)]
    if unseen:
        raise DatasetError(f"{path} names the class {unseen[0]!a}, which is invisible", fix="give it text")


def equal_classes(names: Sequence[str]) -> str | None:
    """What to tell of two class names that are the same to every model; None where all differ.

    Raises:
        DatasetError: a name becomes no token at all.
    """
    try:
        twice = same_to_the_model(names)
    except ValueError as error:
        raise DatasetError(
            f"the class {error.args[0]!r} has no text that a model can read", fix="give it another name"
        ) from error
    if twice is None:
        return None
    return f"the classes {twice[0]!r} and {twice[1]!r} are the same to the model, which cannot tell their images apart"
