"""Gets packages by their registries' own clients, once: into a cache, checked against their pins."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from filelock import FileLock

from pocketclip.models import atomic
from pocketclip.models.errors import MissingPackageError
from pocketclip.models.pictures.sources import Source
from pocketclip.models.untrusted.printable import printable_line, printable_path

_MOST_SECONDS = 1800
_MOST_WORDS = 160
# A file that grows beyond its pin is another one.
_AT_ONCE = 1 << 20


def package_file(source: Source, folder: Path) -> Path:
    """The file of a package in the folder of packages, downloaded if it is not there.

    Raises:
        MissingPackageError: it cannot be had, or has other content than its pin; the message says which.
        StorageError: the folder cannot be written.
    """
    path = folder / source.file
    with atomic.storage_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        held = FileLock(folder / f".{source.file}.lock").acquire()
    with held:
        if not path.is_file():
            _download(source, path)
        _check(source, path)
    return path


def _check(source: Source, path: Path) -> None:
    size = path.stat().st_size
    found = f"{size:,} bytes instead of {source.size_bytes:,}"
    if size == source.size_bytes:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest == source.sha256:
            return
        found = f"SHA-256 {digest[:12]}... instead of {source.sha256[:12]}..."
    raise MissingPackageError(
        f"{source.pin} has other content than its pin: {found}",
        fix=f"delete {printable_path(path)} and try again; if the registry changed it, wait for a new pin",
        code="changed-package",
    )


def _download(source: Source, path: Path) -> None:
    program = source.command[0]
    if shutil.which(program) is None:
        raise MissingPackageError(
            f"{source.pin} is not in the cache, and {program} is not installed",
            fix=f"install it, or put {source.file} into {printable_path(path.parent)}",
        )
    # A folder of its own: what a killed client leaves is never taken for the package.
    with atomic.storage_errors(path):
        scratch = Path(tempfile.mkdtemp(prefix=".download-", dir=path.parent))
    try:
        _run(source, scratch)
        fetched = scratch / source.file
        if not fetched.is_file() or fetched.is_symlink():
            written = ", ".join(sorted(printable_line(each.name) for each in scratch.iterdir())[:3])
            raise MissingPackageError(
                f"{program} gave {written or 'no file'} for {source.pin} instead of {source.file}",
                fix="the registry no longer has this version, or its client is too old",
            )
        with atomic.storage_errors(path):
            fetched.replace(path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(source: Source, folder: Path) -> None:
    try:
        ended = subprocess.run(
            source.command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_MOST_SECONDS,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        raise MissingPackageError(
            f"{source.pin}: {source.command[0]} took longer than {_MOST_SECONDS // 60} minutes",
            fix="try again with a faster network",
        ) from None
    except OSError as error:
        raise MissingPackageError(
            f"{source.pin}: cannot start {source.command[0]}: {error.strerror or error}",
            fix=f"or put {source.file} into the cache yourself",
        ) from error
    if ended.returncode:
        lines = [line.strip() for line in ended.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        told = printable_line(lines[0] if lines else f"exit code {ended.returncode}")[:_MOST_WORDS]
        raise MissingPackageError(
            f"{source.pin} is not in the cache and cannot be downloaded: {told}",
            fix="check the network; for Debian's packages run apt-get update first",
        )
