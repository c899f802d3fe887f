"""Draws the splits from the pinned packages and writes the lists: `python -m pocketclip.models.pictures.listing`.

- Unseen concepts are a tenth of each of CLDR's subgroups, drawn by seed. What differs only in who does it (man, woman,
  person) is seen or unseen as a whole.
- Hard concepts are the 200 seen ones whose label is nearest to another's: words of the label and tags, weighted by how
  rare they are.
- Drawings of the Open Clip Art Library whose name or keywords hold an unseen label are left out of training.
- Photographs are chosen and labelled by hand; that list stays as it is.
"""

from __future__ import annotations

import argparse
import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pocketclip.models import atomic
from pocketclip.models.pictures.catalogue import default_catalogue
from pocketclip.models.pictures.concepts import Concept, Group
from pocketclip.models.pictures.lists import CLIPART_FILE, EMOJI_FILE, ListedEmoji, emoji_line
from pocketclip.models.pictures.packages import package_file
from pocketclip.models.pictures.plan import SEED
from pocketclip.models.pictures.reading import concepts_of
from pocketclip.models.pictures.sources import LABELS, Reader, Role
from pocketclip.models.pictures.sprites import SpriteFile, draw_sprites
from pocketclip.models.user_cache import user_cache

UNSEEN_SHARE = 0.1
HARD_CONCEPTS = 200
_MOST_HARD_OF_SUBGROUP = 12
_PERSONS = frozenset(["man", "woman", "person", "men", "women", "people", "boy", "girl", "child", "mr", "mrs"])
_SIDES = ("facing", "right", "left")
# Of words of the label against tags.
_LABEL_WEIGHT = 2.0


def draw_unseen(concepts: Sequence[Concept]) -> frozenset[str]:
    """The codes of concepts that training never shows."""
    by_subgroup: dict[int, dict[str, list[str]]] = defaultdict(dict)
    for concept in concepts:
        by_subgroup[concept.subgroup].setdefault(family_of(concept), []).append(concept.code)
    rng = np.random.default_rng(SEED)
    unseen: set[str] = set()
    for subgroup in sorted(by_subgroup):
        families = list(by_subgroup[subgroup].values())
        wanted = UNSEEN_SHARE * sum(map(len, families))
        taken = 0
        for place in rng.permutation(len(families)):
            # A family larger than what is left would make the share of a small subgroup too large.
            if taken + len(families[place]) <= math.ceil(wanted):
                unseen.update(families[place])
                taken += len(families[place])
    return frozenset(unseen)


def family_of(concept: Concept) -> str:
    """What is left of a label without persons and sides: the same for `man cook`, `woman cook` and `cook`."""
    words = [word for word in _words(concept.label) if word not in _PERSONS and word not in _SIDES]
    return " ".join(words) or concept.label


def draw_hard(concepts: Sequence[Concept]) -> frozenset[str]:
    """The codes of the concepts whose labels are hardest to tell apart by their text; flags differ in one word."""
    candidates = [concept for concept in concepts if concept.group is not Group.FLAGS]
    vectors = _vectors(candidates)
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, 0.0)
    chosen: dict[str, int] = {}
    counts: Counter[int] = Counter()
    for place in np.argsort(-similar.max(1), kind="stable"):
        # A concept is hard only beside the one that it is taken for.
        pair = [candidates[place], candidates[int(similar[place].argmax())]]
        new = [concept for concept in pair if concept.code not in chosen]
        if len(chosen) + len(new) > HARD_CONCEPTS or any(
            counts[concept.subgroup] >= _MOST_HARD_OF_SUBGROUP for concept in new
        ):
            continue
        for concept in new:
            chosen[concept.code] = int(place)
            counts[concept.subgroup] += 1
    return frozenset(chosen)


def _vectors(concepts: Sequence[Concept]) -> np.ndarray:
    """(N, words) normalised."""
    texts = [_weighted(concept) for concept in concepts]
    rarity = Counter(word for text in texts for word in text)
    places = {word: place for place, word in enumerate(rarity)}
    vectors = np.zeros((len(texts), len(places)))
    for row, text in enumerate(texts):
        for word, weight in text.items():
            vectors[row, places[word]] = weight * math.log(len(texts) / rarity[word])
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _weighted(concept: Concept) -> dict[str, float]:
    tags = {word: 1.0 for tag in concept.tags for word in _words(tag)}
    return {**tags, **dict.fromkeys(_words(concept.label), _LABEL_WEIGHT)}


def _words(text: str) -> list[str]:
    return re.findall(r"[a-zà-ÿ0-9]+", text.lower())


def clipart_for_training(
    names: Mapping[str, Sequence[str]], concepts: Sequence[Concept], unseen: frozenset[str]
) -> list[str]:
    """Paths of drawings that name a thing in English and no unseen concept."""
    known = {word for concept in concepts for text in (concept.label, *concept.tags) for word in _words(text)}
    hidden = [re.compile(rf"\b{re.escape(each.label.lower())}s?\b") for each in concepts if each.code in unseen]
    chosen: list[str] = []
    for path, words in sorted(names.items()):
        text = " | ".join(words)
        # Some artists wrote in Italian.
        if known.isdisjoint(_words(text)) or any(pattern.search(text) for pattern in hidden):
            continue
        chosen.append(path)
    return chosen


def write_lists(cache: Path, folder: Path) -> None:
    """Writes `emoji.tsv` and `clipart.tsv`."""
    catalogue = default_catalogue()
    packages = {
        name: package_file(source, cache / "packages")
        for name, source in catalogue.sources.items()
        if source.role is not Role.PHOTOGRAPHS
    }
    concepts = list(concepts_of(packages.pop(LABELS)).values())
    sprites: dict[str, SpriteFile] = {}
    for name, package in packages.items():
        print(f"drawing {name}", flush=True)
        sprites[name] = draw_sprites(catalogue.sources[name], package, None, concepts, cache / "drawn")
    drawings = {name for name in packages if catalogue.sources[name].reader is Reader.CLIPART}
    unseen = draw_unseen(concepts)
    hard = draw_hard([concept for concept in concepts if concept.code not in unseen])
    designs = [name for name in packages if name not in drawings]
    lines = [
        emoji_line(
            ListedEmoji(
                concept.code,
                seen=concept.code not in unseen,
                hard=concept.code in hard,
                sources=tuple(name for name in designs if concept.code in sprites[name].keys),
            )
        )
        for concept in concepts
    ]
    atomic.write_text(
        folder / EMOJI_FILE, "# code, split (hard ones are seen), sources that have it\n" + "".join(lines)
    )
    paths = [path for name in sorted(drawings) for path in clipart_for_training(sprites[name].names, concepts, unseen)]
    atomic.write_text(
        folder / CLIPART_FILE, "# path of a drawing for training\n" + "".join(f"{path}\n" for path in paths)
    )
    print(f"{len(concepts)} concepts, {len(unseen)} unseen, {len(hard)} hard; {len(paths)} drawings")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Draws the splits of `pictures` from the pinned packages.")
    parser.add_argument("--cache", type=Path, default=user_cache() / "pictures", help="packages and drawn pictures")
    chosen = parser.parse_args()
    write_lists(chosen.cache, default_catalogue().lists)


if __name__ == "__main__":
    main()
