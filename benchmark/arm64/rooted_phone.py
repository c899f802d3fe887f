"""A phone without hardware: a root file system with Debian's own `adbd` in it, started, found again, stopped.

adbd lets in whoever can reach it, so it gets a network of its own (`unshare --net`) with an adb server in it: that
server listens on a socket file, and nothing else of this machine or beyond it comes near. The processes have a process
number space of their own too: one signal ends all of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from filelock import FileLock

from pocketclip.benchmark.arm64.emulator import host_program
from pocketclip.benchmark.errors import EmulatorError, TransportError
from pocketclip.benchmark.transport.adb import AdbTransport, adb_connect
from pocketclip.models import atomic, documents
from pocketclip.models.documents import document

ADDRESS = "127.0.0.1:5555"

ADBD = "/usr/lib/android-sdk/platform-tools/adbd"
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
# What the kernel takes for the name of a socket, its final zero included.
_LONGEST_SOCKET = 107
_TOOLS = {"adb": "adb", "unshare": "util-linux", "chroot": "coreutils"}

# As init does on a phone: adbd is started again when it ends.
_INIT = f"ifconfig lo up; while :; do {ADBD}; sleep 1; done"


@document
class _Running:
    """The phone's first process, and when it started, in ticks since boot: numbers of processes are used again."""

    pid: int
    start_ticks: int
    root: str
    started_at: str


@dataclass(frozen=True)
class RootedPhone(ABC):
    """One such phone: the root it runs, and a folder of this machine for its socket and log.

    Subclasses say what it is called, what this machine must be, and what else it is made of.
    """

    root: Path
    state: Path

    # Its name in messages, and how it is made.
    LABEL: ClassVar[str] = "the phone"
    CREATE: ClassVar[str] = "make it first"
    # Where its programs are, by paths inside the root.
    SEARCH: ClassVar[str] = "/usr/bin:/bin"

    @abstractmethod
    def check_host(self) -> None:
        """Whether this machine can run it.

        Raises:
            EmulatorError: it cannot; the message says what to do.
        """

    def mounts(self) -> str | None:
        """Lines of a shell that mount what the root lacks, in a mount namespace of its own; None for no such thing."""
        return None

    @property
    def server(self) -> str:
        """The socket of its adb server, as `ADB_SERVER_SOCKET` has it."""
        return f"localfilesystem:{self.state / 'adb.sock'}"

    @property
    def created(self) -> bool:
        """Whether the root has been made."""
        return self.root.is_dir()

    def transport(self, label: str | None = None) -> AdbTransport:
        """A way to the phone; it need not run yet."""
        return AdbTransport(ADDRESS, label or self.LABEL, server=self.server, address=ADDRESS)

    def running(self) -> int | None:
        """The number of its first process, None where it does not run."""
        path = self.state / "phone.json"
        if not path.is_file():
            return None
        found = documents.read(_Running, path, error=EmulatorError)
        return found.pid if _start_ticks(found.pid) == found.start_ticks else None

    def start(self) -> None:
        """Starts it and waits until adb lists it; nothing where it runs already.

        Raises:
            EmulatorError: it was not made, a program is missing, or adbd does not come up.
        """
        self.check_host()
        if not self.created:
            raise EmulatorError(f"{self.LABEL} does not exist yet; {self.CREATE}")
        programs = {name: host_program(name, package) for name, package in _TOOLS.items()}
        socket = self.state / "adb.sock"
        if len(os.fsencode(socket)) > _LONGEST_SOCKET:
            raise EmulatorError(
                f"the path of the phone's socket is too long for the system: {socket}",
                fix="set a shorter cache path in POCKETCLIP_CACHE",
            )
        with self._alone():
            if self.running() is not None:
                return
            socket.unlink(missing_ok=True)
            process = self._launch(programs)
            try:
                self._wait_until_up(process)
                self._note(process.pid)
            except BaseException:
                _end(process.pid)
                process.wait()
                raise

    def stop(self) -> bool:
        """Stops it and all that runs in it; False where it did not run."""
        with self._alone():
            pid = self.running()
            if pid is not None:
                _end(pid)
                deadline = time.monotonic() + _STOP_SECONDS
                while self.running() is not None:
                    if time.monotonic() > deadline:
                        raise EmulatorError(
                            f"{self.LABEL} (process {pid}) does not end", fix="find out what keeps it alive"
                        )
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(pid, os.WNOHANG)
                    time.sleep(0.05)
            for name in ("phone.json", "adb.sock"):
                (self.state / name).unlink(missing_ok=True)
            return pid is not None

    def delete(self) -> bool:
        """Stops it and removes its root; False where there was none."""
        self.stop()
        existed = self.created
        with atomic.storage_errors(self.root):
            if existed:
                shutil.rmtree(self.root)
        return existed

    def _launch(self, programs: dict[str, str]) -> subprocess.Popen[bytes]:
        server = shlex.join([programs["adb"], "-L", self.server, "server", "nodaemon"])
        # No variable of this machine's gets into the phone.
        phone = shlex.join(["env", "-i", "HOME=/", f"PATH={self.SEARCH}", programs["chroot"], str(self.root)])
        script = f"{server} & exec {phone} /bin/sh -c {shlex.quote(_INIT)}"
        mounts = self.mounts()
        namespaces = ["--net", "--pid", "--fork", "--kill-child"]
        if mounts is not None:
            # Nothing that is mounted for it is seen outside, and all of it goes with its last process.
            namespaces += ["--mount", "--propagation", "private"]
            script = f"set -e\n{mounts}\nset +e\n{script}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ADB_", "ANDROID_"))}
        # The server's keys are its own: the user's are none of the phone's business.
        environment["HOME"] = str(self.state)
        with (self.state / "phone.log").open("wb") as log:
            return subprocess.Popen(
                [programs["unshare"], *namespaces, "sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    def _wait_until_up(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            if process.poll() is not None:
                raise EmulatorError(
                    f"{self.LABEL} ended while it started: {self._last_words()}; it needs permission to "
                    "create namespaces (`unshare --net --pid`): run it as root; in a container, use a privileged one"
                )
            # Before its socket is there, adb would start a server of its own.
            if (self.state / "adb.sock").exists():
                with contextlib.suppress(TransportError):
                    adb_connect(ADDRESS, server=self.server)
                    if self.transport().shell("true").exit_code == 0:
                        return
            if time.monotonic() > deadline:
                raise EmulatorError(
                    f"{self.LABEL}'s adbd did not answer within {_START_SECONDS:g} s: {self._last_words()}"
                )
            time.sleep(0.1)

    def _note(self, pid: int) -> None:
        running = _Running(pid, _start_ticks(pid) or 0, self.root.name, time.strftime("%Y-%m-%dT%H:%M:%S%z"))
        atomic.write_text(self.state / "phone.json", json.dumps(documents.to_builtin(running)))

    def _last_words(self) -> str:
        lines = [line for line in (self.state / "phone.log").read_text(errors="replace").splitlines() if line.strip()]
        return " | ".join(lines[-3:]) or "it said nothing"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with atomic.storage_errors(self.state):
            self.state.mkdir(parents=True, exist_ok=True)
        with FileLock(self.state / "phone.lock"):
            yield


def _start_ticks(pid: int) -> int | None:
    """When a process started, whatever is done to the clock since; None where it has ended."""
    try:
        _, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    except OSError:
        return None
    fields = rest.split()
    return None if fields[0] in "ZX" else int(fields[19])


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
