"""Classification sets in webdataset shards, the layout that clip-benchmark and OpenCLIP write and read.

```
SET/classnames.txt, SET/zeroshot_classification_templates.txt, SET/test/0.tar, SET/test/1.tar, ...
```
A sample is an image (`jpg`, `jpeg`, `png`, `webp`) and its label as text in `cls`. Shards are read from end to end.
"""

from __future__ import annotations

import glob
import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from models.errors import DatasetError, ImageError
from models.evaluation.folders import read_list
from models.evaluation.prompts import Templates, load_templates, read_templates
from models.evaluation.samples import ClassificationSet, Pixels, Sample, identity_sha256, require_package
from models.preprocess import PreprocessSpec, decoded, preprocess

CLASSES_FILE = "classnames.txt"
TEMPLATES_FILE = "zeroshot_classification_templates.txt"
_IMAGES = ("jpg", "jpeg", "png", "webp")
_UNLABELLED = -1
# Two blocks of zeros.
_TAR_END = 1024


def find_shards(pattern: str) -> list[Path]:
    """Local shards of a pattern with braces (`{0..9}.tar`) and globs, or all `*.tar` of a folder, in natural order.

    Raises:
        DatasetError: nothing fits, or a shard named by braces is missing.
    """
    require_package("webdataset", "a data set in shards")
    from braceexpand import braceexpand

    if "://" in pattern or pattern.startswith("pipe:"):
        raise DatasetError(f"shards are read from this machine, got {pattern!r}; download them first")
    try:
        expanded = list(braceexpand(pattern))
    except ValueError as error:
        raise DatasetError(f"the pattern {pattern!r} has unbalanced braces; write e.g. shards/{{0..9}}.tar") from error
    found: list[Path] = []
    for each in expanded:
        if glob.has_magic(each):
            found += _natural([Path(path) for path in glob.glob(each)])
        elif Path(each).is_dir():
            found += _natural(list(Path(each).glob("*.tar")))
        elif Path(each).is_file():
            found.append(Path(each))
        else:
            raise DatasetError(f"there is no shard {each} (of the pattern {pattern!r})")
    shards = list(dict.fromkeys(found))
    if not shards:
        raise DatasetError(f"no shard fits {pattern!r}; name .tar files with braces or globs, or their folder")
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
            f"there is no {CLASSES_FILE} beside {shards[0]} or one folder above; write one class a line, in the order "
            "of the labels, or name such a file with --classes"
        )
    names = read_list(listed)
    templates_file = _beside(shards[0], TEMPLATES_FILE)
    templates: Templates = load_templates("openai") if templates_file is None else read_templates(templates_file)
    first = shards[0].resolve().parent
    return ClassificationSet(
        name=f"webdataset:{first.parent.name}/{first.name}",
        split="all" if count is None else f"first-{count}",
        class_names=names,
        templates=templates,
        sha256=identity_sha256([f"first {count}", *(f"{shard.stat().st_size}\0{shard.name}" for shard in shards)]),
        count=None,
        source=partial(shard_samples, tuple(shards), len(names), count),
        skips_corrupt=True,
    )


def shard_samples(shards: Sequence[Path], classes: int, count: int | None, start: int) -> Iterator[Sample]:
    """The samples of the shards from place `start` on, one shard open at a time, none of them decoded.

    A sample without an image or without a label loads with an `ImageError`.

    Raises:
        DatasetError: a shard is truncated or no tar file, or a label has no class.
    """
    place = 0
    for shard in shards:
        for raw in _raw_samples(shard):
            if place == count:
                return
            if place >= start:
                yield _sample(place, shard, raw, classes)
            place += 1


def _raw_samples(shard: Path) -> Iterator[dict[str, Any]]:
    from webdataset.pipeline import DataPipeline
    from webdataset.shardlists import SimpleShardList
    from webdataset.tariterators import tarfile_to_samples

    pipeline = DataPipeline(SimpleShardList([str(shard)]), tarfile_to_samples())
    try:
        _check_end(shard)
        yield from pipeline
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        reason = str(error.args[0]) if error.args else type(error).__name__
        raise DatasetError(
            f"cannot read the shard {shard} to its end: {reason}; it is truncated or no tar file: fetch it again"
        ) from error


def _check_end(shard: Path) -> None:
    """Python reads a tar that was cut between two files, or in a header, as if it ended there."""
    # Compressed shards have checksums of their own.
    if shard.suffix != ".tar":
        return
    with shard.open("rb") as stream:
        stream.seek(-min(_TAR_END, shard.stat().st_size), os.SEEK_END)
        if stream.read() != bytes(_TAR_END):
            raise tarfile.ReadError("the end mark of a tar file is missing")


def _sample(place: int, shard: Path, raw: dict[str, Any], classes: int) -> Sample:
    name = f"{shard.name}/{raw['__key__']}"
    suffix = next((suffix for suffix in _IMAGES if suffix in raw), None)
    if suffix is None or "cls" not in raw:
        lacking = f"image ({', '.join(_IMAGES)})" if suffix is None else "label (cls)"
        return Sample(place, name, _UNLABELLED, partial(_lacking, f"{name} has no {lacking}"))
    text = raw["cls"].decode("utf-8", "replace").strip()
    if not re.fullmatch(r"[0-9]+", text):
        return Sample(place, name, _UNLABELLED, partial(_lacking, f"{name} has the label {text!r}, no whole number"))
    label = int(text)
    if label >= classes:
        raise DatasetError(
            f"{name} has the label {label}, but only {classes} classes are named: labels count from 0; "
            "give the set's own class names"
        )
    return Sample(place, f"{name}.{suffix}", label, partial(_load, raw[suffix], f"{name}.{suffix}"))


def _load(content: bytes, name: str, spec: PreprocessSpec) -> Pixels:
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
