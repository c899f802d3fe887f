"""Typed JSON documents: configs, manifests and records are frozen dataclasses read strictly.

A document class is made with `@document`; unknown keys, wrong types, NaN and infinity are refused
when it is read.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

from pocketclip.models import atomic
from pocketclip.models.errors import PocketClipError
from pocketclip.models.untrusted import json_text
from pocketclip.models.untrusted.files import read_bounded
from pocketclip.models.untrusted.printable import printable_line, printable_path

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def document(cls: type[T]) -> type[T]:
    """Makes a class a frozen dataclass that `parse` reads strictly."""
    cls.__pydantic_config__ = {"extra": "forbid", "strict": True, "allow_inf_nan": False}  # pyright: ignore[reportAttributeAccessIssue]
    return dataclasses.dataclass(frozen=True)(cls)


@functools.cache
def adapter(kind: type[T]) -> TypeAdapter[T]:
    """The validator of a document class, made once."""
    # Imported here: pydantic costs 0.1 s that `--help` need not pay.
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def parse(
    kind: type[T],
    text: str | bytes,
    *,
    source: str,
    error: type[PocketClipError],
    most_bytes: int = json_text.MOST_BYTES,
) -> T:
    """Reads a document from JSON text; `source` says in messages where the text came from.

    Raises:
        error: the text is longer than `most_bytes`, is no JSON (`models.untrusted.json_text`) or does not fit; the
            message names the first misfits.
    """
    from pydantic import ValidationError

    source = printable_line(source)
    try:
        # pydantic takes the last of repeated keys and numbers of any length.
        json_text.loads(text, most_bytes=most_bytes)
        return adapter(kind).validate_json(text)
    except json_text.JsonFault as caught:
        raise error(f"{source} is not a valid {kind.__name__}: it {caught}") from caught
    except ValidationError as caught:
        raise error(f"{source} is not a valid {kind.__name__}: {_misfits(caught)}") from caught
    except PocketClipError as caught:
        raise error(f"{source}: {caught}") from caught


def from_values(kind: type[T], values: object, *, source: str, error: type[PocketClipError]) -> T:
    """Reads a document, or a collection of them, from values of Python as a database gives them: 1 may mean true.

    Raises:
        error: they do not fit; the message names the first misfits.
    """
    from pydantic import ValidationError

    try:
        return adapter(kind).validate_python(values, strict=False)
    except ValidationError as caught:
        raise error(f"{printable_line(source)} is not valid: {printable_line(_misfits(caught))}") from caught


def read(kind: type[T], path: Path, *, error: type[PocketClipError], most_bytes: int = json_text.MOST_BYTES) -> T:
    """Reads a document from a regular file; see `parse`."""
    text = read_bounded(path, most_bytes, error=error)
    return parse(kind, text, source=str(path), error=error, most_bytes=most_bytes)


def read_json(path: Path, *, error: type[PocketClipError], most_bytes: int = json_text.MOST_BYTES) -> Any:
    """Any JSON value of a regular file, with the bounds of `models.untrusted.json_text`.

    Raises:
        error: the file cannot be read or holds no such JSON.
    """
    content = read_bounded(path, most_bytes, error=error)
    try:
        return json_text.loads(content, most_bytes=most_bytes)
    except json_text.JsonFault as caught:
        raise error(f"{printable_path(path)} {caught}") from caught


def has_key(path: Path, key: str, *, error: type[PocketClipError]) -> bool:
    """Whether the JSON object in a file has a key, by which kinds of document are told apart.

    Raises:
        error: the file cannot be read; what is no JSON object has no key.
    """
    content = read_bounded(path, json_text.MOST_BYTES, error=error)
    try:
        found = json_text.loads(content)
    except json_text.JsonFault:
        return False
    return isinstance(found, dict) and key in found


def to_builtin(value: object) -> Any:
    """The document as dicts, lists, strings and numbers, ready for `json.dumps`."""
    return adapter(type(value)).dump_python(value, mode="json")


def to_json(value: object) -> str:
    """The document as indented JSON text with a final newline.

    Raises:
        ValueError: a number is NaN or infinite, which no record may hold.
    """
    return json.dumps(to_builtin(value), indent=2, allow_nan=False) + "\n"


def write(value: object, path: Path) -> None:
    """Writes the document to `path`, whole or not at all."""
    atomic.write_text(path, to_json(value))


def _misfits(caught: Any, most: int = 3) -> str:
    problems = _of_nearest_kind(caught.errors(include_url=False, include_context=False))
    worded = [
        f"{'.'.join(str(part) for part in problem['loc'] if not _is_kind(part)) or 'document'}: {problem['msg']}"
        for problem in problems[:most]
    ]
    if len(problems) > most:
        worded.append(f"and {len(problems) - most} more")
    return "; ".join(worded)


def _is_kind(part: object) -> bool:
    # Where a place may hold one of several documents, pydantic puts the class into the path; keys are lower-case.
    return isinstance(part, str) and part[:1].isupper()


def _of_nearest_kind(problems: list[Any]) -> list[Any]:
    """Of a place that may hold one of several documents, only the misfits of the one that fits best."""
    counts = Counter(part for problem in problems for part in problem["loc"] if _is_kind(part))
    if not counts:
        return problems
    nearest = min(counts, key=lambda kind: counts[kind])
    return [problem for problem in problems if all(part == nearest for part in problem["loc"] if _is_kind(part))]


def read_schema_version(path: Path, *, error: type[PocketClipError]) -> int:
    """The `schema_version` of a JSON file, read before the rest so that a newer schema can be told apart.

    Raises:
        error: the file cannot be read, is no JSON object or has no whole-number version of at least 1.
    """
    content = read_json(path, error=error)
    version = content.get("schema_version") if isinstance(content, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise error(f"{path} has no schema_version of 1 or more (got {version!r})")
    return version
