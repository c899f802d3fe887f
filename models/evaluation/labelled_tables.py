"""A classification set in a table: an image and its class a row (`csv:FILE[?image=COLUMN&label=COLUMN]`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np

from pocketclip.models.data.file_names import composed, find_file
from pocketclip.models.data.source import local_path
from pocketclip.models.data.tables import Row, read_rows
from pocketclip.models.errors import DatasetError
from pocketclip.models.evaluation.folders import read_list
from pocketclip.models.evaluation.prompts import load_templates
from pocketclip.models.evaluation.samples import ClassificationSet, Pixels, Sample, identity_sha256
from pocketclip.models.pixels.preprocess import PreprocessSpec, decoded, preprocess
from pocketclip.models.untrusted.files import is_file
from pocketclip.models.untrusted.numbers import parse_digits
from pocketclip.models.untrusted.printable import printable_line, printable_path

_IMAGE_COLUMNS = ("image", "filepath", "path")
_LABEL_COLUMNS = ("label", "class", "class_name")


def open_table(
    place: str, classes: Path | None, count: int | None, seed: int, *, missing_allowed: bool = False
) -> ClassificationSet:
    """The set in a table; image paths start at its folder.

    Args:
        place: the table, and behind `?` the columns' names where they are others than image and label.
        classes: class names by number; None takes the labels themselves, sorted. With it a label may be a number, too.
        count: how many rows to draw; None takes all.
        seed: which ones.
        missing_allowed: take images that do not exist for unreadable ones.

    Raises:
        DatasetError: the table cannot be read, a row lacks something or names an unknown class, or an image does not
            exist.
    """
    name, _, query = place.partition("?")
    chosen = dict(parse_qsl(query, keep_blank_values=True))
    if not set(chosen) <= {"image", "label"} or (query and not chosen) or not all(chosen.values()):
        raise DatasetError(f"csv:{place}: write column names after ?, such as image=COLUMN&label=COLUMN")
    path = local_path(name)
    rows = read_rows(path, partial(_columns, path, chosen))
    empty = next((row for row in rows if not all(row.values)), None)
    if empty is not None:
        raise DatasetError(
            f"{printable_path(path)}, line {empty.line}: the {'label' if empty.values[0] else 'image'} is empty"
        )
    if not rows:
        raise DatasetError(f"{printable_path(path)} holds no row", fix="write one image and its class on each line")
    found = [find_file(path.parent, row.values[0]) for row in rows]
    missing = [row for row, file in zip(rows, found, strict=True) if file is None]
    if missing and not missing_allowed:
        raise DatasetError(
            (
                f"{printable_path(path)}: {len(missing)} of {len(rows)} images do not exist (first: line "
                f"{missing[0].line}, {printable_line(missing[0].values[0])}); paths are relative to the table's folder"
            ),
            fix="repair it, or skip such rows with --max-skipped",
        )
    names = tuple(sorted({composed(row.values[1]) for row in rows})) if classes is None else read_list(classes)
    labels = [_label(path, row, names, numbered=classes is not None) for row in rows]
    places = np.arange(len(rows))
    split = "all"
    if count is not None:
        if count > len(rows):
            raise DatasetError(
                f"--count {count} is more than the {len(rows)} rows of the set", fix="omit it to use all"
            )
        places = np.sort(np.random.default_rng(seed).choice(len(rows), count, replace=False))
        split = f"all, {count} drawn with seed {seed}"
    files = tuple(
        (found[at] or path.parent / rows[at].values[0], rows[at].values[0], labels[at]) for at in places.tolist()
    )
    return ClassificationSet(
        name=printable_path(f"csv:{path.name}"),
        split=split,
        class_names=names,
        templates=load_templates("openai"),
        sha256=identity_sha256(
            f"{label}\0{file.stat().st_size if is_file(file) else None}\0{given}" for file, given, label in files
        ),
        count=len(files),
        source=partial(_samples, files),
        classes_shown=len({label for _, _, label in files}),
    )


def _columns(path: Path, chosen: dict[str, str], found: Sequence[str]) -> Sequence[str]:
    columns: list[str] = []
    for what, usual in (("image", _IMAGE_COLUMNS), ("label", _LABEL_COLUMNS)):
        wanted = (chosen[what],) if what in chosen else usual
        column = next((name for name in wanted if name in found), None)
        if column is None:
            raise DatasetError(
                f"{printable_path(path)} has no column for the {what} (found: "
                f"{', '.join(filter(None, found)) or 'nothing'}); its header must name one of: {', '.join(wanted)}; or "
                f"name it: csv:{printable_path(path)}?{what}=COLUMN"
            )
        columns.append(column)
    return columns


def _label(path: Path, row: Row, names: Sequence[str], *, numbered: bool) -> int:
    label = composed(row.values[1])
    if label in names:
        return names.index(label)
    if numbered and (number := parse_digits(label)) is not None and number < len(names):
        return number
    raise DatasetError(
        f"{printable_path(path)}, line {row.line}: {printable_line(label)!r} is neither one of the "
        f"{len(names)} classes of --classes nor the number of one"
    )


def _samples(files: Sequence[tuple[Path, str, int]], start: int) -> Iterator[Sample]:
    for place in range(start, len(files)):
        file, given, label = files[place]
        yield Sample(place, printable_line(given), label, partial(_load, file))


def _load(path: Path, spec: PreprocessSpec) -> Pixels:
    with decoded(path, str(path)) as image:
        return preprocess(image, spec)
