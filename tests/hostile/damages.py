"""What is done to a sound bundle: fields of its manifest, its text, values of its tensors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pocketclip.export.artifact.names import BUNDLE_NAME
from tests.export.bundle.tiny_artifacts import edit, resign

Damage = Callable[[Path], object]


def own(path: Path) -> Path:
    """Gives a file a content of its own."""
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    return path


def put(place: str, value: object) -> Damage:
    """Sets a field of the manifest, by keys and numbers between dots."""
    return _at(place, lambda inner, last: inner.__setitem__(last, value))


def drop(place: str) -> Damage:
    """Leaves a field of the manifest out."""
    return _at(place, lambda inner, last: inner.pop(last))


def append(place: str, value: object) -> Damage:
    """Adds to a list of the manifest."""
    return _at(place, lambda inner, last: inner[last].append(value))


def move_model(place: str, path: str) -> Damage:
    """Moves the file of a model to another place of the bundle, where it is listed."""

    def damage(folder: Path) -> None:
        def change(content: dict[str, Any]) -> None:
            model = _found(content, place)
            old, model["entry_point"] = model["entry_point"], path
            next(entry for entry in content["files"] if entry["path"] == old)["path"] = path
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / old).rename(folder / path)

        edit(folder, change)

    return damage


def _at(place: str, change: Callable[[Any, Any], object]) -> Damage:
    way, _, last = place.rpartition(".")
    return lambda folder: edit(folder, lambda content: change(_found(content, way), _key(last)))


def _found(content: Any, way: str) -> Any:
    """What stands in the manifest behind keys and numbers between dots; without any, the manifest."""
    for part in way.split(".") if way else ():
        content = content[_key(part)]
    return content


def _key(part: str) -> str | int:
    return int(part) if part.isdigit() else part


def reword(old: str, new: str) -> Damage:
    """The manifest's text, in which the first place of `old` becomes `new`."""

    def damage(folder: Path) -> None:
        text = (folder / BUNDLE_NAME).read_text()
        assert old in text, old
        (folder / BUNDLE_NAME).write_text(text.replace(old, new, 1))

    return damage


def revalue(file: str, dtype: str, change: Callable[[np.ndarray], object]) -> Damage:
    """Values of a stored tensor, with sizes and hashes brought in line."""

    def damage(folder: Path) -> None:
        path = own(folder / file)
        values = np.fromfile(path, dtype)
        change(values)
        values.tofile(path)
        resign(folder)

    return damage


def file_entry(**changes: object) -> Damage:
    """Changes the first entry of the files listed."""
    return lambda folder: edit(folder, lambda content: content["files"][0].update(changes))


def listed(path: str) -> Damage:
    """Lists one more file."""
    added = {"path": path, "size_bytes": 1, "sha256": "0" * 64}
    return lambda folder: edit(folder, lambda content: content["files"].append(added))
