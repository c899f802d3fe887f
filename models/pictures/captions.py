"""Captions from names and keywords: varied, seldom grammatical perfection, never something the source does not say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

_VOWELS = tuple("aeiou")


class Style(StrEnum):
    """What kind of picture it is, in the words that captions use."""

    EMOJI = "emoji"
    RENDERED = "3D emoji"
    DRAWING = "drawing"


@dataclass(frozen=True)
class Subject:
    """What a picture shows.

    Attributes:
        name: its label.
        keywords: further words.
        style: what kind of picture it is.
        countable: whether an article goes before the name.
    """

    name: str
    keywords: tuple[str, ...]
    style: Style
    countable: bool


EVALUATION_TEMPLATES = (
    "{}",
    "a picture of {}",
    "an image of {}",
    "an emoji of {}",
    "a drawing of {}",
    "clip art of {}",
)
"""Prompts of the sets; without articles, which labels such as `grapes` or `flag of Cuba` would not bear."""
PHOTOGRAPH_TEMPLATES = ("{}", "a {}", "a photo of {}", "a photo of a {}", "a picture of a {}")

_OPENINGS: dict[Style, tuple[str, ...]] = {
    Style.EMOJI: ("an emoji of {}", "emoji of {}", "an icon of {}", "a cartoon of {}", "{} emoji"),
    Style.RENDERED: ("a 3D emoji of {}", "a 3D render of {}", "a glossy icon of {}", "{} emoji"),
    Style.DRAWING: ("a drawing of {}", "clip art of {}", "an illustration of {}", "a cartoon of {}"),
}
_COMMON = ("a picture of {}", "an image of {}", "this is {}", "there is {}", "a small picture of {}")


def caption(subject: Subject, rng: np.random.Generator) -> str:
    """One of the many captions of a subject."""
    name = subject.name
    if subject.countable and rng.random() < 0.4:
        name = f"{'an' if name[0].lower() in _VOWELS else 'a'} {name}"
    form = rng.random()
    if form < 0.25:
        text = name
    else:
        openings = _COMMON if rng.random() < 0.5 else _OPENINGS[subject.style]
        text = openings[rng.integers(len(openings))].format(name)
    if subject.keywords and form >= 0.6:
        count = int(rng.integers(1, min(4, len(subject.keywords)) + 1))
        chosen = rng.permutation(len(subject.keywords))[:count]
        text = ", ".join([text, *(subject.keywords[place] for place in chosen)])
    elif subject.keywords and form < 0.05:
        text = ", ".join(subject.keywords[:6])
    return text


def captions(subject: Subject, rng: np.random.Generator, count: int) -> list[str]:
    """Different captions, at most `count`; at least one."""
    found = dict.fromkeys(caption(subject, rng) for _ in range(2 * count))
    return list(found)[:count]
