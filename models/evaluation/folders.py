"""Image files in one folder per class: listed once, mapped to labels by the folder's name, never by its position."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from models.errors import DatasetError
from models.evaluation.samples import Pixels, Sample, identity_sha256
from models.preprocess import PreprocessSpec, decoded, preprocess

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_MOST_NAMED = 5

LabelOf = Callable[[str], int | None]
"""A folder's name to its label; None for one that the set does not show. Raises `KeyError` for an unknown name."""


@dataclass(frozen=True)
class ImageFile:
    """A file by its path below the set's folder (POSIX), its size and its label."""

    path: str
    size_bytes: int
    label: int


def class_folders(root: Path) -> list[str]:
    """Names of the folders directly below `root`, sorted; hidden ones left out."""
    try:
        with os.scandir(root) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DatasetError(f"cannot list {root}: {error.strerror}") from error


def list_images(root: Path, label_of: LabelOf, expected: str) -> list[ImageFile]:
    """The images of every class folder below `root`, in the order of their paths.

    Args:
        root: the folder of class folders.
        label_of: see `LabelOf`.
        expected: what the folders' names should be, for the message.

    Raises:
        DatasetError: folders of unknown names, or no image at all.
    """
    names = class_folders(root)
    labels: dict[str, int | None] = {}
    unknown: list[str] = []
    for name in names:
        try:
            labels[name] = label_of(name)
        except KeyError:
            unknown.append(name)
    if unknown:
        named = ", ".join(unknown[:_MOST_NAMED]) + (", ..." if len(unknown) > _MOST_NAMED else "")
        raise DatasetError(
            f"{root} has {len(unknown)} folders of unknown classes ({named}); {expected}; "
            "move other folders away, or take --dataset folder:PATH for classes of your own"
        )
    files = [file for name, label in labels.items() if label is not None for file in _files_of(root, name, label)]
    if not files:
        raise DatasetError(
            f"{root} holds no image in {len(names)} class folders; {expected}, with files {', '.join(IMAGE_SUFFIXES)}"
        )
    return files


def _files_of(root: Path, folder: str, label: int) -> list[ImageFile]:
    try:
        with os.scandir(root / folder) as entries:
            return sorted(
                (
                    ImageFile(f"{folder}/{entry.name}", entry.stat().st_size, label)
                    for entry in entries
                    if entry.is_file()
                    and not entry.name.startswith(".")
                    and entry.name.lower().endswith(IMAGE_SUFFIXES)
                ),
                key=lambda file: file.path,
            )
    except OSError as error:
        raise DatasetError(f"cannot list {root / folder}: {error.strerror}") from error


def draw(files: Sequence[ImageFile], count: int | None, seed: int) -> list[ImageFile]:
    """`count` files drawn without repeats, in their old order; all of them for None.

    Raises:
        DatasetError: there are not so many.
    """
    if count is None:
        return list(files)
    if count > len(files):
        raise DatasetError(f"--count {count} is more than the {len(files)} images of the set; leave it out for all")
    chosen = np.random.default_rng(seed).choice(len(files), count, replace=False)
    return [files[place] for place in np.sort(chosen)]


def files_sha256(files: Sequence[ImageFile]) -> str:
    """Identity of a list of files: paths, sizes, labels. A file replaced by one of equal size is not seen."""
    return identity_sha256(f"{file.label}\0{file.size_bytes}\0{file.path}" for file in files)


def file_samples(root: Path, files: Sequence[ImageFile], border: int, start: int) -> Iterator[Sample]:
    """Samples of the files from place `start` on; `border` pixels are cut off on every side first."""
    for place in range(start, len(files)):
        file = files[place]
        yield Sample(place, file.path, file.label, partial(_load, root / file.path, border))


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
        names = {folder: folder.replace("_", " ").strip() for folder in class_folders(root)}
        if len(set(names.values())) != len(names):
            twice = next(name for name in names.values() if list(names.values()).count(name) > 1)
            raise DatasetError(f"{root} has two folders for the class {twice!r}; rename one, or map both by --classes")
    else:
        names = read_mapping(classes)
    distinct = tuple(dict.fromkeys(names[folder] for folder in sorted(names)))
    places = {name: place for place, name in enumerate(distinct)}
    return distinct, {folder: places[name] for folder, name in names.items()}


def read_mapping(path: Path) -> dict[str, str]:
    """Folder to class name from a file; see `own_classes`."""
    text = read_text(path, "class names")
    if path.suffix == ".json":
        content = parse_json(path, text)
        if not isinstance(content, dict) or not all(isinstance(name, str) and name for name in content.values()):
            raise DatasetError(f"{path} must hold an object of folder names and class names, all of them text")
        mapping = {str(folder): str(name).strip() for folder, name in content.items()}
    else:
        mapping = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            folder, _, name = line.partition("\t") if "\t" in line else line.strip().partition(" ")
            if not name.strip():
                raise DatasetError(
                    f"{path}, line {number}: {line!r} has no class name after the folder; separate by a tab"
                )
            mapping[folder.strip()] = name.strip()
    if not mapping:
        raise DatasetError(f"{path} names no class; write a folder, a tab and a class name a line")
    return mapping


def read_list(path: Path) -> tuple[str, ...]:
    """Class names by label: a JSON list, or a text file with one a line.

    Raises:
        DatasetError: the file cannot be read, is empty or has an empty line between names.
    """
    text = read_text(path, "class names")
    if path.suffix == ".json":
        content = parse_json(path, text)
        if not isinstance(content, list) or not all(isinstance(name, str) for name in content):
            raise DatasetError(f"{path} must hold a list of class names, in the order of the labels")
        names = [str(name).strip() for name in content]
    else:
        names = [line.strip() for line in text.rstrip().splitlines()]
    if not names or not all(names):
        raise DatasetError(f"{path} must name one class a line, in the order of the labels, without empty lines")
    return tuple(names)


def read_text(path: Path, what: str) -> str:
    """The text of a file that a user wrote; a `DatasetError` where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read {what} from {path}: {error}") from error


def parse_json(path: Path, text: str) -> object:
    """JSON of a file that a user wrote; a `DatasetError` where it is none."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON: {error}") from error
