"""Exports the two sides of a change, each with what its own checkout holds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pocketclip.benchmark.errors import OptionError
from pocketclip.export.artifact.reading import Artifact, find_artifacts
from pocketclip.export.errors import ArtifactNotFoundError
from pocketclip.models.untrusted.printable import printable_line

# Of what a failed export said, the end.
_MOST_LINES = 20

Key = tuple[str, str]
"""Scheme and tower: what a side's artefact has in common with the other side's."""


class Side(StrEnum):
    """A checkout: the branch that a change is for, or the change."""

    BASE = "base"
    HEAD = "head"


@dataclass(frozen=True)
class Exported:
    """What a side's export left: its artefacts by scheme and tower, and the end of what it said if it failed."""

    artifacts: dict[Key, Artifact]
    failure: tuple[str, ...] | None


@dataclass(frozen=True)
class ExportRequest:
    """What both sides export: the words of `pocketclip export`'s options of these names."""

    model: str
    target: str
    precision: str
    tower: str
    fresh_weights: bool

    @property
    def arguments(self) -> list[str]:
        """Of `pocketclip export`, without --out."""
        words = ["--model", self.model, "--target", self.target, "--quantize", self.precision, "--tower", self.tower]
        return [*words, *(["--fresh-weights"] if self.fresh_weights else [])]


def export_side(request: ExportRequest, checkout: Path, out: Path, say: Callable[[str], object]) -> Exported:
    """Runs `pocketclip export` in a checkout.

    A path in the request is relative to the checkout. A checkout of PocketCLIP itself exports with its own code, since
    Python looks for modules in the folder where it starts.

    Raises:
        OptionError: there is no such folder.
    """
    if not checkout.is_dir():
        raise OptionError(f"{checkout} is no folder", fix="give the folder of a checkout")
    command = [sys.executable, "-m", "pocketclip", "export", *request.arguments, "--out", str(out.resolve())]
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=checkout, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        encoding="utf-8", errors="replace",
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(printable_line(line.rstrip("\n")))
            say(lines[-1])
    failure = tuple(lines[-_MOST_LINES:]) if process.returncode else None
    return Exported(_by_key(out), failure)


def _by_key(out: Path) -> dict[Key, Artifact]:
    try:
        found = find_artifacts([out])
    except ArtifactNotFoundError:
        return {}
    return {(artifact.manifest.scheme, str(artifact.manifest.tower)): artifact for artifact in found}


def keys_of(sides: Sequence[Exported]) -> list[Key]:
    """Of all artefacts of all sides, in order."""
    return sorted({key for side in sides for key in side.artifacts})
