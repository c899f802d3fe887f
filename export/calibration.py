"""Calibration data: the inputs from which static quantisation takes the ranges of activations.

Sources: `scenes` (generated training scenes and photographs of scikit-image's), a folder of images and captions, or
webdataset shards. Which ones were used is kept in the manifest; none may be a sample that the artefact is judged on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from export.errors import CalibrationError
from export.precision import Tower
from models.errors import ImageError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from export.manifest import CalibrationRecord
    from models.config import AnyConfig

T = TypeVar("T")

SCENES = "scenes"
SHARDS = "webdataset:"
DEFAULT_SAMPLES = 128
# With fewer, single samples decide the ranges.
LEAST_SAMPLES = 8
# More unreadable images than this share mean that the data is not what it is taken for.
MOST_CORRUPT = 0.03
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})


@dataclass(frozen=True)
class CalibrationRequest:
    """Where calibration samples come from, and how many are wanted."""

    source: str = SCENES
    samples: int = DEFAULT_SAMPLES


GENERATED_SCENES = CalibrationRequest()


@dataclass(frozen=True)
class CalibrationSet:
    """Inputs of batch 1 for one tower, what the manifest says about them, and names of images left out."""

    inputs: Sequence[np.ndarray]
    record: CalibrationRecord
    corrupt: tuple[str, ...] = ()


def parse_calibration(text: str, samples: int | None = None) -> CalibrationRequest:
    """`scenes`, `scenes:N`, `webdataset:PATTERN` or a folder.

    Raises:
        CalibrationError: it is none of these, or a number is too small or given twice.
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
    if not text.startswith(SHARDS) and not Path(text).is_dir():
        raise CalibrationError(
            f"there is no calibration data at {text!r}; give {SCENES}, {SCENES}:N, a folder of images and .txt "
            f"captions, or {SHARDS}PATTERN"
        )
    return CalibrationRequest(text, count)


def load_calibration(request: CalibrationRequest, config: AnyConfig, tower: Tower) -> CalibrationSet:
    """Reads the samples of a tower and checks that none is one the artefact is judged on.

    Raises:
        CalibrationError: no data, too many corrupt images, or samples of the parity check or of the evaluation.
    """
    from export.manifest import CalibrationRecord
    from export.samples import judged_inputs, scene_calibration_inputs

    corrupt: list[str] = []
    if request.source == SCENES:
        inputs = scene_calibration_inputs(config, tower, request.samples)
    else:
        inputs = _foreign_inputs(request, config, tower, corrupt)
        _refuse_judged(request, inputs, judged_inputs(config, tower))
    digest = hashlib.sha256()
    for array in inputs:
        digest.update(array.tobytes())
    record = CalibrationRecord(request.source, len(inputs), digest.hexdigest())
    return CalibrationSet(inputs, record, tuple(corrupt))


def input_hash(array: np.ndarray) -> str:
    """SHA-256 of one model input."""
    return hashlib.sha256(array.tobytes()).hexdigest()


def _foreign_inputs(
    request: CalibrationRequest, config: AnyConfig, tower: Tower, corrupt: list[str]
) -> list[np.ndarray]:
    from models.preprocess import preprocess
    from models.tokenizer import load_tokenizer

    shards = request.source.startswith(SHARDS)
    if tower is Tower.IMAGE:
        found = _shard_images(request) if shards else _folder_images(request)
        inputs = _readable(found, request, corrupt, lambda image: preprocess(image, config.preprocess)[None])
    else:
        captions = _shard_captions(request) if shards else _folder_captions(request)
        inputs = list(load_tokenizer(config.tokenizer)(captions)[:, None, :]) if captions else []
    if len(inputs) < LEAST_SAMPLES:
        kind = "images (jpg, png, webp)" if tower is Tower.IMAGE else "captions (.txt)"
        raise CalibrationError(
            f"{request.source} has {len(inputs)} {kind} to calibrate the {tower} tower with; "
            f"{LEAST_SAMPLES} or more are needed"
        )
    return inputs


def _readable(
    found: Iterable[tuple[str, Callable[[], Image.Image]]],
    request: CalibrationRequest,
    corrupt: list[str],
    as_input: Callable[[Image.Image], np.ndarray],
) -> list[np.ndarray]:
    """Inputs of the images that can be read; one photograph is whole in memory at a time."""
    inputs: list[np.ndarray] = []
    for name, read in found:
        try:
            inputs.append(as_input(read()))
        except ImageError:
            corrupt.append(name)
        if len(inputs) == request.samples:
            break
    if corrupt and len(corrupt) > MOST_CORRUPT * (len(inputs) + len(corrupt)):
        named = ", ".join(corrupt[:5]) + (", ..." if len(corrupt) > 5 else "")
        raise CalibrationError(
            f"{len(corrupt)} of {len(inputs) + len(corrupt)} calibration images of {request.source} cannot be read: "
            f"{named}; more than {MOST_CORRUPT:.0%} is taken for wrong data, remove or replace them"
        )
    return inputs


def _folder_images(request: CalibrationRequest) -> Iterator[tuple[str, Callable[[], Image.Image]]]:
    from models.preprocess import load_image

    folder = Path(request.source)
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    for path in _spread(files, request.samples):
        yield str(path.relative_to(folder)), lambda path=path: load_image(path)


def _folder_captions(request: CalibrationRequest) -> list[str]:
    lines: list[str] = []
    for path in sorted(Path(request.source).rglob("*.txt")):
        try:
            lines += path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise CalibrationError(f"cannot read captions from {path}: {error}") from error
    return _spread([line.strip() for line in lines if line.strip()], request.samples)


def _shard_images(request: CalibrationRequest) -> Iterator[tuple[str, Callable[[], Image.Image]]]:
    from models.preprocess import decode_image

    for sample in _shard_samples(request):
        for suffix in IMAGE_SUFFIXES:
            content = sample.get(suffix.removeprefix("."))
            if content is not None:
                name = f"{sample['__key__']}{suffix}"
                yield name, lambda name=name, content=content: decode_image(content, name)
                break


def _shard_captions(request: CalibrationRequest) -> list[str]:
    captions: list[str] = []
    for sample in _shard_samples(request):
        text = sample.get("txt", b"").decode("utf-8", errors="replace").strip()
        if text:
            captions.append(text)
        if len(captions) == request.samples:
            break
    return captions


def _shard_samples(request: CalibrationRequest) -> Iterator[dict[str, Any]]:
    try:
        from webdataset import compat, handlers, shardlists
    except ImportError:
        raise CalibrationError(
            "reading shards needs the package webdataset; add it with: pip install -c constraints.txt '.[train]'"
        ) from None
    pattern = request.source.removeprefix(SHARDS)
    shards = [shard for part in shardlists.expand_urls(pattern) for shard in _matching(part)]
    if not shards:
        raise CalibrationError(f"no shard matches {pattern!r}")
    try:
        yield from compat.WebDataset(shards, shardshuffle=False, handler=handlers.reraise_exception)
    except (OSError, ValueError, EOFError) as error:
        raise CalibrationError(f"cannot read the shards {pattern!r}: {error}") from error
    except Exception as error:
        # tarfile has error classes of its own, which webdataset passes on.
        raise CalibrationError(f"cannot read the shards {pattern!r}: {str(error).splitlines()[0]}") from error


def _matching(path: str) -> list[str]:
    if "*" not in path:
        return [path]
    return sorted(str(found) for found in Path(path).parent.glob(Path(path).name))


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
