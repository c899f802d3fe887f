"""Which samples a set has, in which order and shard: it follows from the lists and the packages that are there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from pocketclip.models.pictures.captions import EVALUATION_TEMPLATES, PHOTOGRAPH_TEMPLATES, Style, Subject
from pocketclip.models.pictures.concepts import Concept, Group
from pocketclip.models.pictures.lists import Lists
from pocketclip.models.pictures.sources import TRAINED, Reader, Role, Source

SEED = 0
SAMPLES_PER_SHARD = 1000
_MIRRORED_GROUPS = frozenset({Group.ANIMALS, Group.FOOD})
_COUNTABLE_GROUPS = frozenset({Group.ANIMALS, Group.FOOD, Group.TRAVEL, Group.ACTIVITIES, Group.OBJECTS})


class Split(StrEnum):
    """The parts of the set; each is a folder of shards."""

    TRAIN = "train"
    DESIGN = "design"
    CONCEPTS = "concepts"
    HARD = "hard"
    PHOTOGRAPHS = "photographs"


JUDGED = (Split.DESIGN, Split.CONCEPTS, Split.HARD, Split.PHOTOGRAPHS)
"""What `eval --dataset pictures-SPLIT` takes."""


@dataclass(frozen=True)
class Item:
    """One composition: a picture, the number of the composition, and the class.

    For training, the class is the concept's number in the lists, and drawings have none: it says which pictures show
    the same, nothing else.
    """

    source: str
    key: str
    composition: int
    label: int | None


@dataclass(frozen=True)
class SplitPlan:
    """A split: its items in order, what its classes are called, and how prompts word them."""

    split: Split
    items: tuple[Item, ...]
    class_names: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()

    def shards(self) -> list[tuple[Item, ...]]:
        """The items shard by shard."""
        return [self.items[start : start + SAMPLES_PER_SHARD] for start in range(0, len(self.items), SAMPLES_PER_SHARD)]

    def only(self, drawn: Mapping[str, frozenset[str]]) -> SplitPlan:
        """The same split with the pictures that are there, by source; classes stay as they are."""
        there = tuple(item for item in self.items if item.key in drawn.get(item.source, ()))
        return SplitPlan(self.split, there, self.class_names, self.templates)


def keys_by_source(plans: Iterable[SplitPlan]) -> dict[str, list[str]]:
    """The pictures that are needed of each source."""
    found: dict[str, dict[str, None]] = {}
    for plan in plans:
        for item in plan.items:
            found.setdefault(item.source, {})[item.key] = None
    return {source: list(keys) for source, keys in found.items()}


def whole_plan(
    lists: Lists, sources: Mapping[str, Source], concepts: Mapping[str, Concept], compositions: int
) -> list[SplitPlan]:
    """All splits as they are where no package is missing.

    Args:
        lists: the lists of the splits.
        sources: the sources by name.
        concepts: the labels by code; without any, classes have no name and only counts are right.
        compositions: how often training shows each picture.
    """
    names = tuple(concepts[entry.code].name if entry.code in concepts else entry.code for entry in lists.emoji)
    roles = {name: source.role for name, source in sources.items()}
    shown = [(place, entry.code, source) for place, entry in enumerate(lists.emoji) for source in entry.sources]
    seen = {entry.code for entry in lists.emoji if entry.seen}
    hard = [place for place, entry in enumerate(lists.emoji) if entry.hard]
    unseen = [place for place, entry in enumerate(lists.emoji) if not entry.seen]
    train: list[tuple[str, str, int | None]] = [
        (source, code, place) for place, code, source in shown if code in seen and roles.get(source) in TRAINED
    ]
    for name, source in sources.items():
        if source.reader is Reader.CLIPART:
            train += [(name, path, None) for path in lists.clipart]
    design = [
        (source, code, place) for place, code, source in shown if code in seen and roles.get(source) is Role.DESIGN
    ]
    concept = [
        (source, code, place) for place, code, source in shown if code not in seen and roles.get(source) is Role.TRAIN
    ]
    return [
        SplitPlan(Split.TRAIN, _train_items(train, compositions)),
        _judged(Split.DESIGN, design, range(len(names)), names, EVALUATION_TEMPLATES),
        _judged(Split.CONCEPTS, concept, unseen, names, EVALUATION_TEMPLATES),
        _judged(Split.HARD, [each for each in design if each[2] in set(hard)], hard, names, EVALUATION_TEMPLATES),
        _photographs(lists),
    ]


def _train_items(pictures: Sequence[tuple[str, str, int | None]], compositions: int) -> tuple[Item, ...]:
    """Every picture once before any comes again, so that a batch holds few pictures of one thing."""
    items: list[Item] = []
    for composition in range(compositions):
        order = np.random.default_rng([SEED, composition]).permutation(len(pictures))
        items += [Item(source, key, composition, label) for source, key, label in (pictures[place] for place in order)]
    return tuple(items)


def _judged(
    split: Split,
    pictures: Sequence[tuple[str, str, int]],
    classes: Sequence[int],
    names: Sequence[str],
    templates: tuple[str, ...],
) -> SplitPlan:
    labels = {place: label for label, place in enumerate(classes)}
    items = tuple(Item(source, code, 0, labels[place]) for source, code, place in pictures)
    return SplitPlan(split, items, tuple(names[place] for place in classes), templates)


def _photographs(lists: Lists) -> SplitPlan:
    names = tuple(dict.fromkeys(entry.label for entry in lists.photographs))
    labels = {name: label for label, name in enumerate(names)}
    items = tuple(Item(entry.source, entry.path, 0, labels[entry.label]) for entry in lists.photographs)
    return SplitPlan(Split.PHOTOGRAPHS, items, names, PHOTOGRAPH_TEMPLATES)


def emoji_subject(concept: Concept, source: Source) -> Subject:
    """What captions say of a concept in a design."""
    style = Style.RENDERED if "3D" in source.title else Style.EMOJI
    countable = concept.group in _COUNTABLE_GROUPS and not concept.name.endswith("s")
    return Subject(concept.name, concept.tags, style, countable)


def clipart_subject(words: Sequence[str]) -> Subject:
    """What captions say of a drawing: its name, then its keywords."""
    name, *keywords = words
    return Subject(name, tuple(keywords), Style.DRAWING, countable=not name.endswith("s"))


def may_mirror(concept: Concept | None) -> bool:
    """Whether a mirrored picture still shows its label: not where the label says left, right, or is a sign."""
    return concept is None or (concept.group in _MIRRORED_GROUPS and "facing" not in concept.label)


def item_seed(split: Split, item: Item) -> list[int]:
    """The seed of a composition: it follows from what is shown, whatever else is in the set."""
    words = f"{split}\0{item.source}\0{item.key}\0{item.composition}"
    return [SEED, int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big")]
