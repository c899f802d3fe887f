"""The machine this process runs on: copies files and starts programs."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from pocketclip.benchmark.errors import OutputLimitError, TransportError
from pocketclip.benchmark.transport.base import Execution
from pocketclip.benchmark.transport.client import MOST_WRITTEN_BYTES, run_client


class LocalTransport:
    """The machine this process runs on."""

    def push(self, local: Path, remote: str) -> None:
        with _worded(local, remote):
            goal = Path(remote)
            goal.parent.mkdir(parents=True, exist_ok=True)
            if local.is_dir():
                for path in local.rglob("*"):
                    if path.is_symlink():
                        raise TransportError(f"cannot copy {local} to {remote}: {path} is a link", fix="give the files")
                shutil.copytree(local, goal, dirs_exist_ok=True)
            else:
                shutil.copyfile(local, goal)

    def pull(self, remote: str, local: Path) -> None:
        with _worded(Path(remote), str(local)):
            # Neither a link, which may lead anywhere, nor a device, which may have no end.
            flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
            with os.fdopen(os.open(remote, flags | getattr(os, "O_BINARY", 0)), "rb", closefd=True) as source:
                status = os.fstat(source.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise TransportError(f"cannot copy {remote}: it is not a regular file")
                if status.st_size > MOST_WRITTEN_BYTES:
                    raise OutputLimitError(
                        f"cannot copy {remote}: it has {status.st_size} bytes, at most {MOST_WRITTEN_BYTES} are allowed"
                    )
                content = source.read(MOST_WRITTEN_BYTES)
            local.write_bytes(content)

    def execute(self, command: Sequence[str], *, folder: str, timeout_seconds: float) -> Execution:
        ended = run_client(command, folder=folder, timeout_seconds=timeout_seconds)
        return Execution(ended.exit_code, ended.stdout.decode(errors="replace"), ended.stderr.decode(errors="replace"))


@contextlib.contextmanager
def _worded(source: Path, goal: str) -> Iterator[None]:
    try:
        yield
    except (OSError, shutil.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TransportError(f"cannot copy {source} to {goal}: {reason}") from error
