"""JSON from outside: bounded in size and depth, without duplicate keys, NaN, infinities and endless numbers."""

from __future__ import annotations

import json
from typing import Any, NoReturn

# The largest documents are records with raw samples of long runs.
MOST_BYTES = 64 << 20
MOST_DEPTH = 64
# A 64-bit integer has 19 digits.
_MOST_DIGITS = 20


class JsonFault(ValueError):
    """What is wrong with the text, in words that complete "the file ..."."""


def loads(text: str | bytes, *, most_bytes: int = MOST_BYTES, most_depth: int = MOST_DEPTH) -> Any:
    """The value of a JSON text.

    Raises:
        JsonFault: the text is longer or deeper than allowed, is no JSON or no UTF-8, repeats a key, holds NaN, an
            infinity or a number that no 64-bit type holds.
    """
    if len(text) > most_bytes:
        raise JsonFault(f"has {len(text)} bytes; at most {most_bytes} are read")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_not_finite,
            parse_int=_whole_number,
            parse_float=_number,
        )
    except RecursionError:
        raise JsonFault(f"is nested deeper than {most_depth} levels") from None
    except JsonFault:
        raise
    except UnicodeDecodeError as error:
        raise JsonFault(f"is not UTF-8: {error.reason} at byte {error.start}") from None
    except ValueError as error:
        raise JsonFault(f"is not JSON: {error}") from None
    _check_depth(value, most_depth)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        repeated = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise JsonFault(f"holds the key {repeated!r} twice")
    return found


def _not_finite(word: str) -> NoReturn:
    raise JsonFault(f"holds {word}; numbers must be finite")


def _whole_number(digits: str) -> int:
    if len(digits.lstrip("-")) > _MOST_DIGITS:
        raise JsonFault(f"holds a whole number of {len(digits)} digits; 64 bits hold 19")
    value = int(digits)
    if not -(1 << 63) <= value < 1 << 64:
        raise JsonFault(f"holds {digits}, which 64 bits do not hold")
    return value


def _number(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise JsonFault(f"holds {digits[:30]}, which is infinite as a 64-bit float")
    return value


def _check_depth(value: Any, most: int) -> None:
    level = [value]
    for _ in range(most):
        level = [
            each
            for container in level
            if isinstance(container, dict | list)
            for each in (container.values() if isinstance(container, dict) else container)
            if isinstance(each, dict | list)
        ]
        if not level:
            return
    raise JsonFault(f"is nested deeper than {most} levels")
