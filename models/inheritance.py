"""Weights carried over from a model of another shape (weight inheritance: TinyCLIP, 2309.12314, section 3.3).

Entries are matched by their role: stage and block of the image tower, kind and order of the text blocks, token of the
embedding. Where a stage has fewer blocks than its source, evenly spaced ones are taken; where widths shrink, leading
channels; where kernels shrink, their centres.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from pocketclip.models.config import ImageTowerConfig, ModelConfig, VitTowerConfig
from pocketclip.models.errors import CheckpointError
from pocketclip.models.text.tokenizer import load_tokenizer
from pocketclip.models.text.vocabulary import FULL_VOCABULARY_SIZE
from pocketclip.models.towers.clip import AnyModel, ClipModel
from pocketclip.models.towers.open_clip_model import OpenClipModel

IMAGE, TEXT = "image_encoder.model.", "text_encoder."
EMBEDDING = f"{TEXT}embedding_layer."
# OpenCLIP's towers, and its transformers' layers by their numbers.
OPEN_CLIP_IMAGE, OPEN_CLIP_TEXT = "clip.visual.", "clip.text."
_OPEN_CLIP_LAYER = re.compile(r"(clip\.(?:visual|text)\.transformer\.resblocks\.)(\d+)(\..+)")
_TOWERS = {IMAGE: "image ", TEXT: "text ", OPEN_CLIP_IMAGE: "image ", OPEN_CLIP_TEXT: "text "}
_FUSED = re.compile(r"\.(qkv(_proj)?\.|in_proj_)(weight|bias)$")


class Origin(StrEnum):
    """Where an entry's values come from."""

    INHERITED = "inherited"
    SLICED = "sliced"
    FACTORISED = "factorised"
    FRESH = "fresh"


@dataclass(frozen=True)
class InheritedEntry:
    """One entry of the state dict; `source` is the key its values came from, None for fresh ones."""

    key: str
    origin: Origin
    values: int
    source: str | None = None


@dataclass(frozen=True)
class InheritanceReport:
    """What became of every entry."""

    entries: tuple[InheritedEntry, ...]

    def values(self, origin: Origin, prefix: str = "") -> int:
        """How many values of the entries below `prefix` have an origin."""
        return sum(e.values for e in self.entries if e.origin is origin and e.key.startswith(prefix))


def inherit_weights(model: AnyModel, source: AnyModel) -> InheritanceReport:
    """Overwrites the weights of `model` with what fits of `source`, and says what was done with each entry.

    Raises:
        CheckpointError: one is of ours and the other of OpenCLIP's, or nothing at all fits.
    """
    if isinstance(model, ClipModel) and isinstance(source, ClipModel):
        entries = _inherit(model, source, _renaming(model.config, source.config), left_out=EMBEDDING)
        entries += _inherit_embedding(model, source)
    elif isinstance(model, OpenClipModel) and isinstance(source, OpenClipModel):
        entries = _inherit(model, source, _open_clip_renaming(list(model.state_dict()), list(source.state_dict())))
    else:
        raise CheckpointError(
            (
                "weights can be inherited only between PocketCLIP models or between OpenCLIP models, "
                f"not from {source.config.name} to {model.config.name}"
            ),
            fix="choose another base",
        )
    if all(entry.origin is Origin.FRESH for entry in entries):
        raise CheckpointError(f"no weights of {source.config.name} fit {model.config.name}", fix="choose another base")
    return InheritanceReport(tuple(entries))


def _inherit(
    model: AnyModel, source: AnyModel, renamed: Callable[[str], str | None], left_out: str | None = None
) -> list[InheritedEntry]:
    given = source.state_dict()
    entries: list[InheritedEntry] = []
    for key, value in model.state_dict().items():
        if left_out is not None and key.startswith(left_out):
            continue
        source_key = renamed(key)
        found = None if source_key is None else given.get(source_key)
        taken = None if found is None else _fit(key, found, value.shape)
        if found is None or taken is None:
            entries.append(InheritedEntry(key, Origin.FRESH, value.numel()))
            continue
        value.copy_(taken)
        origin = Origin.INHERITED if taken.shape == found.shape else Origin.SLICED
        entries.append(InheritedEntry(key, origin, value.numel(), source_key))
    return entries


def _fit(key: str, value: Tensor, shape: torch.Size) -> Tensor | None:
    """`value` cut to `shape`, or None where it is too small or of another rank."""
    if value.shape == shape:
        return value
    if key == f"{OPEN_CLIP_IMAGE}positional_embedding" and len(value) != shape[0]:
        # Positions of another grid: the leading ones are none of its rows.
        return None
    if value.ndim != len(shape) or any(have < want for have, want in zip(value.shape, shape, strict=True)):
        return None
    if _FUSED.search(key):
        # Queries, keys and values stand one below the other: each gives its own leading rows.
        parts = [_fit("", part, torch.Size((shape[0] // 3, *shape[1:]))) for part in value.chunk(3)]
        return torch.cat([part for part in parts if part is not None])
    for axis, want in enumerate(shape):
        spatial = value.ndim == 4 and axis >= 2 and not key.endswith("pos_embed")
        start = (value.shape[axis] - want) // 2 if spatial else 0
        value = value.narrow(axis, start, want)
    return value


def _renaming(target: ModelConfig, source: ModelConfig) -> Callable[[str], str | None]:
    """The key of the source whose role a key of the target has; None where the source has no such part."""
    prefixes: dict[str, str] = {}
    absent: list[str] = []

    def pair(ours: Sequence[str], theirs: Sequence[str]) -> None:
        for place, prefix in enumerate(ours):
            chosen = _spaced(place, len(ours), len(theirs))
            if chosen is None:
                absent.append(prefix)
            else:
                prefixes[prefix] = theirs[chosen]

    if isinstance(target.image, VitTowerConfig) and isinstance(source.image, VitTowerConfig):
        pair(_layers(IMAGE, range(target.image.depth)), _layers(IMAGE, range(source.image.depth)))
    elif isinstance(target.image, ImageTowerConfig) and isinstance(source.image, ImageTowerConfig):
        for ours, theirs in zip(_stages(target.image), _stages(source.image), strict=False):
            pair(ours.blocks, theirs.blocks)
            pair(ours.downsamplers, theirs.downsamplers)
            pair(ours.encodings, theirs.encodings)
        absent += [prefix for stage in _stages(target.image)[len(source.image.stages) :] for prefix in stage.all]
    else:
        absent.append(IMAGE)
    for kind in dict.fromkeys(target.text.blocks):
        pair(
            _layers(TEXT, [i for i, block in enumerate(target.text.blocks) if block is kind]),
            _layers(TEXT, [i for i, block in enumerate(source.text.blocks) if block is kind]),
        )

    def rename(key: str) -> str | None:
        if any(key.startswith(prefix) for prefix in absent):
            return None
        for ours, theirs in prefixes.items():
            if key.startswith(ours):
                return theirs + key.removeprefix(ours)
        return key

    return rename


def _open_clip_renaming(ours: Sequence[str], theirs: Sequence[str]) -> Callable[[str], str | None]:
    """As `_renaming`, for OpenCLIP's transformers."""
    counts, available = _open_clip_layers(ours), _open_clip_layers(theirs)

    def rename(key: str) -> str | None:
        found = _OPEN_CLIP_LAYER.fullmatch(key)
        if found is None:
            return key
        prefix, number, rest = found.groups()
        chosen = _spaced(int(number), counts[prefix], available[prefix])
        return None if chosen is None else f"{prefix}{chosen}{rest}"

    return rename


def _open_clip_layers(keys: Sequence[str]) -> Counter[str]:
    """How many layers each transformer has, by the prefix of their keys."""
    layers = {(found[1], found[2]) for key in keys if (found := _OPEN_CLIP_LAYER.fullmatch(key))}
    return Counter(prefix for prefix, _ in layers)


def _spaced(place: int, count: int, available: int) -> int | None:
    """Which of `available` blocks the block at `place` of `count` takes; None for those beyond."""
    if count > available or available == 0:
        return place if place < available else None
    return 0 if count == 1 else round(place * (available - 1) / (count - 1))


@dataclass(frozen=True)
class _Stage:
    """Key prefixes of a stage's parts; at most one down-sampler and one position encoding."""

    downsamplers: tuple[str, ...]
    encodings: tuple[str, ...]
    blocks: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        return self.downsamplers + self.encodings + self.blocks


def _stages(config: ImageTowerConfig) -> list[_Stage]:
    stages: list[_Stage] = []
    places = itertools.count()
    for number, stage in enumerate(config.stages):
        downsamplers = (f"{IMAGE}network.{next(places)}.",) if number > 0 else ()
        encodings = (f"{IMAGE}network.{next(places)}.",) if stage.position_encoding else ()
        place = next(places)
        blocks = tuple(f"{IMAGE}network.{place}.{block}." for block in range(stage.depth))
        stages.append(_Stage(downsamplers, encodings, blocks))
    return stages


def _layers(prefix: str, places: Sequence[int]) -> list[str]:
    return [f"{prefix}transformer.{place}." for place in places]


def _inherit_embedding(model: ClipModel, source: ClipModel) -> list[InheritedEntry]:
    """Rows by token; into a low-rank embedding by the best approximation of that rank."""
    ours, theirs = _token_ids(model.config), _token_ids(source.config)
    place = {token: row for row, token in enumerate(theirs)}
    rows = [place.get(token) for token in ours]
    state = {key: value for key, value in model.state_dict().items() if key.startswith(EMBEDDING)}
    table = source.text_encoder.embedding_layer.weight.detach()
    width, rank = model.config.text.width, model.config.text.embedding_rank
    if None in rows or width > table.shape[1] or (rank is not None and rank > min(len(ours), width)):
        return [InheritedEntry(key, Origin.FRESH, value.numel()) for key, value in state.items()]
    chosen = table[torch.tensor([row for row in rows if row is not None])][:, :width]
    source_key = f"{EMBEDDING}weight"
    if rank is None:
        state[source_key].copy_(chosen)
        origin = Origin.INHERITED if chosen.shape == table.shape else Origin.SLICED
        return [InheritedEntry(source_key, origin, chosen.numel(), source_key)]
    # The best approximation of a rank comes from the singular vectors (Eckart and Young).
    _, vectors = torch.linalg.eigh(chosen.T @ chosen)
    basis = vectors[:, -rank:]
    state[f"{EMBEDDING}table.weight"].copy_(chosen @ basis)
    state[f"{EMBEDDING}widen.weight"].copy_(basis)
    return [InheritedEntry(key, Origin.FACTORISED, value.numel(), source_key) for key, value in state.items()]


def _token_ids(config: ModelConfig) -> Sequence[int]:
    vocabulary = load_tokenizer(config.tokenizer).vocabulary
    return range(FULL_VOCABULARY_SIZE) if vocabulary is None else vocabulary.kept_ids


def origins_by_part(report: InheritanceReport) -> dict[str, Counter[Origin]]:
    """Values by origin for each part of the model: towers' first-level modules."""
    parts: dict[str, Counter[Origin]] = {}
    for entry in report.entries:
        tower, rest = "", entry.key.removeprefix("clip.")
        for prefix, name in _TOWERS.items():
            if entry.key.startswith(prefix):
                tower, rest = name, entry.key.removeprefix(prefix)
        parts.setdefault(tower + rest.split(".")[0], Counter())[entry.origin] += entry.values
    return parts
