"""A farm's answers, read strictly: the fields that we know, of the types that they must have."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

from pocketclip.benchmark.errors import FarmResultError
from pocketclip.models import documents

Answer = TypeVar("Answer")


def parse_answer(kind: type[Answer], told: Any, what: str) -> Answer:
    """A document of what a service answered; it may add fields that we do not know.

    Args:
        kind: the document's class.
        told: what the service's client or JSON gives.
        what: whose answer about what, for messages.

    Raises:
        FarmResultError: it is none.
    """
    if not isinstance(told, dict):
        raise FarmResultError(f"{what} is missing")
    return documents.parse(kind, json.dumps(_known(kind, told)), source=what, error=FarmResultError)


def parse_answers(kind: type[Answer], told: Any, what: str) -> list[Answer]:
    """A list of them; an answer without the list has none.

    Raises:
        FarmResultError: one is none.
    """
    if told is None:
        return []
    if not isinstance(told, list):
        raise FarmResultError(f"{what} is no list")
    return [parse_answer(kind, each, what) for each in told]


def _known(kind: type, told: dict[str, Any]) -> dict[str, Any]:
    inner = _documents_in(kind)
    found: dict[str, Any] = {}
    for name, value in told.items():
        if name not in inner or value is None:
            continue
        document = inner[name]
        if document is not None and isinstance(value, dict):
            found[name] = _known(document, value)
        elif document is not None and isinstance(value, list):
            found[name] = [_known(document, each) if isinstance(each, dict) else each for each in value]
        else:
            found[name] = value
    return found


@cache
def _documents_in(kind: type) -> dict[str, type | None]:
    """The fields of a document, each with the document that it holds."""
    hints = get_type_hints(kind)
    return {each.name: _document(hints[each.name]) for each in fields(kind)}


def _document(hint: Any) -> type | None:
    if is_dataclass(hint) and isinstance(hint, type):
        return hint
    return next((found for each in get_args(hint) if (found := _document(each)) is not None), None)
