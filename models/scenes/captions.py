"""Says in English what a scene shows: varied, often leaving something out, never untrue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from pocketclip.models.scenes.attributes import (
    DARK_GROUNDS,
    LIGHT_GROUNDS,
    Colour,
    Ground,
    Position,
    Relation,
    Shape,
    Size,
    Texture,
)
from pocketclip.models.scenes.scene import Scene, SceneKind, SceneObject, Split, Stream, pick, sample_rng, sample_scene

CLASS_TEMPLATES: Final = (
    "a {}",
    "a photo of a {}",
    "a picture of a {}",
    "an image of a {}",
    "a drawing of a {}",
    "there is a {}",
    "this is a {}",
)
"""Zero-shot prompts; `class_prompts` fills them and puts "an" where it belongs."""

COUNT_WORDS: Final = ("a", "two", "three", "four")

# How a caption opens. The second of each pair goes with several objects.
_OPENINGS: Final = (
    ("", ""),
    ("a photo of ", "a photo of "),
    ("a picture of ", "a picture of "),
    ("an image of ", "an image of "),
    ("a drawing of ", "a drawing of "),
    ("there is ", "there are "),
    ("this is ", "these are "),
)

_RELATION_PHRASES: Final[dict[Relation, tuple[str, ...]]] = {
    Relation.LEFT_OF: ("to the left of", "left of"),
    Relation.RIGHT_OF: ("to the right of", "right of"),
    Relation.ABOVE: ("above", "over"),
    Relation.BELOW: ("below", "under"),
    Relation.INSIDE: ("inside", "within"),
    Relation.AROUND: ("around", "surrounding"),
}

_CENTRE_PHRASES: Final = ("in the center", "in the middle")
_SIDE_PHRASES: Final = ("at the {}", "on the {}")
_EDGE_PHRASES: Final = ("at the {}", "near the {}")
_CORNER_PHRASES: Final = ("in the {}", "in the {} corner", "at the {}")

_GROUND_PHRASES: Final = ("on a {} background", "on {}", "against a {} background")
_TONES: Final = (("dark", DARK_GROUNDS), ("light", LIGHT_GROUNDS))
_JOINT: Final = "and"
_NOUN_FOR_ANY: Final = "shape"


def class_name(colour: Colour, shape: Shape) -> str:
    """The class of a pair as zero-shot labels name it, without an article: "red circle"."""
    return f"{colour} {shape}"


def class_prompts(name: str) -> list[str]:
    """A class name in every template, with the right article: "a photo of an orange circle"."""
    return [_with_articles(template.format(name)) for template in CLASS_TEMPLATES]


def plural(noun: str) -> str:
    """The plural of one of the vocabulary's nouns."""
    return noun + ("es" if noun.endswith("s") else "s")


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """One of the many true captions of a scene, in lower case, at times with a full stop."""
    match scene.kind:
        case SceneKind.RELATION:
            body, several = _relation_body(scene, rng), False
        case SceneKind.COUNT:
            body, several = _noun_phrase(scene.objects[0], rng, count=len(scene.objects)), True
        case SceneKind.SINGLE | SceneKind.POSITION:
            body, several = _noun_phrase(scene.objects[0], rng), False
    if scene.position is not None and rng.random() < 0.85:
        body = f"{body} {_position_phrase(scene.position, rng)}"
    elif rng.random() < 0.35:
        body = f"{body} {_ground_phrase(scene.background.ground, rng)}"
    opening = pick(rng, _OPENINGS)[several] if rng.random() < 0.6 else ""
    stop = "." if rng.random() < 0.1 else ""
    return _with_articles(opening + body) + stop


def sample_caption(seed: int, index: int, split: str = Split.TRAIN) -> str:
    """The caption of sample number `index` of a split, without drawing it. Raises as `sample_scene` does."""
    scene = sample_scene(seed, index, split)
    return caption(scene, sample_rng(seed, Split(split), index, Stream.CAPTION))


def all_words() -> frozenset[str]:
    """Every word that a caption, a class name or a prompt can hold, in lower case."""
    nouns = [*Shape, _NOUN_FOR_ANY]
    phrases: list[str] = [*nouns, *map(plural, nouns), *Colour, *Size, *Texture, *Ground, *Position]
    phrases += [*COUNT_WORDS, _JOINT, "an", *CLASS_TEMPLATES, *_CENTRE_PHRASES, *_SIDE_PHRASES]
    phrases += [*_EDGE_PHRASES, *_CORNER_PHRASES, *_GROUND_PHRASES, *(tone for tone, _ in _TONES)]
    phrases += [opening for openings in _OPENINGS for opening in openings]
    phrases += [phrase for options in _RELATION_PHRASES.values() for phrase in options]
    return frozenset(re.findall(r"[a-z]+", " ".join(phrases)))


def _noun_phrase(item: SceneObject, rng: np.random.Generator, count: int = 1) -> str:
    """The object with some of its attributes; colour and shape are seldom left out, and never both."""
    left_out = rng.random()
    words: list[str] = []
    if item.texture is not Texture.PLAIN:
        words += [item.texture] if rng.random() < 0.7 else []
    elif rng.random() < 0.08:
        words.append(item.texture)
    if left_out >= 0.06:
        words.insert(int(rng.integers(len(words) + 1)), item.colour)
    if rng.random() < 0.45:
        words.insert(0, item.size)
    noun = _NOUN_FOR_ANY if left_out > 0.96 else str(item.shape)
    return " ".join([COUNT_WORDS[count - 1], *words, noun if count == 1 else plural(noun)])


def _relation_body(scene: Scene, rng: np.random.Generator) -> str:
    """Both objects and how they lie to each other, told from either side or not at all."""
    first, second = scene.objects
    relation = scene.relation
    if rng.random() < 0.4:
        first, second = second, first
        relation = relation.inverse if relation else None
    head, tail = _noun_phrase(first, rng), _noun_phrase(second, rng)
    if relation is None or rng.random() < 0.15:
        return f"{head} {_JOINT} {tail}"
    return f"{head} {pick(rng, _RELATION_PHRASES[relation])} {tail}"


def _position_phrase(position: Position, rng: np.random.Generator) -> str:
    match position:
        case Position.CENTER:
            phrases: Sequence[str] = _CENTRE_PHRASES
        case Position.LEFT | Position.RIGHT:
            phrases = _SIDE_PHRASES
        case Position.TOP | Position.BOTTOM:
            phrases = _EDGE_PHRASES
        case _:
            phrases = _CORNER_PHRASES
    return pick(rng, phrases).format(position)


def _ground_phrase(ground: Ground, rng: np.random.Generator) -> str:
    """The background by its colour, or only as light or dark."""
    tone = next((word for word, grounds in _TONES if ground in grounds), None)
    if tone is not None and rng.random() < 0.25:
        return f"on a {tone} background"
    return pick(rng, _GROUND_PHRASES).format(ground)


def _with_articles(text: str) -> str:
    """The text with "an" before a vowel."""
    return re.sub(r"\ba (?=[aeiou])", "an ", text)
