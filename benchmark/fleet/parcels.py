"""Artefacts on their way to hosts: a folder's files under the hash of all of them, unpacked once on each host."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from pocketclip.benchmark.errors import FleetAnswerError, FleetPlanError
from pocketclip.models import atomic
from pocketclip.models.untrusted.names import RELATIVE_PATH, SHA256
from pocketclip.models.untrusted.printable import printable_line

Parcel = Mapping[str, bytes]
"""Files by their path below the folder."""

# On a host, the parcels that were used last.
_MOST_KEPT = 64


def pack(folder: Path) -> dict[str, bytes]:
    """The files of an artefact's or a bundle's folder.

    Raises:
        FleetPlanError: one cannot be read, is a link, or has a name that no host would take.
    """
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise FleetPlanError(f"cannot send {printable_line(str(path))}: it is a link or no regular file")
        if path.is_dir():
            continue
        if RELATIVE_PATH.fault(name) is not None:
            raise FleetPlanError(f"cannot send {printable_line(str(path))}: its name {RELATIVE_PATH.fault(name)}")
        try:
            found[name] = path.read_bytes()
        except OSError as error:
            raise FleetPlanError(f"cannot read {printable_line(str(path))}: {error.strerror}") from error
    return found


def parcel_key(parcel: Parcel) -> str:
    """The hash of all names and contents."""
    whole = hashlib.sha256()
    for name in sorted(parcel):
        whole.update(f"{name}\0{hashlib.sha256(parcel[name]).hexdigest()}\n".encode())
    return whole.hexdigest()


def unpacked(key: str, fetch: Callable[[], Parcel], folder: Path) -> Path:
    """The folder with a parcel's files below `folder`; it is fetched and written only where it is not there yet.

    Raises:
        FleetAnswerError: what was fetched is another parcel, or has a name that leads elsewhere.
        StorageError: it cannot be written: the disk is full.
    """
    if SHA256.fault(key) is not None:
        raise FleetAnswerError(f"a parcel's key {SHA256.fault(key)}")
    place = folder / key
    if not place.is_dir():
        parcel = fetch()
        for name in parcel:
            fault = RELATIVE_PATH.fault(name)
            if fault is not None:
                raise FleetAnswerError(f"a file of parcel {key[:12]} {fault}")
        if parcel_key(parcel) != key:
            raise FleetAnswerError(f"parcel {key[:12]} arrived altered")
        # Whole or not at all: another job of this host may look for it at the same time.
        with atomic.new_directory(place) as fresh:
            for name, content in parcel.items():
                file = fresh / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        _forget_old(folder)
    os.utime(place)
    return place


def _forget_old(folder: Path) -> None:
    places = sorted((each for each in folder.iterdir() if each.is_dir()), key=lambda each: each.stat().st_mtime)
    for place in places[:-_MOST_KEPT]:
        shutil.rmtree(place, ignore_errors=True)
