"""The folder that ExecuTorch's Core ML delegate keeps in a payload: read as data from outside, written as plain files.

The payload has the content of the files one after the other, and ends with a JSON text whose bytes stand in reverse
order: `{"nodes": [{"name", "kind", "dataRegion": {"offset", "size"}, "children": {name: index}}, ...]}`. The last node
is the folder itself; offsets count from the payload's first byte. ExecuTorch's own function writes wherever the names
say, `..` and absolute paths included.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from pocketclip.models.untrusted import json_text
from pocketclip.models.untrusted.names import PLAIN_NAME

# The index of a real payload has a few kilobytes.
_MOST_INDEX_BYTES = 1 << 20
_MOST_NODES = 1000
_MOST_DEPTH = 16
_FILE, _FOLDER = 0, 1


class PayloadFault(ValueError):
    """What is wrong with a payload, in words that complete "the Core ML delegate's payload ..."."""


def files_of(payload: bytes) -> dict[PurePosixPath, bytes]:
    """The files of a payload by their paths below the folder, each of plain names.

    Raises:
        PayloadFault: it has no index, or one that names anything but files below the folder, each once, whose bytes
            lie inside the payload.
    """
    nodes = _index(payload)
    found: dict[PurePosixPath, bytes] = {}
    root = len(nodes) - 1
    for path, number in _walk(nodes, PurePosixPath(), root, 0, {root}):
        offset, size = _region(nodes[number])
        if offset + size > len(payload):
            raise PayloadFault(f"names {size} bytes from byte {offset} on for {path}; it has {len(payload)}")
        found[path] = payload[offset : offset + size]
    # Files that share their bytes would make much of little.
    if sum(map(len, found.values())) > len(payload):
        raise PayloadFault("holds files that are larger together than the payload")
    return found


def write_files(files: dict[PurePosixPath, bytes], folder: Path) -> None:
    """Writes what `files_of` gave into an empty folder that nobody else writes to."""
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        # Nothing is there yet, so that no link is followed.
        with place.open("xb") as stream:
            stream.write(content)


def _index(payload: bytes) -> list[dict[str, Any]]:
    text = payload[-_MOST_INDEX_BYTES:][::-1].decode("latin-1")
    try:
        # Content of files may follow the JSON text: its end is where its brackets close.
        _, end = json.JSONDecoder().raw_decode(text)
        content = json_text.loads(text[:end].encode("latin-1"), most_bytes=_MOST_INDEX_BYTES)
    except (ValueError, RecursionError) as error:
        raise PayloadFault(f"has no readable index of its files ({error})") from None
    nodes = content.get("nodes") if isinstance(content, dict) else None
    if not isinstance(nodes, list) or not nodes or not all(isinstance(node, dict) for node in nodes):
        raise PayloadFault("has an index without files")
    if len(nodes) > _MOST_NODES:
        raise PayloadFault(f"names {len(nodes)} files and folders; at most {_MOST_NODES} are read")
    return nodes


def _walk(
    nodes: list[dict[str, Any]], folder: PurePosixPath, number: int, depth: int, seen: set[int]
) -> Iterator[tuple[PurePosixPath, int]]:
    """Path and node of every file below a folder's node."""
    children = nodes[number].get("children")
    if nodes[number].get("kind") != _FOLDER or not isinstance(children, dict):
        raise PayloadFault(f"has the entry {number} as a folder, which it is not")
    if depth > _MOST_DEPTH:
        raise PayloadFault(f"is nested deeper than {_MOST_DEPTH} folders")
    lower: set[str] = set()
    for name, child in children.items():
        fault = PLAIN_NAME.fault(name)
        if fault is not None:
            raise PayloadFault(f"holds a name of a file that {fault}")
        # Some file systems take names for the same that differ in case alone.
        if name.lower() in lower:
            raise PayloadFault(f"holds the name {name} twice")
        lower.add(name.lower())
        if type(child) is not int or not 0 <= child < len(nodes) or child in seen:
            raise PayloadFault(f"has no entry of its own for {folder / name}")
        seen.add(child)
        if nodes[child].get("kind") == _FILE:
            yield folder / name, child
        else:
            yield from _walk(nodes, folder / name, child, depth + 1, seen)


def _region(node: dict[str, Any]) -> tuple[int, int]:
    region = node.get("dataRegion")
    offset, size = (region.get(key) if isinstance(region, dict) else None for key in ("offset", "size"))
    if type(offset) is not int or type(size) is not int or offset < 0 or size < 0:
        raise PayloadFault("has a file without the place of its bytes")
    return offset, size
