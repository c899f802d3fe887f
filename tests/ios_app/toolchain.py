"""Swift on Linux: Debian's toolchain in a root of its own, made once and found in the user's cache afterwards.

`python -m tests.ios_app.toolchain` makes it (70 s, 2.6 GB). Programs run in it by a change of root, in mount and
process namespaces of their own and without a network.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pocketclip.benchmark.arm64.debian_root import extract_debian, only_one
from pocketclip.benchmark.errors import EmulatorError
from pocketclip.models import atomic
from pocketclip.models.user_cache import user_cache

# Where folders of this computer appear in the root.
WORK = "/mnt"


class ToolchainError(EmulatorError):
    """Swift cannot be had on this machine; the message says what to do."""


@dataclass(frozen=True)
class SwiftPins:
    """What the root is made of; a change of it makes another root."""

    suite: str = "trixie"
    architecture: str = "amd64"
    variant: str = "minbase"
    packages: tuple[str, ...] = ("swiftlang", "libc6-dev", "g++", "libncurses-dev")

    @property
    def key(self) -> str:
        """A short hash over everything above, by which the cache finds the root."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


PINS = SwiftPins()


@dataclass(frozen=True)
class Toolchain:
    """A root with Swift in it."""

    root: Path

    def command(
        self,
        command: Sequence[str],
        *,
        mounts: Mapping[Path, str],
        folder: str = WORK,
        environment: Mapping[str, str] | None = None,
    ) -> list[str]:
        """What starts a program in the root.

        Args:
            command: the program and its arguments, paths as the root has them.
            mounts: folders of this computer and where in the root, below `WORK`, they appear, parents first.
            folder: the working folder, as the root has it.
            environment: variables besides PATH, HOME and LANG.
        """
        # The namespace is private: nothing that is mounted here is seen, or can be deleted, from outside.
        steps = ["set -e", f"mount -t tmpfs none {self._at(WORK)}"]
        for source, goal in mounts.items():
            steps.append(f"mkdir -p {self._at(goal)}")
            steps.append(f"mount --bind {shlex.quote(str(source))} {self._at(goal)}")
        steps += [f"mount -t proc proc {self._at('/proc')}", f"mount --rbind /dev {self._at('/dev')}"]
        steps.append(f"mount -t tmpfs none {self._at('/tmp')}")
        variables = {"PATH": "/usr/bin:/bin", "HOME": WORK, "LANG": "C.UTF-8", **(environment or {})}
        inside = f"cd {shlex.quote(folder)} && exec {shlex.join(command)}"
        settings = shlex.join(["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in variables.items())])
        steps.append(f"exec chroot {shlex.quote(str(self.root))} {settings} /bin/sh -c {shlex.quote(inside)}")
        # In a namespace of processes, all of them end with the first.
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--net", "--propagation", "private"]
        return [*namespaces, "sh", "-c", "\n".join(steps)]

    def run(
        self,
        command: Sequence[str],
        *,
        mounts: Mapping[Path, str],
        folder: str = WORK,
        environment: Mapping[str, str] | None = None,
        timeout: float = 600,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program in the root to its end; see `command`."""
        return subprocess.run(
            self.command(command, mounts=mounts, folder=folder, environment=environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def _at(self, path: str) -> str:
        return shlex.quote(f"{self.root}{path}")


def toolchain_folder(cache: Path | None = None) -> Path:
    """Where the root of these pins is, or will be."""
    return (cache or user_cache()) / f"swift-{PINS.key}"


def check_host() -> None:
    """Whether this machine can run the toolchain.

    Raises:
        ToolchainError: another system or processor, or not root.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise ToolchainError(
            f"the Swift toolchain is Debian's for x86-64, this is {sys.platform} on {platform.machine()}; "
            "use Linux on a PC, or Xcode as ios_app/README.md says"
        )
    if os.geteuid() != 0:
        raise ToolchainError("the Swift toolchain needs root, for chroot; run the tests as root or in a container")


def ensure_toolchain(say: Callable[[str], object], cache: Path | None = None) -> Toolchain:
    """The toolchain of these pins, made first where the cache has none (about 700 MB come from the network).

    Args:
        say: told in words what goes on.
        cache: folder of the roots; by default the user's.

    Raises:
        EmulatorError: this machine lacks something, or a package cannot be fetched.
        StorageError: the cache cannot be written.
    """
    check_host()
    folder = toolchain_folder(cache)
    with only_one(folder):
        if not folder.is_dir():
            if shutil.which("mmdebstrap") is None:
                raise ToolchainError(
                    "the Swift toolchain needs mmdebstrap; apt-get install mmdebstrap debian-archive-keyring"
                )
            say(f"making the root with Swift, once: Debian {PINS.suite}")
            with atomic.new_directory(folder) as root:
                extract_debian(PINS.suite, PINS.architecture, PINS.packages, root, PINS.variant)
                (root / WORK.strip("/")).mkdir(exist_ok=True)
                proven = Toolchain(root).run(["swift", "--version"], mounts={})
                if proven.returncode:
                    raise ToolchainError(f"Swift does not start in its root: {proven.stderr.strip()[-300:]}")
    return Toolchain(folder)


if __name__ == "__main__":
    try:
        print(ensure_toolchain(print).run(["swift", "--version"], mounts={}).stdout.strip())
    except EmulatorError as error:
        sys.exit(f"error: {error}")
