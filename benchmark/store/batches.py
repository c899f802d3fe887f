"""Rows in groups that one statement takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

# SQLite and PostgreSQL take more variables than this in a statement.
MOST_AT_ONCE = 500


def batched(values: Iterable[T]) -> Iterator[list[T]]:
    """The values in their order, at most `MOST_AT_ONCE` at a time."""
    rest = iter(values)
    while some := list(islice(rest, MOST_AT_ONCE)):
        yield some
