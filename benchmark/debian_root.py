"""Debian root file systems in the cache: made once, whole or not at all, by one process at a time."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from models import atomic
from models.errors import PocketClipError

PACKAGES_TO_INSTALL = "apt-get install mmdebstrap debian-archive-keyring gcc libc6-dev"
_LAST_LINES = 3


def extract(
    suite: str,
    architecture: str,
    packages: Sequence[str],
    folder: Path,
    *,
    error: type[PocketClipError],
    variant: str = "extract",
) -> None:
    """Fetches packages with what they depend on into `folder`, which is empty or absent.

    Args:
        suite: Debian's release.
        architecture: Debian's name of the processor's.
        packages: what is wanted, without dependencies.
        folder: becomes the root.
        error: raised where it fails; the message says what to do.
        variant: mmdebstrap's; `extract` only unpacks, `minbase` configures, too.
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
        error=error,
    )


def run_tool(command: Sequence[str], what: str, fix: str, *, error: type[PocketClipError]) -> None:
    """Runs a program to its end.

    Raises:
        error: it is missing or fails; the message has `what` was wanted, its last lines and the `fix`.
    """
    try:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError as caught:
        raise error(f"cannot {what}: {command[0]}: {caught.strerror or caught}; {fix}") from caught
    if ended.returncode:
        lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()][-_LAST_LINES:]
        raise error(f"cannot {what}: {' | '.join(lines) or f'exit code {ended.returncode}'}; {fix}")


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Holds back other processes that want to make the same folder."""
    with atomic.storage_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_name(f".{folder.name}.lock").open("w")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
