"""Core ML packages: finding the model file and the weights of a `.mlpackage`, and changing nothing in it.

coremltools' own way (`coremltools.utils.load_spec`) writes `Manifest.json` anew whenever it reads, without the keys
that it does not know.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from coremltools import proto
from google.protobuf.message import DecodeError

from pocketclip.export.errors import ArtifactCorruptError, ArtifactError, ArtifactNotFoundError
from pocketclip.models.errors import first_line
from pocketclip.models.untrusted import json_text
from pocketclip.models.untrusted.files import read_bounded

MANIFEST_NAME = "Manifest.json"
_MOST_MANIFEST_BYTES = 1 << 20
# What a protobuf message may have.
_MOST_MODEL_BYTES = (1 << 31) - 1
_MOST_ENTRIES = 10_000


@dataclass(frozen=True)
class Package:
    """An opened package: its specification (a protobuf message), and the folder that its weights lie in."""

    folder: Path
    specification: Any
    weights: Path


def open_package(folder: Path) -> Package:
    """Reads the specification of a saved package; nothing in it is written.

    Raises:
        ArtifactNotFoundError: nothing is there.
        ArtifactError: it is no mlpackage.
        ArtifactCorruptError: its manifest or model is missing, truncated or altered, or it holds what is no file.
    """
    if not folder.exists():
        raise ArtifactNotFoundError(f"{folder} does not exist")
    if not folder.is_dir() or folder.suffix != ".mlpackage":
        raise ArtifactError(f"{folder} is not an .mlpackage folder")
    if not (folder / MANIFEST_NAME).is_file():
        raise ArtifactCorruptError(f"{folder} has no {MANIFEST_NAME}")
    _check_files(folder)
    path = folder / "Data" / _model_path(folder)
    specification: Any = proto.Model_pb2.Model()  # pyright: ignore[reportAttributeAccessIssue]
    try:
        specification.ParseFromString(read_bounded(path, _MOST_MODEL_BYTES, error=ArtifactCorruptError))
    except (DecodeError, ArtifactCorruptError) as error:
        raise _altered(folder, first_line(error)) from error
    return Package(folder, specification, path.parent / "weights")


def private_copy(package: Path, folder: Path) -> Path:
    """The package in another folder, for Core ML's own tools, which write its manifest: the large files are linked."""

    def place(source: str, goal: str) -> str:
        if Path(source).name != MANIFEST_NAME:
            with contextlib.suppress(OSError):
                os.link(source, goal)
                return goal
        return shutil.copyfile(source, goal)

    return Path(shutil.copytree(package, folder / package.name, copy_function=place))


def _check_files(folder: Path) -> None:
    """Native readers wait for ever at a pipe, and read a device without end."""
    count = 0
    for parent, folders, names in os.walk(folder):
        count += len(folders) + len(names)
        if count > _MOST_ENTRIES:
            raise ArtifactCorruptError(f"{folder} holds more than {_MOST_ENTRIES} files")
        for path in (Path(parent, name) for name in names):
            try:
                regular = stat.S_ISREG(path.stat().st_mode)
            except OSError as error:
                raise _altered(folder, f"{path.relative_to(folder)}: {error.strerror}") from error
            if not regular:
                raise ArtifactCorruptError(f"{folder} holds {path.relative_to(folder)}, which is not a regular file")


def _model_path(folder: Path) -> PurePosixPath:
    """Where the manifest says that the model lies, below `Data`."""
    try:
        content = json_text.loads(
            read_bounded(folder / MANIFEST_NAME, _MOST_MANIFEST_BYTES, error=ArtifactCorruptError),
            most_bytes=_MOST_MANIFEST_BYTES,
        )
        path = content["itemInfoEntries"][content["rootModelIdentifier"]]["path"]
        if not isinstance(path, str):
            raise TypeError("the model's path is not text")
    except (json_text.JsonFault, ArtifactCorruptError) as fault:
        raise _altered(folder, first_line(fault)) from fault
    except (KeyError, TypeError) as error:
        raise _altered(folder, f"{MANIFEST_NAME} names no model file") from error
    found = PurePosixPath(path)
    if found.is_absolute() or not found.parts or ".." in found.parts or "\0" in path or "\\" in path:
        raise _altered(folder, f"{MANIFEST_NAME} names {path!r}, which is outside the package")
    return found


def _altered(folder: Path, reason: str) -> ArtifactCorruptError:
    return ArtifactCorruptError(f"{folder}: manifest or model file is truncated or altered ({reason})")
