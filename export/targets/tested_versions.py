"""Whether the wheels of a target are of the versions that it was tested with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

_OURS = "pocketclip"


def untested(packages: Sequence[str], extra: str) -> str | None:
    """The first installed package of another version than those that PocketCLIP was tested with, and these.

    A checkout that is not installed has no bounds, and neither has a package that no extra names.

    Args:
        packages: distributions.
        extra: the pip extras that bring them, with commas between.
    """
    bounds = _bounds(extra)
    for name in packages:
        tested, installed = bounds.get(canonicalize_name(name)), _version(name)
        if tested is not None and installed is not None and not tested.contains(installed, prereleases=True):
            # Lower bounds first.
            versions = ",".join(sorted(map(str, tested), reverse=True))
            return f"{name} {installed} is installed; PocketCLIP was tested with {name}{versions}"
    return None


@cache
def _bounds(extra: str) -> dict[str, SpecifierSet]:
    try:
        lines = metadata.requires(_OURS) or []
    except metadata.PackageNotFoundError:
        return {}
    wanted = [each for each in map(_read, lines) if each is not None and _applies(each, extra)]
    return {canonicalize_name(each.name): each.specifier for each in wanted}


def _read(line: str) -> Requirement | None:
    try:
        return Requirement(line)
    except InvalidRequirement:
        return None


def _applies(requirement: Requirement, extra: str) -> bool:
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate({"extra": name}) for name in extra.split(","))


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
