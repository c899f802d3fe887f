"""What emoji show: a concept for each, with its label and tags from CLDR, by code points."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from pocketclip.models.errors import DatasetError
from pocketclip.models.untrusted import json_text

_FILE = "en/data.json"
_MOST_BYTES = 16 << 20
_MOST_TEXT = 200
_MOST_TAGS = 60
_CODE = re.compile(r"[0-9a-f]{2,6}(?:-[0-9a-f]{2,6}){0,11}")
# Says that the character before it is shown as a picture; designs name their files with it or without.
_PRESENTATION = "fe0f"


class Group(IntEnum):
    """CLDR's groups of emoji."""

    SMILEYS = 0
    PEOPLE = 1
    COMPONENT = 2
    ANIMALS = 3
    FOOD = 4
    TRAVEL = 5
    ACTIVITIES = 6
    OBJECTS = 7
    SYMBOLS = 8
    FLAGS = 9


@dataclass(frozen=True)
class Concept:
    """One emoji without regard to its design.

    Attributes:
        code: its code points as `code_of` writes them, e.g. `1f469-200d-1f680`.
        label: CLDR's name, e.g. `flag: Cuba`.
        tags: CLDR's keywords without those that are the label.
        group: CLDR's group.
        subgroup: CLDR's subgroup, by number.
    """

    code: str
    label: str
    tags: tuple[str, ...]
    group: Group
    subgroup: int

    @property
    def name(self) -> str:
        """The label as a class: `flag of Cuba`, `man with red hair`."""
        return class_name(self.label)


def code_of(text: str) -> str | None:
    """Code points in the one form in which designs are matched; None for a text that is none."""
    parts = [part.lstrip("0") or "0" for part in text.lower().split("-") if part and part != _PRESENTATION]
    code = "-".join(part.rjust(2, "0") for part in parts)
    return code if _CODE.fullmatch(code) else None


def class_name(label: str) -> str:
    """A label of CLDR without its colon."""
    head, colon, rest = label.partition(": ")
    if not colon:
        return label
    if head == "flag":
        return f"flag of {rest}"
    if head == "keycap":
        return f"keycap {rest}"
    if rest.endswith(("hair", "beard")):
        return f"{head} with {rest}"
    return f"{head}, {rest}"


def read_concepts(content: bytes) -> dict[str, Concept]:
    """The concepts of emojibase's `en/data.json` by code, in CLDR's order, without parts of flags.

    Raises:
        DatasetError: the file is not what it should be.
    """
    try:
        entries = json_text.loads(content, most_bytes=_MOST_BYTES)
    except json_text.JsonFault as fault:
        raise DatasetError(f"emojibase's {_FILE} {fault}") from fault
    if not isinstance(entries, list):
        raise DatasetError(f"emojibase's {_FILE} holds no list")
    # Without a group: letters that only form flags together.
    found = [_concept(entry) for entry in entries if not isinstance(entry, dict) or "group" in entry]
    concepts = {concept.code: concept for concept in found}
    if not concepts or len(concepts) != len(found):
        raise DatasetError(f"emojibase's {_FILE} names {len(found)} emoji, {len(concepts)} of them different")
    return concepts


def _concept(entry: Any) -> Concept:
    try:
        code, label, group = code_of(entry["hexcode"]), entry["label"], Group(entry["group"])
        tags, subgroup = entry.get("tags", []), entry["subgroup"]
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise DatasetError(f"emojibase's {_FILE} has an entry without what it needs: {error}") from error
    if code is None or not _is_text(label) or not _are_texts(tags) or not isinstance(subgroup, int):
        raise DatasetError(f"emojibase's {_FILE} has an entry that names no emoji: {str(label)[:40]!r}")
    kept = dict.fromkeys(tag for tag in tags if tag.lower() != label.lower())
    return Concept(code, label, tuple(kept), group, subgroup)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MOST_TEXT and value.isprintable()


def _are_texts(values: Any) -> bool:
    return isinstance(values, Sequence) and len(values) <= _MOST_TAGS and all(map(_is_text, values))
