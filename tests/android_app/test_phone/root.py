"""The root file system of the test phone: Debian's adbd and busybox for this machine's processor, made once."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pocketclip.benchmark.arm64.debian_root import extract_debian, only_one
from pocketclip.benchmark.arm64.emulator import host_program
from pocketclip.benchmark.arm64.root import check_host
from pocketclip.benchmark.errors import EmulatorError
from pocketclip.models import atomic
from pocketclip.models.user_cache import user_cache

PROGRAMS = ("am", "cmd", "dumpsys", "getprop", "input", "pm", "settings", "svc", "wm")
# No `python3` on the phone's path: an Android has none.
PYTHON = "/usr/libexec/phone-python"
PROGRAMS_FOLDER = "/system/lib/programs"

# What those programs import.
_MODULES = "collections.abc, contextlib, fcntl, hashlib, json, shutil, signal, subprocess, time, typing, zipfile"

Say = Callable[[str], object]


@dataclass(frozen=True)
class Pins:
    """What it is made of; a change makes another root. `form` counts changes of the steps below."""

    suite: str = "trixie"
    packages: tuple[str, ...] = (
        "adbd",
        "busybox",
        # Java's decoders of photographs refer to both.
        "libjpeg62-turbo",
        "liblcms2-2",
        "libpython3.13-stdlib",
        "libstdc++6",
        "python3-minimal",
        "zlib1g",
    )
    python: str = "python3.13"
    form: int = 2

    @property
    def key(self) -> str:
        """A short hash over everything above."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


PINS = Pins()


def root_folder(cache: Path | None = None) -> Path:
    """Where the root is, or will be."""
    return (cache or user_cache()) / f"test-phone-{PINS.key}"


def ensure_root(say: Say = lambda _: None, cache: Path | None = None) -> Path:
    """The root, made first where the cache has none; about 60 MB come from Debian's mirror.

    Raises:
        EmulatorError: this machine cannot have one, or the packages cannot be fetched.
    """
    check_host()
    folder = root_folder(cache)
    with only_one(folder):
        if not folder.is_dir():
            if shutil.which("mmdebstrap") is None:
                raise EmulatorError("making the test phone needs mmdebstrap; on Debian: apt-get install mmdebstrap")
            say("making the test phone, once")
            with atomic.new_directory(folder) as root:
                _make(root)
    return folder


def _make(root: Path) -> None:
    extract_debian(PINS.suite, "amd64", PINS.packages, root)
    for name in ("bin", "lib", "lib64", "sbin"):
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    # adbd starts /bin/sh; what busybox has by its own name, a phone has from toybox.
    for applet in _inside(root, "/usr/bin/busybox", "--list").split():
        path = root / "usr/bin" / applet
        if not (path.exists() or path.is_symlink()):
            path.symlink_to("busybox")
    python = root / PYTHON.lstrip("/")
    python.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(root / "usr/bin" / PINS.python, python)
    (root / "usr/bin/python3").unlink()
    # Compiled once: each call of a program is a process of its own.
    _inside(root, PYTHON, "-S", "-c", f"import {_MODULES}")
    for name in ("data", "dev", "jvm", "proc", "state", "tmp", "system/bin", PROGRAMS_FOLDER.lstrip("/")):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "sdcard").symlink_to("data/media/0")
    for name in PROGRAMS:
        script = root / "system/bin" / name
        script.write_text(f'#!/bin/sh\nexec {PYTHON} -B -S {PROGRAMS_FOLDER}/{name}.py "$@"\n')
        script.chmod(0o755)


def _inside(root: Path, *command: str) -> str:
    """What a program of the root prints."""
    chroot = [host_program("chroot", "coreutils"), str(root), *command]
    ended = subprocess.run(chroot, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise EmulatorError(f"{command[0]} does not start in the test phone: {ended.stderr.strip()}")
    return ended.stdout
