"""Classification sets in webdataset shards, the layout that clip-benchmark and OpenCLIP write and read.

```
SET/classnames.txt, SET/zeroshot_classification_templates.txt, SET/test/0.tar, SET/test/1.tar, ...
```
A sample is an image and its label as text in `cls`. Shards are indexed as those of training are (`models.data.shards`)
and read by offset: neither their names nor what they hold reach a shell or a network.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from pocketclip.models.data.image_files import IMAGE_MEMBERS
from pocketclip.models.data.shards import LABEL_MEMBER, LABELLED, ShardSample, index_shard, read_members
from pocketclip.models.data.source import local_path, require_file_or_url, shards_in
from pocketclip.models.errors import DatasetError, ImageError
from pocketclip.models.evaluation.folders import read_list
from pocketclip.models.evaluation.prompts import Templates, load_templates, read_templates
from pocketclip.models.evaluation.samples import (
    ClassificationSet,
    Counted,
    Pixels,
    Sample,
    identity_sha256,
    require_package,
)
from pocketclip.models.pixels.preprocess import PreprocessSpec, decoded, preprocess
from pocketclip.models.untrusted.files import is_file, is_folder
from pocketclip.models.untrusted.printable import printable_line, printable_path

CLASSES_FILE = "classnames.txt"
TEMPLATES_FILE = "zeroshot_classification_templates.txt"
_UNLABELLED = -1


def find_shards(pattern: str) -> list[Path]:
    """Local shards of a pattern with braces (`{0..9}.tar`) and globs, or all shards of a folder, in natural order.

    Raises:
        DatasetError: nothing fits, or a shard named by braces is missing.
    """
    require_package("webdataset", "a data set in shards")
    from braceexpand import braceexpand

    require_file_or_url(pattern, urls=False)
    try:
        expanded = list(braceexpand(pattern))
    except ValueError as error:
        raise DatasetError(
            f"the pattern {pattern!r} has unbalanced braces", fix="write e.g. shards/{0..9}.tar"
        ) from error
    found: list[Path] = []
    for each in expanded:
        require_file_or_url(each, urls=False)
        path = local_path(each)
        # Before a pattern: what is there may have brackets in its name.
        if is_folder(path):
            found += _natural(shards_in(path))
        elif is_file(path):
            found.append(path)
        elif glob.has_magic(each):
            found += _natural([Path(fitting) for fitting in glob.glob(str(path), recursive=True)])
        else:
            raise DatasetError(f"there is no shard {each} (of the pattern {pattern!r})")
    shards = list(dict.fromkeys(found))
    if not shards:
        raise DatasetError(f"no shard matches {pattern!r}", fix="give .tar files with braces or globs, or their folder")
    return shards


def open_shards(pattern: str, classes: Path | None, count: int | None) -> ClassificationSet:
    """The set in the shards of a pattern; see the module.

    Args:
        pattern: see `find_shards`.
        classes: class names by label; None takes `classnames.txt` beside the shards or one folder above.
        count: how many samples to take from the start.

    Raises:
        MissingPackageError: webdataset is not installed.
        DatasetError: no shard, or no class names.
    """
    shards = find_shards(pattern)
    listed = classes or _beside(shards[0], CLASSES_FILE)
    if listed is None:
        raise DatasetError(
            f"there is no {CLASSES_FILE} beside {shards[0]} or one folder above",
            fix="write one class per line in label order, or name such a file with --classes",
        )
    names = read_list(listed)
    templates_file = _beside(shards[0], TEMPLATES_FILE)
    templates: Templates = load_templates("openai") if templates_file is None else read_templates(templates_file)
    first = shards[0].resolve().parent
    left_out = Counted()
    return ClassificationSet(
        name=printable_line(f"webdataset:{first.parent.name}/{first.name}"),
        split="all" if count is None else f"first-{count}",
        class_names=names,
        templates=templates,
        sha256=identity_sha256([f"first {count}", *(f"{shard.stat().st_size}\0{shard.name}" for shard in shards)]),
        count=None,
        source=partial(shard_samples, tuple(shards), len(names), count, left_out),
        skips_corrupt=True,
        left_out=left_out,
    )


def shard_samples(
    shards: Sequence[Path], classes: int, count: int | None, left_out: Counted, start: int
) -> Iterator[Sample]:
    """The samples of the shards from place `start` on, none of them decoded; images are read when they are loaded.

    A sample without an image or without a label loads with an `ImageError`. What is passed over in a shard goes into
    `left_out` under the shard's path.

    Raises:
        DatasetError: a shard is truncated or no tar file, or a label has no class.
    """
    place = 0
    for shard in shards:
        index = index_shard(shard, LABELLED)
        if index.fault is not None:
            raise DatasetError(
                f"cannot read the shard {printable_path(shard)} to its end: {index.fault}; it is truncated, damaged or "
                "not a tar file: download it again"
            )
        left_out.put(str(shard), index.left_out)
        for sample in index.samples:
            if place == count:
                return
            if place >= start:
                yield _sample(place, shard, index.path, sample, classes)
            place += 1


def _sample(place: int, shard: Path, path: Path, sample: ShardSample, classes: int) -> Sample:
    name = printable_line(f"{shard.name}/{sample.key}")
    suffix = next((suffix for suffix in IMAGE_MEMBERS if suffix in sample.members), None)
    try:
        label = _label(name, path, sample, suffix)
    except DatasetError as error:
        return Sample(place, name, _UNLABELLED, partial(_lacking, str(error)))
    if label >= classes:
        raise DatasetError(
            f"{name} has the label {label}, but only {classes} classes are named (labels start at 0)",
            fix="give the set's own class names",
        )
    assert suffix is not None
    name = f"{name}.{suffix}"
    return Sample(place, name, label, partial(_load, path, {suffix: sample.members[suffix]}, name))


def _label(name: str, path: Path, sample: ShardSample, suffix: str | None) -> int:
    """The label of a sample; `DatasetError` where it cannot be used."""
    if sample.fault is not None:
        raise DatasetError(f"{name} cannot be used: {sample.fault}")
    if suffix is None or LABEL_MEMBER not in sample.members:
        lacking = f"image ({', '.join(IMAGE_MEMBERS)})" if suffix is None else f"label ({LABEL_MEMBER})"
        raise DatasetError(f"{name} has no {lacking}")
    content = read_members(path, {LABEL_MEMBER: sample.members[LABEL_MEMBER]})[LABEL_MEMBER]
    text = content.decode("utf-8-sig", "replace").strip()
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise DatasetError(f"{name} has the label {text[:40]!r}, which is not a whole number")
    return int(text)


def _load(path: Path, place: Mapping[str, tuple[int, int]], name: str, spec: PreprocessSpec) -> Pixels:
    (content,) = read_members(path, place).values()
    with decoded(content, name) as image:
        return preprocess(image, spec)


def _lacking(reason: str, spec: PreprocessSpec) -> Pixels:
    raise ImageError(reason)


def _beside(shard: Path, name: str) -> Path | None:
    folder = shard.resolve().parent
    return next((path for path in (folder / name, folder.parent / name) if path.is_file()), None)


def _natural(paths: list[Path]) -> list[Path]:
    """Sorted so that `10.tar` follows `9.tar`."""
    return sorted(
        paths, key=lambda path: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(path))]
    )
