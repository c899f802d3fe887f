"""Runs arm64 programs of a root file system under QEMU, and counts their instructions."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pocketclip.benchmark.agent.counting import MARK
from pocketclip.benchmark.errors import CountingError, EmulatorError
from pocketclip.benchmark.transport import Execution, LocalTransport
from pocketclip.models.atomic import storage_errors
from pocketclip.models.untrusted.numbers import parse_whole

PYTHON = "/usr/bin/python3"

# Below it lie the programs in whose places there are launchers; see `launch.c`.
PROGRAMS_FOLDER = "arm64"

_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")

# The seed of hashes changes how many steps Python takes; threads (ONNX Runtime's telemetry has four) lose counts.
_ENVIRONMENT = {
    "HOME": "/tmp",
    "LOGNAME": "root",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "PATH": "/usr/bin:/bin",
    "PYTHONHASHSEED": "0",
}


class Counter(Protocol):
    """A phone whose programs' instructions are counted, by files of its own."""

    cpu: str

    def workspace(self) -> AbstractContextManager[str]:
        """An empty folder of the phone, by its path there, removed at the end."""
        ...

    def push(self, local: Path, remote: str) -> None:
        """Copies a file into the phone; see `benchmark.transport.Transport`."""
        ...

    def pull(self, remote: str, local: Path) -> None:
        """Copies a file out of the phone; see `benchmark.transport.Transport`."""
        ...

    def count(self, command: Sequence[str], *, folder: str, timeout_seconds: float) -> tuple[Execution, Counts | None]:
        """Runs an arm64 program and counts its instructions; see `Emulator.count`."""
        ...


@dataclass(frozen=True)
class Counts:
    """Instructions of one process: up to each of its marks, and in all. Exact where it had one thread."""

    marks: tuple[int, ...]
    threads: int
    total: int


class Emulator:
    """The emulated phone: a `Transport` whose paths are those inside its root, and which counts.

    A program starts in `/`, with an environment of its own: nothing of this machine's reaches it.
    """

    FOLDER = "qemu"

    def __init__(self, root: Path, plugin: Path, cpu: str) -> None:
        """`plugin` is the counting plugin, below the root's folder of the emulator."""
        self.root = root
        self.cpu = cpu
        self._plugin = f"/{plugin.relative_to(root).as_posix()}"
        self._local = LocalTransport()
        self._names = itertools.count(1)

    @contextmanager
    def workspace(self) -> Iterator[str]:
        """An empty folder of the phone, by its path there, removed at the end."""
        with storage_errors(self.root):
            folder = tempfile.TemporaryDirectory(prefix="count-", dir=self.root / "tmp", ignore_cleanup_errors=True)
        with folder as name:
            yield f"/{Path(name).relative_to(self.root).as_posix()}"

    def push(self, local: Path, remote: str) -> None:
        """Copies a file or folder into the phone; see `benchmark.transport.Transport`."""
        self._local.push(local, str(self._inside(remote)))

    def pull(self, remote: str, local: Path) -> None:
        """Copies a file out of the phone; see `benchmark.transport.Transport`."""
        self._local.pull(str(self._inside(remote)), local)

    def execute(self, command: Sequence[str], *, folder: str, timeout_seconds: float) -> Execution:
        """Runs an arm64 program; `folder` plays no part, for a program starts in `/`."""
        return self._run(command, (), timeout_seconds)

    def count(self, command: Sequence[str], *, folder: str, timeout_seconds: float) -> tuple[Execution, Counts | None]:
        """Runs an arm64 program and counts its instructions; None where it did not come to an end of its own.

        Args:
            command: the program, by its path in the phone, and its arguments.
            folder: of the phone, for the file of counts.
            timeout_seconds: after which it is stopped.

        Raises:
            CountingError: the counts are not those of a whole run.
        """
        path = f"{folder}/counts-{next(self._names)}"
        execution = self._run(command, self.counting_options(path), timeout_seconds)
        written = self._inside(path)
        if not written.is_file():
            return execution, None
        return execution, parse_counts(written.read_text())

    def counting_options(self, path: str) -> tuple[str, ...]:
        """QEMU's options by which a program's instructions are counted, into that file of the phone."""
        return ("-plugin", f"{self._plugin},out={path},mark={MARK}")

    def arguments(self, command: Sequence[str], options: Sequence[str] = ()) -> list[str]:
        """The command by which QEMU, started inside the phone, runs an arm64 program: environment first."""
        program = self._program(command[0])
        words = ["env", "-i", *(f"{name}={value}" for name, value in _ENVIRONMENT.items())]
        words += [f"/{self.FOLDER}/ld.so", "--library-path", f"/{self.FOLDER}/lib", f"/{self.FOLDER}/qemu-aarch64"]
        return [*words, "-cpu", self.cpu, *options, "-0", command[0], program, *command[1:]]

    def _program(self, path: str) -> str:
        """Where the arm64 file of a program lies: a launcher may stand in its place."""
        here = Path(os.path.realpath(self._inside(path)))
        below = here.relative_to(self.root.resolve()) if here.is_relative_to(self.root.resolve()) else None
        if below is not None and (self.root / PROGRAMS_FOLDER / below).is_file():
            return f"/{PROGRAMS_FOLDER}/{below.as_posix()}"
        return path

    def _run(self, command: Sequence[str], options: Sequence[str], timeout_seconds: float) -> Execution:
        # From outside, ONNX Runtime would see this machine's /sys and crash: hence the change of root.
        chroot = host_program("chroot", "coreutils")
        # `env` comes first: the phone's own would need the launcher.
        environment = 2 + len(_ENVIRONMENT)
        words = self.arguments(command, options)
        wrapped = [*words[:environment], chroot, str(self.root), *words[environment:]]
        return self._local.execute(wrapped, folder=str(self.root), timeout_seconds=timeout_seconds)

    def _inside(self, remote: str) -> Path:
        return self.root / remote.lstrip("/")


def host_program(name: str, package: str) -> str:
    """The path of a program of this machine's that the phone needs, also where only root's path has it.

    Raises:
        EmulatorError: it is not installed; the message names Debian's package.
    """
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS)))
    if found is None:
        raise EmulatorError(
            f"the emulated phone needs the program {name}", fix=f"on Debian or Ubuntu: apt-get install {package}"
        )
    return found


def parse_counts(text: str) -> Counts:
    """The file that the plugin writes; its format is in `count.c`.

    Raises:
        CountingError: a line is not of that format, or the last ones are missing.
    """
    marks: list[int] = []
    ends: dict[str, int] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        number = parse_whole(value)
        if name not in ("mark", "threads", "total") or number is None:
            raise CountingError(f"the counting plugin wrote {line[:200]!r}", fix="run it again")
        if name == "mark":
            marks.append(number)
        else:
            ends[name] = number
    if set(ends) != {"threads", "total"}:
        raise CountingError(f"the counting plugin's file of {len(text)} characters is truncated", fix="run it again")
    return Counts(tuple(marks), ends["threads"], ends["total"])
