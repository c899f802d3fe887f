"""The hash of the code that makes artefacts."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from pocketclip.export.artifact.manifest import hash_file

# What no artefact depends on: a change there exports nothing again. A test holds the list against the imports.
UNRELATED = {
    "export": frozenset(
        {"__main__.py", "api", "bundle", "commands", "encoders.py", "foreign.py", "gallery", "inspection.py",
         "ladder", "ranking.py", "untrained.py"}
    ),
    "models": frozenset(
        {"api.py", "commands", "complexity.py", "inheritance.py", "json_schema.py", "progress.py", "reading_child.py",
         "reinforcing", "terminal", "train.py", "training"}
    ),
}  # fmt: skip


@functools.cache
def source_sha256() -> str:
    """The hash of the code that can change an artefact."""
    digest = hashlib.sha256()
    for package, unrelated in UNRELATED.items():
        root = Path(__file__).parents[2] / package
        for path in sorted(root.rglob("*.py")):
            place = path.relative_to(root)
            if place.parts[0] not in unrelated:
                digest.update(f"{package}/{place.as_posix()}\0{hash_file(path)}\n".encode())
    return digest.hexdigest()
