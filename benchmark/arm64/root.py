"""The root file system of the emulated phone: made once, found in the cache afterwards.

It is whole or absent. Nothing of it runs but what is counted; making it runs the runtimes once each, which proves
that they load and leaves their compiled Python files behind.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pocketclip.benchmark.arm64.debian_root import extract_debian, only_one, run_tool
from pocketclip.benchmark.arm64.emulator import PROGRAMS_FOLDER, PYTHON, Emulator
from pocketclip.benchmark.arm64.pins import LAUNCHER_SOURCE, PINS, Pins
from pocketclip.benchmark.errors import EmulatorError
from pocketclip.export.runtimes import RUNTIMES
from pocketclip.models import atomic
from pocketclip.models.user_cache import user_cache

PLUGIN_SOURCE = Path(__file__).parent / "count.c"
# Where Debian's Python looks for what pip installed.
WHEELS_FOLDER = "usr/local/lib/python{python}/dist-packages"
_HOST_LIBRARIES = "x86_64-linux-gnu"
_PACKAGES_TO_INSTALL = "apt-get install mmdebstrap debian-archive-keyring gcc libc6-dev"
_IMPORT_TIMEOUT_S = 600.0

EMULATED_RUNTIMES: tuple[str, ...] = tuple(name for name in RUNTIMES if name not in ("coreml", "coreai"))

Say = Callable[[str], object]


def root_folder(cache: Path | None = None, pins: Pins = PINS) -> Path:
    """Where the root of these pins is, or will be."""
    return (cache or user_cache()) / f"arm64-{pins.key}"


def check_host() -> None:
    """Whether this machine can run the emulated phone.

    Raises:
        EmulatorError: another system or processor, or not root; the message says what to do.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise EmulatorError(
            f"the emulated phone needs Linux on x86-64; this is {sys.platform} on {platform.machine()}",
            fix="use such a PC or virtual machine",
        )
    if os.geteuid() != 0:
        raise EmulatorError(
            "the emulated phone needs root, for chroot",
            fix="run it as root, e.g. `sudo --preserve-env make perf-arm64`, or in a container",
        )


def ensure_root(say: Say, cache: Path | None = None, pins: Pins = PINS) -> Emulator:
    """The emulated phone of these pins, made first where the cache has none (about 250 MB come from the network).

    Args:
        say: told in words what goes on.
        cache: folder of the roots; by default the user's.
        pins: what it is made of.

    Raises:
        EmulatorError: this machine lacks something, or a package cannot be fetched.
        StorageError: the cache cannot be written.
    """
    check_host()
    folder = root_folder(cache, pins)
    with only_one(folder):
        if not folder.is_dir():
            _check_tools()
            with atomic.new_directory(folder) as root:
                _make(root, pins, say)
    return Emulator(folder, _plugin(folder), pins.cpu)


def _check_tools() -> None:
    missing = [tool for tool in ("mmdebstrap", "gcc") if shutil.which(tool) is None]
    if missing:
        raise EmulatorError(
            f"creating the emulated phone needs {' and '.join(missing)}; these are not installed",
            fix=f"on Debian or Ubuntu: {_PACKAGES_TO_INSTALL}",
        )
    if importlib.util.find_spec("pip") is None:
        raise EmulatorError(
            f"creating the emulated phone needs pip in {sys.prefix}", fix=f"add it with `{sys.executable} -m ensurepip`"
        )


def _make(root: Path, pins: Pins, say: Say) -> None:
    say(f"creating the emulated arm64 phone (once): 1 of 4, Debian {pins.suite}")
    # mmdebstrap wants the folder to be empty or absent.
    extract_debian(pins.suite, "arm64", pins.packages, root)
    for name in ("bin", "lib", "sbin"):
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    for path, content in pins.files.items():
        atomic.write_text(root / path, content)
    (root / "tmp").chmod(0o1777)
    # Where a phone lets its shell write.
    (root / "data/local/tmp").mkdir(parents=True)
    say(f"creating the emulated arm64 phone: 2 of 4, QEMU of Debian {pins.qemu_suite}")
    _install_emulator(root, pins)
    _install_launchers(root, pins)
    say(f"creating the emulated arm64 phone: 3 of 4, {len(pins.wheels)} wheels for aarch64")
    _install_wheels(root, pins)
    emulator = Emulator(root, _plugin(root), pins.cpu)
    for runtime in EMULATED_RUNTIMES:
        say(f"creating the emulated arm64 phone: 4 of 4, first import of {runtime}")
        _prove(emulator, runtime, pins)


def _install_emulator(root: Path, pins: Pins) -> None:
    with tempfile.TemporaryDirectory(prefix="pocketclip-qemu-") as name:
        source = Path(name) / "root"
        extract_debian(pins.qemu_suite, "amd64", pins.qemu_packages, source)
        goal = root / Emulator.FOLDER
        (goal / "lib").mkdir(parents=True)
        for libraries in (source / "lib" / _HOST_LIBRARIES, source / "usr" / "lib" / _HOST_LIBRARIES):
            for library in sorted(libraries.glob("*.so*")):
                if not (library.is_symlink() and library.readlink().is_absolute()):
                    shutil.copy2(library, goal / "lib", follow_symlinks=False)
        shutil.copy2(source / "lib" / _HOST_LIBRARIES / "ld-linux-x86-64.so.2", goal / "ld.so")
        shutil.copy2(source / "usr/bin/qemu-aarch64", goal)


def _install_launchers(root: Path, pins: Pins) -> None:
    launcher = root / Emulator.FOLDER / "launch"
    run_tool(
        ["gcc", "-std=gnu11", "-O2", "-static", f'-DCPU="{pins.cpu}"', "-o", str(launcher), str(LAUNCHER_SOURCE)],
        "build the launcher of the phone's programs",
        f"on Debian or Ubuntu: {_PACKAGES_TO_INSTALL}",
    )
    for name in pins.programs:
        goal = root / PROGRAMS_FOLDER / name
        goal.parent.mkdir(parents=True, exist_ok=True)
        (root / name).rename(goal)
        os.link(launcher, root / name)
    emulator = Emulator(root, launcher, pins.cpu)
    listed = emulator.execute(["/usr/bin/busybox", "--list"], folder="/", timeout_seconds=_IMPORT_TIMEOUT_S)
    if listed.exit_code != 0:
        raise EmulatorError(f"the emulated phone's shell does not start: {listed.describe()}")
    for applet in listed.stdout.split():
        path = root / "usr/bin" / applet
        if not (path.exists() or path.is_symlink()):
            path.symlink_to("busybox")


def _install_wheels(root: Path, pins: Pins) -> None:
    folder = root / WHEELS_FOLDER.format(python=pins.python)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target", str(folder)]
    command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={pins.python}"]
    command += [f"--platform={name}" for name in pins.platforms]
    command += [f"{name}=={version}" for name, version in pins.wheels.items()]
    run_tool(command, "fetch the runtimes' wheels for aarch64", "check the network and pip's index")
    for name in pins.removed:
        (folder / name).unlink()


def _prove(emulator: Emulator, runtime: str, pins: Pins) -> None:
    module = {
        "onnxruntime": "onnxruntime",
        "executorch": "executorch.extension.pybindings.portable_lib",
        "litert": "ai_edge_litert.interpreter",
    }[runtime]
    ended = emulator.execute([PYTHON, "-c", f"import {module}"], folder="/", timeout_seconds=_IMPORT_TIMEOUT_S)
    if ended.exit_code != 0:
        raise EmulatorError(
            f"{runtime} does not load in the emulated phone: {ended.describe()}; "
            "its versions are in benchmark/arm64/pins.py"
        )


def _plugin(root: Path) -> Path:
    """The counting plugin below `root`, built with gcc where this source was not yet."""
    source = PLUGIN_SOURCE.read_bytes()
    plugin = root / Emulator.FOLDER / f"count-{hashlib.sha256(source).hexdigest()[:16]}.so"
    if not plugin.is_file():
        build_plugin(plugin)
    return plugin


def build_plugin(plugin: Path) -> None:
    """Compiles the counting plugin, whole or not at all.

    Raises:
        EmulatorError: there is no gcc, or it fails.
    """
    with tempfile.TemporaryDirectory(prefix="pocketclip-plugin-") as name:
        built = Path(name) / "count.so"
        run_tool(
            ["gcc", "-std=c11", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-o", str(built), str(PLUGIN_SOURCE)],
            "build the counting plugin",
            f"on Debian or Ubuntu: {_PACKAGES_TO_INSTALL}",
        )
        atomic.write_bytes(plugin, built.read_bytes())
