"""What a build draws on: the pinned sources and the lists of the splits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pocketclip.models.errors import ConfigError, choices
from pocketclip.models.pictures.sources import PHOTOGRAPHS, SOURCES, Role, Source


@dataclass(frozen=True)
class Catalogue:
    """Sources by name, and the folder of the lists."""

    sources: Mapping[str, Source]
    lists: Path

    def without(self, names: Collection[str]) -> frozenset[str]:
        """The sources that a user leaves out; `photographs` stands for all of them.

        Raises:
            ConfigError: there is no source of that name.
        """
        photographs = {name for name, source in self.sources.items() if source.role is Role.PHOTOGRAPHS}
        for name in names:
            if name not in self.sources and name != PHOTOGRAPHS:
                raise ConfigError(
                    f"there is no source {name!r} to leave out",
                    fix=f"choose among: {choices([*self.sources, PHOTOGRAPHS])}",
                )
        return frozenset(names) - {PHOTOGRAPHS} | (photographs if PHOTOGRAPHS in names else set())


def default_catalogue() -> Catalogue:
    """The catalogue of this package."""
    return Catalogue(SOURCES, Path(__file__).with_name("lists"))
