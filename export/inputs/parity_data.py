"""The samples that an artefact is proven on: the built-in ones, or a user's own images and captions.

Of a user's data, images are matched with its different captions (for the image tower, the label set) or captions with
its images; where it has none of the other kind, the built-in ones stand in.
"""

from __future__ import annotations

import contextlib
import functools
import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pocketclip.export.artifact.manifest import ParityData
from pocketclip.export.errors import CalibrationError
from pocketclip.export.inputs.samples import judged_inputs, label_prompts, parity_inputs
from pocketclip.export.own_samples import (
    FOLDER,
    OwnSamples,
    SampleRequest,
    check_share,
    input_hash,
    parse_own,
    read_own,
)
from pocketclip.export.precision import Tower
from pocketclip.models import documents
from pocketclip.models.config import AnyConfig
from pocketclip.models.documents import document
from pocketclip.models.errors import DatasetError, PocketClipError, StorageError
from pocketclip.models.text.tokenizer import load_tokenizer
from pocketclip.models.user_cache import user_cache

SCENES = "scenes"
DEFAULT_SAMPLES = 256
# With fewer, a first percentile or a share says nothing.
LEAST_SAMPLES = 20
# Fewer have nothing to be told apart from.
_LEAST_OTHERS = 2
# What a pattern of shards gives a meaning to.
_SPECIAL = frozenset("{},")


@dataclass(frozen=True)
class ProofSamples:
    """Inputs of batch 1: `images`, `captions` and `labels`, the texts among which an image's is looked for.

    `own` are the user's samples of the tower that is proven; None for the built-in ones.
    """

    images: Sequence[np.ndarray]
    captions: Sequence[np.ndarray]
    labels: Sequence[np.ndarray]
    own: OwnSamples | None = None

    def of(self, tower: Tower) -> Sequence[np.ndarray]:
        """The tower's inputs."""
        return self.images if tower is Tower.IMAGE else self.captions


@document
class _Noted:
    """Where a proof's data lay on this machine."""

    source: str


def parse_parity_data(
    text: str, samples: int | None = None, *, max_skipped: float | None = None
) -> SampleRequest | None:
    """`scenes` (None: the built-in samples), `webdataset:PATTERN`, `csv:FILE`, or a folder, also as `folder:PATH`.

    Raises:
        CalibrationError: it is none of these, there is nothing at that place, or a number is out of range.
    """
    if text == SCENES:
        if samples is not None:
            raise CalibrationError("--parity-samples requires your own --parity-data", fix="leave it out")
        return None
    count = DEFAULT_SAMPLES if samples is None else samples
    if count < LEAST_SAMPLES:
        raise CalibrationError(f"{count} parity samples are too few", fix=f"use at least {LEAST_SAMPLES}")
    return SampleRequest(
        parse_own(text, "parity", "--parity-data", also=f"{SCENES}, "), count, check_share(max_skipped)
    )


@functools.lru_cache(maxsize=2)
def read_parity_data(request: SampleRequest, config: AnyConfig, tower: Tower) -> OwnSamples:
    """The user's samples of a tower, read once for all that an export or a proof asks: either clears the cache first.

    Raises:
        CalibrationError: as `export.own_samples.read_own`.
    """
    return read_own(request, config, tower, purpose="parity", least=LEAST_SAMPLES)


def proof_samples(config: AnyConfig, tower: Tower, request: SampleRequest | None) -> ProofSamples:
    """What a tower is proven on.

    Raises:
        CalibrationError: the user's data cannot be used.
    """
    tokenizer = load_tokenizer(config.tokenizer)
    built_in = functools.partial(parity_inputs, config)

    def prompts() -> list[np.ndarray]:
        return list(tokenizer(label_prompts())[:, None, :])

    if request is None:
        return ProofSamples(built_in(Tower.IMAGE), built_in(Tower.TEXT), prompts())
    own = read_parity_data(request, config, tower)
    found = _others(request, config, Tower.TEXT if tower is Tower.IMAGE else Tower.IMAGE)
    if tower is Tower.IMAGE:
        images, captions, are_own = own.inputs, found or built_in(Tower.TEXT), found is not None
    else:
        images, captions, are_own = found or built_in(Tower.IMAGE), own.inputs, True
    labels = list({array.tobytes(): array for array in captions}.values()) if are_own else []
    return ProofSamples(images, captions, labels if len(labels) >= _LEAST_OTHERS else prompts(), own)


def _others(request: SampleRequest, config: AnyConfig, tower: Tower) -> Sequence[np.ndarray] | None:
    """The user's samples of the tower that is not proven; None where there are none to be used."""
    try:
        found = read_own(request, config, tower, purpose="parity").inputs
    except CalibrationError:
        return None
    return found if len(found) >= _LEAST_OTHERS else None


def judged_hashes(config: AnyConfig, tower: Tower, parity: SampleRequest | None) -> dict[str, str]:
    """Why an input may not be used for anything else, by its hash: artefacts are judged on it."""
    reasons = {
        input_hash(array): f"artefacts are judged on it ({purpose})" for purpose, array in judged_inputs(config, tower)
    }
    if parity is not None:
        for array in read_parity_data(parity, config, tower).inputs:
            reasons[input_hash(array)] = f"artefacts are judged on it (--parity-data {parity.source})"
    return reasons


def note_place(request: SampleRequest, record: ParityData) -> None:
    """Keeps in the user's cache where a proof's data lies, so that `verify` finds it; the manifest names no place
    that would be opened, since it may come from anybody."""
    source = _absolute(request.source)
    if source is None:
        return
    # Where that is not possible, `--parity-data` has to say it.
    with contextlib.suppress(StorageError):
        documents.write(_Noted(source), _note_of(record))


def find_again(record: ParityData, config: AnyConfig, tower: Tower) -> SampleRequest:
    """The request that gives the very samples of a proof.

    Raises:
        CalibrationError: they were not noted on this machine, are gone, or have changed.
    """
    note = _note_of(record)
    if not note.is_file():
        raise CalibrationError("no export on this machine recorded their location")
    place = documents.read(_Noted, note, error=CalibrationError).source
    request = SampleRequest(parse_own(place, "parity", "--parity-data"), record.wanted, 1.0)
    if read_parity_data(request, config, tower).sha256 != record.inputs_sha256:
        raise CalibrationError(f"{place} has changed since")
    return request


def _note_of(record: ParityData) -> Path:
    return user_cache() / "parity-data" / f"{record.inputs_sha256}.json"


def _absolute(source: str) -> str | None:
    """The source with whole paths; None where it cannot be written so."""
    from pocketclip.models.data.source import CsvSource, ShardSource, is_url, parse_source

    if not source.startswith(("webdataset:", "csv:")):
        return f"{FOLDER}{Path(source).resolve()}"
    try:
        parsed = parse_source(source)
    except (DatasetError, PocketClipError):
        return None
    if isinstance(parsed, CsvSource):
        return f"csv:{parsed.path.resolve()}?image={parsed.image_column}&caption={parsed.caption_column}"
    assert isinstance(parsed, ShardSource)
    shards = [shard if is_url(shard) else str(Path(shard).resolve()) for shard in parsed.shards]
    if any(_SPECIAL & set(shard) or glob.has_magic(shard) for shard in shards):
        return None
    return f"webdataset:{','.join(shards)}"
