"""`.aimodel` folders: what lies in them, checked before Apple's native readers see it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from pocketclip.export.coreai.packages import core_version
from pocketclip.export.errors import ArtifactCorruptError, ArtifactNotFoundError

PROGRAM_NAME, HASH_NAME, METADATA_NAME = "main.mlirb", "main.hash", "metadata.json"
# The newest that coreai-core 1.0.0b3 writes and reads.
NEWEST_FORMAT = (2, 0)
_MOST_METADATA_BYTES = 1 << 20
_MARK = b"ML\xefR"


@dataclass(frozen=True)
class AssetFacts:
    """What an asset says of itself: the version of its format, and what wrote it, empty where it does not say."""

    format: str
    producer: str

    def words(self) -> str:
        """Who wrote it and what would read it, for messages about files that cannot be read."""
        return f"it was written by {self.producer or 'an unknown program'}, this is {core_version()}"


def check_asset(path: Path) -> AssetFacts:
    """Checks the parts of an asset.

    Raises:
        ArtifactNotFoundError: there is no such folder.
        ArtifactCorruptError: a part is missing, damaged or cut short, or its format is newer than the installed
            packages read.
    """
    if not path.is_dir():
        raise ArtifactNotFoundError(f"there is no folder {path}")
    facts = _facts(path / METADATA_NAME)
    if facts.format and _numbers(facts.format) > NEWEST_FORMAT:
        newest = ".".join(map(str, NEWEST_FORMAT))
        raise ArtifactCorruptError(
            f"{path} is an asset of format {facts.format}; formats up to {newest} are read here ({facts.words()})",
            fix="update PocketCLIP, or save the asset for an older system",
        )
    program = path / PROGRAM_NAME
    try:
        content = program.read_bytes()
        expected = (path / HASH_NAME).read_bytes() if (path / HASH_NAME).exists() else None
    except OSError as error:
        raise ArtifactCorruptError(f"{program} cannot be read: {error.strerror or error}") from error
    if not content.startswith(_MARK):
        raise ArtifactCorruptError(
            f"{program} is no program of Core AI: its first bytes are {content[:4].hex() or 'none'}"
        )
    if expected is not None and hashlib.sha256(content).digest() != expected:
        raise ArtifactCorruptError(
            f"{program} is not what was saved: its {len(content):,} bytes do not have the hash of {HASH_NAME}; it is "
            "cut short or damaged",
            fix="take a whole copy",
        )
    return facts


def _facts(path: Path) -> AssetFacts:
    try:
        if path.stat().st_size > _MOST_METADATA_BYTES:
            raise ArtifactCorruptError(f"{path} has {path.stat().st_size:,} bytes; {_MOST_METADATA_BYTES:,} are enough")
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no JSON"
        raise ArtifactCorruptError(f"{path} cannot be read: {reason}") from error
    if not isinstance(stored, dict):
        raise ArtifactCorruptError(f"{path} is no JSON object")
    return AssetFacts(_text(stored, "assetVersion"), _text(stored, "producer"))


def _text(stored: dict[str, object], key: str) -> str:
    value = stored.get(key, "")
    return value[:100] if isinstance(value, str) else ""


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:4]
    return tuple(int(part[:9]) for part in parts if part.isascii() and part.isdigit())
