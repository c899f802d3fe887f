"""Work that needs cores, not a device: functions with their arguments, on whichever node of a fleet has room."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from pocketclip.models.errors import PocketClipError

Key = TypeVar("Key")


@dataclass(frozen=True)
class Call(Generic[Key]):
    """A function of a module, so that other processes find it, with its arguments; `key` tells calls apart."""

    key: Key
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class Nodes(Protocol):
    """The nodes of a fleet."""

    def run(self, calls: Sequence[Call[Key]], *, cores: int) -> Iterator[tuple[Key, Any]]:
        """Carries calls out, each on `cores` cores of a node; yields keys and results as they end.

        A call whose node is lost is carried out again on another one. A `PocketClipError` that a call raises is its
        result: one that fails stops no other.

        Raises:
            FleetError: no node has so many cores, or the fleet is gone.
        """
        ...


class InlineNodes:
    """This process, one call after the other."""

    def run(self, calls: Sequence[Call[Key]], *, cores: int) -> Iterator[tuple[Key, Any]]:
        for call in calls:
            try:
                yield call.key, call.function(*call.arguments)
            except PocketClipError as error:
                yield call.key, error
