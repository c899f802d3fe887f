"""Where export jobs run that do not run here. `export` imports nothing above it: who is above says where that is."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol

from pocketclip.export.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pocketclip.export.job import ExportJob
    from pocketclip.export.jobs.workers import Outcome


class Carrier(Protocol):
    """Carries jobs to the fleet of an address, each on so many cores; yields each with its result or error."""

    def __call__(self, address: str, jobs: Sequence[ExportJob], cores: int, /) -> Iterator[Outcome]: ...


_carriers: list[str] = []


def offer(carrier: str) -> None:
    """Names the function, as `module:name`, that carries jobs to a fleet; it is imported where it is used."""
    _carriers[:] = [carrier]


def carried(address: str, jobs: Sequence[ExportJob], cores: int) -> Iterator[Outcome]:
    """Carries jobs out on the fleet of an address.

    Raises:
        ExportError: nothing here reaches a fleet.
        PocketClipError: the fleet cannot be reached.
    """
    if not _carriers:
        raise ExportError("this program reaches no fleet", fix="use `pocketclip export`")
    module, _, name = _carriers[0].partition(":")
    carrier: Carrier = getattr(importlib.import_module(module), name)
    yield from carrier(address, jobs, cores)
