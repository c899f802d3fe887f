"""Root file systems of Debian packages, made once and kept in the cache: what phones without hardware run in."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from pocketclip.benchmark.errors import EmulatorError
from pocketclip.models import atomic

_LAST_LINES = 3


def extract_debian(
    suite: str, architecture: str, packages: Sequence[str], folder: Path, variant: str = "extract"
) -> None:
    """Packages of a Debian release, unpacked into a folder that is empty or absent.

    Nothing of them runs, unless another of mmdebstrap's variants is asked for, such as `minbase`.

    Raises:
        EmulatorError: mmdebstrap is missing or fails.
    """
    run_tool(
        [
            "mmdebstrap",
            "--quiet",
            f"--variant={variant}",
            f"--architecture={architecture}",
            f"--include={','.join(packages)}",
            suite,
            str(folder),
        ],
        f"fetch Debian {suite} for {architecture}",
        "check the network and that debian-archive-keyring knows this release",
    )


def run_tool(command: Sequence[str], what: str, fix: str) -> None:
    """Runs a program of this machine to its end; `what` and `fix` are for the message where it fails.

    Raises:
        EmulatorError: it is missing or fails.
    """
    try:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError as error:
        raise EmulatorError(f"cannot {what}: {command[0]}: {error.strerror or error}; {fix}") from error
    if ended.returncode:
        lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()][-_LAST_LINES:]
        raise EmulatorError(f"cannot {what}: {' | '.join(lines) or f'exit code {ended.returncode}'}; {fix}")


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Holds back other processes that want to make the same root."""
    with atomic.storage_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(folder.with_name(f".{folder.name}.lock")).acquire()
    with held:
        yield
