"""The pictures of a package by their keys: code points of emoji, paths of drawings and photographs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketclip.models.errors import DatasetError
from pocketclip.models.pictures.archives import MOST_MEMBER_BYTES, members
from pocketclip.models.pictures.clipart import is_taken
from pocketclip.models.pictures.concepts import Concept, code_of, read_concepts
from pocketclip.models.pictures.drawing import Format
from pocketclip.models.pictures.resources import resources
from pocketclip.models.pictures.sources import Reader, Source
from pocketclip.models.untrusted import json_text

_LABELS = "en/data.json"
_FORMATS: dict[str, Format] = {"svg": "svg", "png": "png", "webp": "webp", "jpg": "jpg", "jpeg": "jpg"}
_MOST_ICONS = 20_000
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True)
class Encoded:
    """A picture as its package has it."""

    key: str
    content: bytes
    kind: Format


def concepts_of(path: Path) -> dict[str, Concept]:
    """The concepts in the package of labels.

    Raises:
        DatasetError: the package lacks them, or is damaged.
    """
    for _, content in members(path, _LABELS.__eq__):
        return read_concepts(content)
    raise DatasetError(f"{path.name} holds no {_LABELS}")


def pictures_of(
    source: Source, path: Path, wanted: Collection[str] | None, concepts: Collection[Concept] = ()
) -> Iterator[Encoded]:
    """The pictures of a package in the order of its files, or by code; each once.

    Args:
        source: how they are laid out.
        path: the package.
        wanted: keys; None takes all that the reader finds.
        concepts: for packages that name pictures by label.

    Raises:
        DatasetError: the package is damaged.
    """
    if source.reader is Reader.ICONIFY:
        found = _icons(path, concepts)
    elif source.reader is Reader.FILES:
        found = _emoji_files(source, path)
    elif source.reader is Reader.RESOURCES:
        found = _resources(source, path, wanted)
    else:
        found = _files(source, path, wanted)
    seen: set[str] = set()
    for encoded in found:
        if encoded.key not in seen and (wanted is None or encoded.key in wanted):
            seen.add(encoded.key)
            yield encoded


def _below(source: Source, name: str) -> str | None:
    folder = f"{source.folder}/"
    return name.removeprefix(folder) if name.startswith(folder) else None


def _format(name: str) -> Format | None:
    return _FORMATS.get(name.rsplit(".", 1)[-1].lower())


def _emoji_files(source: Source, path: Path) -> Iterator[Encoded]:
    def is_emoji(name: str) -> bool:
        return _code_of_file(source, name) is not None

    for name, content in members(path, is_emoji):
        code, kind = _code_of_file(source, name), _format(name)
        if code is not None and kind is not None:
            yield Encoded(code, content, kind)


def _code_of_file(source: Source, name: str) -> str | None:
    below = _below(source, name)
    return None if below is None or "/" in below or _format(below) is None else code_of(below.rsplit(".", 1)[0])


def _files(source: Source, path: Path, wanted: Collection[str] | None) -> Iterator[Encoded]:
    def is_wanted(name: str) -> bool:
        below = _below(source, name)
        if below is None or _format(below) is None or (source.reader is Reader.CLIPART and not is_taken(below)):
            return False
        return wanted is None or below in wanted

    for name, content in members(path, is_wanted):
        below, kind = _below(source, name), _format(name)
        assert below is not None and kind is not None
        yield Encoded(below, content, kind)


def _resources(source: Source, path: Path, wanted: Collection[str] | None) -> Iterator[Encoded]:
    """Keys are the archive's name and the path in it, e.g. `erase.rcc/gcompris/src/.../polar_bear.webp`."""
    archives = None if wanted is None else {key.split("/", 1)[0] for key in wanted}

    def is_archive(name: str) -> bool:
        below = _below(source, name)
        return below is not None and below.endswith(".rcc") and (archives is None or below in archives)

    for name, content in members(path, is_archive):
        archive = _below(source, name)
        for inside, picture in resources(content, lambda inside: _format(inside) is not None):
            kind = _format(inside)
            assert kind is not None
            yield Encoded(f"{archive}/{inside}", picture, kind)


def _icons(path: Path, concepts: Collection[Concept]) -> Iterator[Encoded]:
    """Iconify's bodies, found by code points, or else by label."""
    files = dict(members(path, ("icons.json", "chars.json").__contains__))
    icons = _json(path, files, "icons.json")
    characters = _json(path, files, "chars.json") if "chars.json" in files else {}
    bodies, aliases = icons.get("icons"), icons.get("aliases", {})
    if not isinstance(bodies, dict) or not isinstance(aliases, dict) or len(bodies) > _MOST_ICONS:
        raise DatasetError(f"{path.name}: icons.json holds no icons")
    default = (_side(icons.get("width", 16)), _side(icons.get("height", icons.get("width", 16))))
    named = {code_of(code): name for code, name in characters.items() if isinstance(name, str)}
    # Some packages write `aerialtramway` for `aerial-tramway`.
    joined = {name.replace("-", ""): name for name in (*aliases, *bodies)}
    for concept in concepts:
        words = _words(concept.label)
        name = named.get(concept.code, "-".join(words))
        if name not in bodies and name not in aliases:
            name = joined.get("".join(words), name)
        # An alias may turn or mirror its parent, which changes what an arrow says.
        alias = aliases.get(name)
        if isinstance(alias, dict) and set(alias) == {"parent"}:
            name = alias["parent"]
        icon = bodies.get(name) if isinstance(name, str) else None
        if isinstance(icon, dict) and isinstance(icon.get("body"), str):
            yield Encoded(concept.code, _svg(icon, default), "svg")


def _svg(icon: dict[str, Any], default: tuple[float, float]) -> bytes:
    width, height = _side(icon.get("width", default[0])), _side(icon.get("height", default[1]))
    box = f"{_side(icon.get('left', 0), 0)} {_side(icon.get('top', 0), 0)} {width} {height}"
    namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {namespaces} width="{width}" height="{height}" viewBox="{box}">{icon["body"]}</svg>'.encode()


def _side(value: object, least: float = 1) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= 4096:
        raise DatasetError(f"an icon has a side of {str(value)[:40]!r}")
    return value


def _words(label: str) -> list[str]:
    return _NAME.findall(label.lower().replace("\u2019", "").replace("'", ""))


def _json(path: Path, files: dict[str, bytes], name: str) -> dict[str, Any]:
    if name not in files:
        raise DatasetError(f"{path.name} holds no {name}")
    try:
        content = json_text.loads(files[name], most_bytes=MOST_MEMBER_BYTES)
    except json_text.JsonFault as fault:
        raise DatasetError(f"{path.name}: {name} {fault}") from fault
    if not isinstance(content, dict):
        raise DatasetError(f"{path.name}: {name} holds no object")
    return content
