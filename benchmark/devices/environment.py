"""Python on a board: a virtual environment with numpy and one runtime, made there once and kept by its versions."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable
from importlib import metadata

from pocketclip.benchmark.errors import DeviceUnsupportedError
from pocketclip.benchmark.transport.device_paths import removal_line
from pocketclip.benchmark.transport.shell import ShellTransport

CACHE = ".cache/pocketclip"
_READY = ".pocketclip-ready"
_INSTALL_SECONDS = 1800.0
_SHORT_SECONDS = 120.0

# What each runtime needs besides numpy; ExecuTorch's Python module links to PyTorch's libraries.
DISTRIBUTIONS: dict[str, tuple[str, ...]] = {
    "onnxruntime": ("onnxruntime",),
    "litert": ("ai-edge-litert",),
    "executorch": ("executorch", "torch"),
}

Say = Callable[[str], object]


class BoardEnvironment:
    """Makes environments on one board, each when a launch first needs it."""

    def __init__(self, transport: ShellTransport, python: str, *, given: bool, say: Say) -> None:
        """With `given`, `python` itself has numpy and the runtimes, and nothing is made."""
        self._transport = transport
        self._python = python
        # It may be a path with spaces.
        self._command = shlex.quote(python)
        self._given = given
        self._say = say
        self._ready: dict[str, tuple[str, ...]] = {}

    def check(self) -> None:
        """Whether there is a Python to begin with.

        Raises:
            DeviceUnsupportedError: there is none that is new enough, or it lacks what it needs.
            TransportError: the board does not answer.
        """
        wanted = "import sys; sys.exit(sys.version_info < (3, 9))"
        label = self._transport.label
        if self._transport.shell(f"{self._command} -c {shlex.quote(wanted)}").exit_code != 0:
            raise DeviceUnsupportedError(
                f"there is no {self._python} of version 3.9 or more on {label}",
                fix="install python3 and python3-venv, or set another one as `python` in your device table",
            )
        modules = "numpy" if self._given else "venv, ensurepip"
        if self._transport.shell(f"{self._command} -c 'import {modules}'").exit_code != 0:
            fix = "install it there" if self._given else "on Debian: apt-get install python3-venv"
            raise DeviceUnsupportedError(f"{self._python} on {label} cannot import {modules}; {fix}")

    def python(self, runtime: str) -> tuple[str, ...]:
        """The command of a Python that has the runtime, made first where the board has none of these versions.

        Raises:
            DeviceUnsupportedError: it cannot be made; the message has the board's words.
        """
        if runtime not in self._ready:
            self._ready[runtime] = (self._python,) if self._given else (self._made(runtime),)
        return self._ready[runtime]

    def _made(self, runtime: str) -> str:
        wanted = requirements(runtime)
        key = hashlib.sha256(" ".join([self._python, *wanted]).encode()).hexdigest()[:12]
        home = self._transport.shell("echo $HOME").stdout.strip()
        folder = f"{home}/{CACHE}/{runtime}-{key}"
        quoted = shlex.quote(folder)
        if self._transport.shell(f"test -e {quoted}/{_READY}").exit_code != 0:
            self._say(f"setting up {', '.join(wanted)} on {self._transport.label} (once)")
            self._step(
                f"{removal_line(folder)} && mkdir -p {quoted} && {self._command} -m venv {quoted}", _SHORT_SECONDS
            )
            listed = shlex.join(wanted)
            self._step(
                f"{quoted}/bin/python -m pip install --quiet --disable-pip-version-check {listed}", _INSTALL_SECONDS
            )
            # Last: a folder without it is one that was interrupted.
            self._step(f"touch {quoted}/{_READY}", _SHORT_SECONDS)
        return f"{folder}/bin/python"

    def _step(self, line: str, timeout_seconds: float) -> None:
        execution = self._transport.shell(line, timeout_seconds=timeout_seconds)
        if execution.exit_code != 0:
            raise DeviceUnsupportedError(
                f"cannot set up the runtime on {self._transport.label}: {execution.describe()}",
                fix=('check its network, or install it by hand and set environment = "given" in your device table'),
            )


def requirements(runtime: str) -> tuple[str, ...]:
    """numpy and the runtime's distributions, in the versions that this machine has; any where it has none."""
    return tuple(map(_pinned, ("numpy", *DISTRIBUTIONS[runtime])))


def _pinned(name: str) -> str:
    try:
        # A local part (`2.10.0+cpu`) names a build that the board's index need not have.
        return f"{name}=={metadata.version(name).partition('+')[0]}"
    except metadata.PackageNotFoundError:
        return name
