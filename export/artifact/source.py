"""The hash of the code that makes artefacts."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from pocketclip.export.artifact.manifest import hash_file


@functools.cache
def source_sha256() -> str:
    """The hash of the code that makes artefacts: a change of it is a change of what comes out."""
    digest = hashlib.sha256()
    for package in ("export", "models"):
        root = Path(__file__).parents[2] / package
        for path in sorted(root.rglob("*.py")):
            digest.update(f"{package}/{path.relative_to(root).as_posix()}\0{hash_file(path)}\n".encode())
    return digest.hexdigest()
