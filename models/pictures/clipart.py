"""What drawings of the Open Clip Art Library are called: titles and keywords inside the SVG, mended.

Many titles are those of a whole collection ("Various Cliparts"), with the name of the file saying what is shown.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

_TITLE = re.compile(r"[^}]*}?title")
_MOST_WORDS = 8
_MOST_KEYWORDS = 12
# Titles of collections, as they begin in lower case.
_COLLECTIONS = (
    "architetto",
    "australian maps",
    "blueberry",
    "boating rules",
    "card",
    "clip art",
    "clipart",
    "etiquette",
    "flag",
    "homes clipart",
    "lemon svg",
    "openclipart",
    "r16",
    "svg",
    "various",
    "vector",
)
# Say nothing of what is shown.
_EMPTY_WORDS = frozenset(
    [
        "01",
        "02",
        "03",
        "aj",
        "art",
        "bw",
        "by",
        "b",
        "clip",
        "clipart",
        "cliparts",
        "drawing",
        "francesco",
        "francisco",
        "hash",
        "icon",
        "icons",
        "iconset",
        "illustration",
        "image",
        "openclipart",
        "remix",
        "svg",
        "symbol",
        "symbols",
        "unsorted",
        "untitled",
        "version",
        "vector",
        "w",
    ]
)
_FOLDERS_LEFT_OUT = ("buttons/", "decorations/", "logos/", "shapes/", "signs_and_symbols/", "special/")
_PARTS_LEFT_OUT = ("icons", "aiga", "flag", "/cards/", "/buttons/", "roadsigns", "smilies")
# An artist of many drawings, with names in Italian.
_ARTISTS_LEFT_OUT = ("architetto", "frolland", "rollandin")


@dataclass(frozen=True)
class Named:
    """What a drawing shows: its name and further keywords, in lower case."""

    name: str
    keywords: tuple[str, ...]


def is_taken(path: str) -> bool:
    """Whether a drawing of that path shows a thing: icons, signs, flags, cards and the like are left out."""
    below = path.split("openclipart/svg/")[-1]
    return (
        below.endswith(".svg")
        and not below.startswith(_FOLDERS_LEFT_OUT)
        and not any(part in below for part in (*_PARTS_LEFT_OUT, *_ARTISTS_LEFT_OUT))
    )


def named(path: str, content: bytes) -> Named | None:
    """The name and keywords of a drawing; None where neither the file nor its name says what is shown.

    The SVG must have been checked (`drawing.svg_fault`): entities would be expanded here.
    """
    try:
        tree = ET.fromstring(content)
    except (ET.ParseError, ValueError, LookupError):
        return None
    title, keywords = _metadata(tree)
    stem = path.rsplit("/", 1)[-1].removesuffix(".svg")
    name = _cleaned(title)
    if not name or title.lower().startswith(_COLLECTIONS):
        name = _cleaned(stem)
    if not name:
        return None
    kept = dict.fromkeys(word for word in map(_cleaned, keywords) if word and word != name)
    return Named(name, tuple(kept)[:_MOST_KEYWORDS])


def _metadata(tree: ET.Element) -> tuple[str, list[str]]:
    """The title of the work and its keywords."""
    work = next((each for each in tree.iter() if each.tag.endswith("}Work")), None)
    if work is None:
        return "", []
    title = next((each.text or "" for each in work if _TITLE.fullmatch(each.tag)), "")
    subject = next((each for each in work if each.tag.endswith("}subject")), None)
    if subject is None:
        return title, []
    return title, [each.text for each in subject.iter() if each.tag.endswith("}li") and each.text]


def _cleaned(text: str) -> str:
    """Words of letters in lower case, without numbers, addresses and words that say nothing."""
    text = re.sub(r"\([^)]*\)|\S*@\S*|\bclipart by [^-]*-", " ", text.lower().replace("_", " "))
    words = re.findall(r"[a-zà-ÿ]+(?:['\u2019-][a-zà-ÿ]+)*", text)
    words = [word for word in words if word not in _EMPTY_WORDS]
    return " ".join(words) if 1 <= len(words) <= _MOST_WORDS and len("".join(words)) > 2 else ""
