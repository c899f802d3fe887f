"""The machine this process runs on: copies files and starts programs."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark.errors import TransportError
from benchmark.transport.base import Execution
from benchmark.transport.client import run_client


class LocalTransport:
    """The machine this process runs on."""

    def push(self, local: Path, remote: str) -> None:
        with _worded(local, remote):
            goal = Path(remote)
            goal.parent.mkdir(parents=True, exist_ok=True)
            if local.is_dir():
                for path in local.rglob("*"):
                    if path.is_symlink():
                        raise TransportError(f"cannot copy {local} to {remote}: {path} is a link; give the files")
                shutil.copytree(local, goal, dirs_exist_ok=True)
            else:
                shutil.copyfile(local, goal)

    def pull(self, remote: str, local: Path) -> None:
        with _worded(Path(remote), str(local)):
            shutil.copyfile(remote, local)

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
