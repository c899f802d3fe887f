"""A user's own images and captions, as inputs of a tower: read by one rule for calibration and for the parity proof.

Sources are those of training (`models.data.source`), and a folder whose images and captions need not belong together.
A sample that cannot be used is left out, counted and named, as long as no more than `max_skipped` of them are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pocketclip.export.errors import CalibrationError
from pocketclip.export.precision import Tower
from pocketclip.models.errors import DatasetError, PocketClipError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from pocketclip.models.config import AnyConfig
    from pocketclip.models.data.left_out import LeftOut, LeftOutLog
    from pocketclip.models.data.references import SampleReference

T = TypeVar("T")
# Names of samples, and how each is read.
Found = Generator[tuple[str, Callable[[], T]], None, None]

FOLDER = "folder:"
# Read as training reads them.
SOURCES = ("webdataset:", "csv:")
# More samples than this share that cannot be used mean that the data is not what it is taken for.
MAX_SKIPPED = 0.03
MOST_NAMED = 20
_SHOWN = 5
_MOST_CAPTION_FILE = 64 << 20


@dataclass(frozen=True)
class SampleRequest:
    """Where samples come from, how many are wanted, and which share of them may be left out as unusable, 0 to 1.

    `source` is a folder's path, or a reference of `models.data.source`.
    """

    source: str
    samples: int
    max_skipped: float = MAX_SKIPPED


@dataclass(frozen=True)
class OwnSamples:
    """Inputs of batch 1 for one tower, in the order of the source.

    `skipped` names every sample that cannot be used with the reason, `left_out` counts what is no sample, and
    `ignored_profiles` names images whose colour profile cannot be used, which are taken as sRGB.
    """

    inputs: Sequence[np.ndarray]
    skipped: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    ignored_profiles: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """One hash over all inputs, in their order."""
        digest = hashlib.sha256()
        for array in self.inputs:
            digest.update(array.tobytes())
        return digest.hexdigest()


def parse_own(text: str, purpose: str, option: str, *, also: str = "") -> str:
    """The source that an option names: a folder's path, or a reference as it is.

    Args:
        text: the words of the option.
        purpose: what the data are for, in a word for messages.
        option: the option's name.
        also: what else the option takes, with a comma behind it.

    Raises:
        CalibrationError: it is none, or there is nothing at that place.
    """
    if text.startswith(SOURCES):
        from pocketclip.models.data.source import parse_source

        try:
            parse_source(text)
        except DatasetError as error:
            raise CalibrationError(f"{option}: {error}") from error
        return text
    place = text.removeprefix(FOLDER)
    try:
        folder = Path(place).expanduser()
        found = bool(place) and folder.is_dir()
    except (OSError, RuntimeError) as error:
        # A folder that may not be looked into, or `~` with no user of that name.
        reason = getattr(error, "strerror", None) or error
        raise CalibrationError(
            f"cannot read the {purpose} data at {text!r}: {reason}", fix="give another folder"
        ) from error
    if not found:
        raise CalibrationError(
            f"there is no {purpose} data at {text!r}",
            fix=f"give {also}a folder of images and .txt captions, csv:FILE or webdataset:PATTERN",
        )
    return str(folder)


def check_share(share: float | None) -> float:
    """The share of samples that may be left out, by default `MAX_SKIPPED`.

    Raises:
        CalibrationError: it is out of range.
    """
    if share is None:
        return MAX_SKIPPED
    if not 0 <= share <= 1:
        raise CalibrationError(f"--max-skipped {share:g} is out of range", fix="give a share from 0 (none) to 1 (any)")
    return share


def input_hash(array: np.ndarray) -> str:
    """SHA-256 of one model input."""
    return hashlib.sha256(array.tobytes()).hexdigest()


def read_own(
    request: SampleRequest,
    config: AnyConfig,
    tower: Tower,
    *,
    purpose: str,
    refused: Mapping[str, str] | None = None,
    least: int = 1,
) -> OwnSamples:
    """Reads the samples of a tower.

    Args:
        request: which samples.
        config: the model: its preprocessing and tokenizer.
        tower: images or captions.
        purpose: what the samples are for, in a word for messages.
        refused: reasons by `input_hash` of inputs that may not be used.
        least: how many are needed.

    Raises:
        CalibrationError: no data, too few, or too many samples that cannot be used; the message names the first.
    """
    from pocketclip.models.data.left_out import LeftOutLog
    from pocketclip.models.pixels.preprocess import preprocess
    from pocketclip.models.text.tokenizer import load_tokenizer

    log, folder = LeftOutLog(), not request.source.startswith(SOURCES)
    reading = _Reading(request, refused or {})
    if tower is Tower.IMAGE:
        images = _folder_images(request, log) if folder else _source_images(request, log)
        reading.take(images, lambda image: preprocess(image, config.preprocess)[None])
    else:
        tokenizer = load_tokenizer(config.tokenizer)
        captions = _folder_captions(request, log) if folder else _source_captions(request, log)
        reading.take(captions, lambda caption: tokenizer([caption]))
    reading.judge(purpose)
    if len(reading.inputs) < least:
        kind = "images" if tower is Tower.IMAGE else "captions (.txt)" if folder else "captions"
        passed = "".join(f"; left out: {entry}" for entry in log.entries)
        raise CalibrationError(
            f"{request.source} has {len(reading.inputs)} {kind} for the {purpose} of the {tower} tower; "
            f"{least} or more are needed{passed}"
        )
    return OwnSamples(reading.inputs, tuple(reading.skipped), log.entries, tuple(reading.profiles))


class _Reading:
    """The inputs of the first samples that can be used, and names of the others, each with the reason."""

    def __init__(self, request: SampleRequest, refused: Mapping[str, str]) -> None:
        self._request, self._refused = request, refused
        self.inputs: list[np.ndarray] = []
        self.skipped: list[str] = []
        self.profiles: list[str] = []

    def take(self, found: Found[T], prepare: Callable[[T], np.ndarray]) -> None:
        from pocketclip.models.data.skips import reason_of
        from pocketclip.models.pixels.colour_profiles import noted_profiles

        with closing(found):
            for name, read in found:
                try:
                    with noted_profiles() as profiles:
                        made = prepare(read())
                except Exception as error:
                    self.skipped.append(f"{name}: {reason_of(error)}")
                    continue
                why = self._refused.get(input_hash(made)) if self._refused else None
                if why is not None:
                    self.skipped.append(f"{name}: {why}")
                    continue
                self.inputs.append(made)
                self.profiles += [f"{name}: {reason}" for reason in profiles]
                if len(self.inputs) == self._request.samples:
                    break

    def judge(self, purpose: str) -> None:
        skipped, allowed = self.skipped, self._request.max_skipped
        seen = len(self.inputs) + len(skipped)
        if skipped and len(skipped) > allowed * seen:
            named = "; ".join(skipped[:_SHOWN]) + ("; ..." if len(skipped) > _SHOWN else "")
            raise CalibrationError(
                f"{len(skipped)} of {seen} {purpose} samples of {self._request.source} cannot be used: {named}; "
                f"more than {allowed:.0%} of them suggests wrong data: repair or remove them, or allow more with "
                "--max-skipped 1"
            )


def _folder_images(request: SampleRequest, left_out: LeftOutLog) -> Found[Image.Image]:
    from pocketclip.models.data.image_files import images_below
    from pocketclip.models.pixels.preprocess import decoded
    from pocketclip.models.untrusted.printable import printable_path

    def load(path: Path, name: str) -> Image.Image:
        # Under its name in the folder: no record holds a path of this machine.
        with decoded(path, name) as image:
            return image

    folder = Path(request.source)
    # Captions are the text tower's.
    files = images_below(folder, left_out, ignored=frozenset({".txt"}))
    for path in spread(files, request.samples):
        name = printable_path(path.relative_to(folder))
        yield name, lambda path=path, name=name: load(path, name)


def _folder_captions(request: SampleRequest, left_out: LeftOutLog) -> Found[str]:
    from pocketclip.models.data.image_files import files_below, passed_over
    from pocketclip.models.untrusted.printable import printable_line

    lines: list[tuple[str, Callable[[], str]]] = []
    for path, name in files_below(Path(request.source)):
        if path.suffix.lower() != ".txt":
            continue
        if reason := passed_over(name):
            left_out.add(reason, name)
            continue
        lines += _lines_of(path, printable_line(name))
    yield from spread(lines, request.samples)


def _lines_of(path: Path, name: str) -> list[tuple[str, Callable[[], str]]]:
    """The captions of a file, one a line; of a file that cannot be read one sample, which says why."""
    from pocketclip.models.untrusted.files import read_bounded

    try:
        text = read_bounded(path, _MOST_CAPTION_FILE, error=DatasetError).decode("utf-8-sig")
    except (DatasetError, UnicodeDecodeError) as error:
        return [(name, _Failing(error))]
    numbered = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    many = len(numbered) > 1
    return [(f"{name} line {number}" if many else name, _Line(line)) for number, line in numbered]


@dataclass(frozen=True)
class _Failing:
    error: Exception

    def __call__(self) -> str:
        raise self.error


@dataclass(frozen=True)
class _Line:
    text: str

    def __call__(self) -> str:
        from pocketclip.models.data.references import MOST_CAPTION

        if len(self.text) > MOST_CAPTION:
            raise DatasetError(f"the caption has {len(self.text)} characters; at most {MOST_CAPTION} are read")
        return self.text


def _source_images(request: SampleRequest, left_out: LeftOutLog) -> Found[Image.Image]:
    from pocketclip.models.pixels.preprocess import decode_image

    for reference in _references(request, left_out):
        yield reference.name, lambda it=reference: decode_image(it.read_image(), it.name)


def _source_captions(request: SampleRequest, left_out: LeftOutLog) -> Found[str]:
    for reference in _references(request, left_out):
        yield reference.name, reference.read_caption


def _references(request: SampleRequest, left_out: LeftOutLog) -> Iterator[SampleReference]:
    """Samples in file order; of a table, which is often sorted, evenly spaced ones."""
    from pocketclip.models.data.indexes import open_index
    from pocketclip.models.data.pairs import references_from
    from pocketclip.models.data.references import FileReference
    from pocketclip.models.data.source import parse_source

    try:
        index = open_index(parse_source(request.source))
    except PocketClipError as error:
        raise CalibrationError(f"cannot read {request.source}: {error}") from error
    try:
        found = references_from(index)
        first = next(found, None)
        if isinstance(first, FileReference):
            yield from spread([first, *found], request.samples)
        elif first is not None:
            yield first
            yield from found
    except PocketClipError as error:
        raise CalibrationError(f"cannot read {request.source}: {error}") from error
    finally:
        for entries in index.left_out.values():
            left_out.take(entries)
        index.close()


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most `count` items, evenly spaced."""
    if len(items) <= count:
        return list(items)
    return [items[place * len(items) // count] for place in range(count)]
