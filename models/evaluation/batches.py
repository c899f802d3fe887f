"""From samples to batches of model input: decoded by threads a little ahead, in constant memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from pocketclip.models.data.skips import reason_of
from pocketclip.models.errors import CorruptSamplesError
from pocketclip.models.evaluation.samples import MAX_CORRUPT_SHARE, Pixels, Sample
from pocketclip.models.pixels.colour_profiles import noted_profiles
from pocketclip.models.pixels.preprocess import PreprocessSpec
from pocketclip.models.untrusted.printable import printable_line

# With fewer samples seen, a few corrupt ones say nothing about the rest of a stream of unknown length.
_ENOUGH_TO_JUDGE = 400
_MOST_NAMED = 3
MAX_DECODERS = 8

_Loaded = tuple[Pixels, list[str]]


@dataclass(frozen=True)
class Batch:
    """Decoded samples of consecutive places.

    Attributes:
        start: the first sample's place.
        size: samples consumed, skipped ones included.
        places, labels: (N,) of the samples that could be decoded.
        images: (N, 3, S, S) float32.
        skipped: names of the others, each with the reason.
        ignored_profiles: names of those whose colour profile cannot be used (taken as sRGB), each with the reason.
    """

    start: int
    size: int
    places: NDArray[np.int64]
    labels: NDArray[np.int64]
    images: NDArray[np.float32]
    skipped: tuple[str, ...]
    ignored_profiles: tuple[str, ...] = ()


def decoded_batches(
    samples: Iterator[Sample], spec: PreprocessSpec, batch_size: int, *, skip_corrupt: bool
) -> Iterator[Batch]:
    """Batches of `batch_size` consecutive samples; the last one may be smaller.

    While the model works on one batch, the next one is decoded: no more than three exist at a time.

    Raises:
        CorruptSamplesError: a sample cannot be decoded and `skip_corrupt` is False.
    """
    decoders = min(MAX_DECODERS, os.cpu_count() or 1)
    ahead: deque[tuple[Sample, Future[_Loaded]]] = deque()
    pool = ThreadPoolExecutor(decoders, thread_name_prefix="decode")

    def submit(most: int) -> None:
        ahead.extend((sample, pool.submit(_load, sample, spec)) for sample in islice(samples, most))

    try:
        submit(batch_size)
        while ahead:
            yield _take_batch(ahead, submit, batch_size, spec, skip_corrupt)
    finally:
        # What is ahead of an error or of Ctrl-C is not waited for.
        pool.shutdown(wait=False, cancel_futures=True)


def _load(sample: Sample, spec: PreprocessSpec) -> _Loaded:
    with noted_profiles() as reasons:
        return sample.load(spec), reasons


def _take_batch(
    ahead: deque[tuple[Sample, Future[_Loaded]]],
    submit: Callable[[int], None],
    batch_size: int,
    spec: PreprocessSpec,
    skip_corrupt: bool,
) -> Batch:
    start, size = ahead[0][0].place, min(batch_size, len(ahead))
    images = np.empty((size, 3, spec.image_size, spec.image_size), np.float32)
    places: list[int] = []
    labels: list[int] = []
    skipped: list[str] = []
    profiles: list[str] = []
    for _ in range(size):
        sample, future = ahead.popleft()
        try:
            images[len(places)], reasons = future.result()
        except Exception as error:
            # Whatever a decoder raises, MemoryError included, is a matter of this one sample.
            reason = reason_of(error)
            if not skip_corrupt:
                raise CorruptSamplesError(
                    f"sample {sample.name} cannot be read: {reason}",
                    fix=(
                        "repair it, or give --skip-corrupt or "
                        "--max-skipped SHARE, which skip such samples and name them in the record"
                    ),
                ) from error
            skipped.append(printable_line(f"{sample.name}: {reason}"))
        else:
            places.append(sample.place)
            labels.append(sample.label)
            profiles += [printable_line(f"{sample.name}: {reason}") for reason in reasons[:1]]
        submit(1)
    return Batch(
        start,
        size,
        np.asarray(places, np.int64),
        np.asarray(labels, np.int64),
        images[: len(places)],
        tuple(skipped),
        tuple(profiles),
    )


def check_corrupt_share(
    skipped: Sequence[str], seen: int, *, finished: bool, total: int | None, share: float = MAX_CORRUPT_SHARE
) -> None:
    """Stops an evaluation of which too much is unreadable.

    Args:
        skipped: names of the samples left out so far.
        seen: samples consumed so far, those included.
        finished: whether these are all.
        total: how many there are, where that is known.
        share: how much of the set may be unreadable.

    Raises:
        CorruptSamplesError: more than that share of the set cannot be read, or nothing of it can.
    """
    judged = seen if finished else total or max(seen, _ENOUGH_TO_JUDGE)
    if skipped and len(skipped) > share * judged:
        named = "; ".join(skipped[:_MOST_NAMED])
        raise CorruptSamplesError(
            (
                f"{len(skipped)} of {seen} samples cannot be read, more than {share:.0%} of the set "
                f"({named}{'; ...' if len(skipped) > _MOST_NAMED else ''})"
            ),
            fix="download the data set again, or allow more with --max-skipped 1",
        )
