"""Calibration data: the inputs from which static quantisation takes the ranges of activations.

Sources: `scenes` (generated training scenes and photographs of scikit-image's), a folder of images and captions, and
the tables and shards that training reads. Which ones were used is kept in the manifest; none may be a sample that the
artefact is judged on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from export.errors import CalibrationError
from export.precision import Tower
from models.errors import DatasetError, PocketClipError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from export.manifest import CalibrationRecord
    from models.config import AnyConfig
    from models.data.left_out import LeftOut, LeftOutLog
    from models.data.references import SampleReference

T = TypeVar("T")
# Names of samples, and how each is read.
Found = Generator[tuple[str, Callable[[], T]], None, None]

SCENES = "scenes"
FOLDER = "folder:"
# Read as training reads them.
SOURCES = ("webdataset:", "csv:")
DEFAULT_SAMPLES = 128
# With fewer, single samples decide the ranges.
LEAST_SAMPLES = 8
# More unreadable images than this share mean that the data is not what it is taken for.
MOST_CORRUPT = 0.03


@dataclass(frozen=True)
class CalibrationRequest:
    """Where calibration samples come from, and how many are wanted; `skip_corrupt` leaves out any that are unreadable.

    `source` is `scenes`, a folder's path, or a reference of `models.data.source`.
    """

    source: str = SCENES
    samples: int = DEFAULT_SAMPLES
    skip_corrupt: bool = False


GENERATED_SCENES = CalibrationRequest()


@dataclass(frozen=True)
class CalibrationSet:
    """Inputs of batch 1 for one tower and what the manifest says about them.

    `corrupt` names the samples that cannot be read, with reasons; `left_out` counts what is no sample.
    """

    inputs: Sequence[np.ndarray]
    record: CalibrationRecord
    corrupt: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def parse_calibration(text: str, samples: int | None = None, *, skip_corrupt: bool = False) -> CalibrationRequest:
    """`scenes`, `scenes:N`, `webdataset:PATTERN`, `csv:FILE`, or a folder, also as `folder:PATH`.

    Raises:
        CalibrationError: it is none of these, there is nothing at that place, or a number is too small or given twice.
    """
    scenes = re.fullmatch(rf"{SCENES}(?::(\d+))?", text)
    if scenes and scenes[1] is not None:
        if samples is not None:
            raise CalibrationError(f"the number of samples is given twice: --calibration {text} and {samples}")
        samples = int(scenes[1])
    count = DEFAULT_SAMPLES if samples is None else samples
    if count < LEAST_SAMPLES:
        raise CalibrationError(f"{count} calibration samples are too few; take at least {LEAST_SAMPLES}")
    if scenes:
        return CalibrationRequest(SCENES, count)
    if text.startswith(SOURCES):
        from models.data.source import parse_source

        try:
            parse_source(text)
        except DatasetError as error:
            raise CalibrationError(f"--calibration: {error}") from error
    elif not Path(text.removeprefix(FOLDER)).is_dir():
        raise CalibrationError(
            f"there is no calibration data at {text!r}; give {SCENES}, {SCENES}:N, a folder of images and .txt "
            "captions, csv:FILE or webdataset:PATTERN"
        )
    return CalibrationRequest(text.removeprefix(FOLDER), count, skip_corrupt)


def load_calibration(request: CalibrationRequest, config: AnyConfig, tower: Tower) -> CalibrationSet:
    """Reads the samples of a tower and checks that none is one the artefact is judged on.

    Raises:
        CalibrationError: no data, too many corrupt samples, or samples of the parity check or of the evaluation.
    """
    from export.manifest import CalibrationRecord
    from export.samples import judged_inputs, scene_calibration_inputs
    from models.data.left_out import LeftOutLog

    corrupt: list[str] = []
    left_out = LeftOutLog()
    if request.source == SCENES:
        inputs = scene_calibration_inputs(config, tower, request.samples)
    else:
        inputs = _foreign_inputs(request, config, tower, corrupt, left_out)
        _refuse_judged(request, inputs, judged_inputs(config, tower))
    digest = hashlib.sha256()
    for array in inputs:
        digest.update(array.tobytes())
    record = CalibrationRecord(request.source, len(inputs), digest.hexdigest())
    return CalibrationSet(inputs, record, tuple(corrupt), left_out.entries)


def input_hash(array: np.ndarray) -> str:
    """SHA-256 of one model input."""
    return hashlib.sha256(array.tobytes()).hexdigest()


def _foreign_inputs(
    request: CalibrationRequest, config: AnyConfig, tower: Tower, corrupt: list[str], left_out: LeftOutLog
) -> list[np.ndarray]:
    from models.preprocess import preprocess
    from models.tokenizer import load_tokenizer

    folder = not request.source.startswith(SOURCES)
    if tower is Tower.IMAGE:
        images = _folder_images(request, left_out) if folder else _source_images(request, left_out)
        inputs = _readable(images, request, corrupt, lambda image: preprocess(image, config.preprocess)[None])
    else:
        tokenizer = load_tokenizer(config.tokenizer)
        captions = _folder_captions(request) if folder else _source_captions(request, left_out)
        inputs = _readable(captions, request, corrupt, lambda caption: tokenizer([caption]))
    if len(inputs) < LEAST_SAMPLES:
        kind = "images" if tower is Tower.IMAGE else "captions (.txt)" if folder else "captions"
        passed = "".join(f"; left out: {entry}" for entry in left_out.entries)
        raise CalibrationError(
            f"{request.source} has {len(inputs)} {kind} to calibrate the {tower} tower with; "
            f"{LEAST_SAMPLES} or more are needed{passed}"
        )
    return inputs


def _readable(
    found: Found[T],
    request: CalibrationRequest,
    corrupt: list[str],
    prepare: Callable[[T], np.ndarray],
) -> list[np.ndarray]:
    """The inputs of the first samples that can be read; the others are named in `corrupt`, each with the reason."""
    from models.data.skips import reason_of

    inputs: list[np.ndarray] = []
    with closing(found):
        for name, read in found:
            try:
                inputs.append(prepare(read()))
            except Exception as error:
                corrupt.append(f"{name}: {reason_of(error)}")
            if len(inputs) == request.samples:
                break
    seen = len(inputs) + len(corrupt)
    if corrupt and len(corrupt) > MOST_CORRUPT * seen and not request.skip_corrupt:
        named = "; ".join(corrupt[:5]) + ("; ..." if len(corrupt) > 5 else "")
        raise CalibrationError(
            f"{len(corrupt)} of {seen} calibration samples of {request.source} cannot be read: "
            f"{named}; more than {MOST_CORRUPT:.0%} is taken for wrong data: repair or remove them, or leave them out "
            "by --skip-corrupt"
        )
    return inputs


def _folder_images(request: CalibrationRequest, left_out: LeftOutLog) -> Found[Image.Image]:
    from models.data.image_files import images_below
    from models.preprocess import load_image
    from models.untrusted.printable import printable_path

    folder = Path(request.source)
    # Captions are the text tower's.
    files = images_below(folder, left_out, ignored=frozenset({".txt"}))
    for path in _spread(files, request.samples):
        yield printable_path(path.relative_to(folder)), lambda path=path: load_image(path)


def _folder_captions(request: CalibrationRequest) -> Found[str]:
    from models.data.image_files import files_below, passed_over

    lines: list[str] = []
    for path, name in files_below(Path(request.source)):
        if path.suffix.lower() != ".txt" or passed_over(name):
            continue
        try:
            lines += path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise CalibrationError(f"cannot read captions from {path}: {error}") from error
    for line in _spread([line.strip() for line in lines if line.strip()], request.samples):
        yield line, lambda line=line: line


def _source_images(request: CalibrationRequest, left_out: LeftOutLog) -> Found[Image.Image]:
    from models.preprocess import decode_image

    for reference in _references(request, left_out):
        yield reference.name, lambda it=reference: decode_image(it.read_image(), it.name)


def _source_captions(request: CalibrationRequest, left_out: LeftOutLog) -> Found[str]:
    for reference in _references(request, left_out):
        yield reference.name, reference.read_caption


def _references(request: CalibrationRequest, left_out: LeftOutLog) -> Iterator[SampleReference]:
    """Samples in file order; of a table, which is often sorted, evenly spaced ones."""
    from models.data.indexes import open_index
    from models.data.pairs import references_from
    from models.data.references import FileReference
    from models.data.source import parse_source

    try:
        index = open_index(parse_source(request.source))
    except PocketClipError as error:
        raise CalibrationError(f"cannot read {request.source}: {error}") from error
    try:
        found = references_from(index)
        first = next(found, None)
        if isinstance(first, FileReference):
            yield from _spread([first, *found], request.samples)
        elif first is not None:
            yield first
            yield from found
    except PocketClipError as error:
        raise CalibrationError(f"cannot read {request.source}: {error}") from error
    finally:
        for entries in index.left_out.values():
            left_out.take(entries)
        index.close()


def _spread(items: Sequence[T], count: int) -> list[T]:
    """At most `count` items, evenly spaced."""
    if len(items) <= count:
        return list(items)
    return [items[place * len(items) // count] for place in range(count)]


def _refuse_judged(
    request: CalibrationRequest, inputs: Sequence[np.ndarray], judged: Iterable[tuple[str, np.ndarray]]
) -> None:
    given = {input_hash(array) for array in inputs}
    overlap: dict[str, int] = {}
    for purpose, array in judged:
        if input_hash(array) in given:
            overlap[purpose] = overlap.get(purpose, 0) + 1
    if overlap:
        listed = " and ".join(f"{count} of {purpose}" for purpose, count in overlap.items())
        raise CalibrationError(
            f"{request.source} holds samples that artefacts are judged on ({listed}); "
            "figures on data that ranges were fitted to prove nothing: calibrate on other data"
        )
