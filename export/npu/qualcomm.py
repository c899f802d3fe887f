"""Qualcomm's libraries for Linux, which the package `onnxruntime-qnn` brings: whether they run here, and loading them.

`libQnnHtp.so` for x86-64 holds the compiler of every Hexagon version and an emulator of its arithmetic. The emulator
gives the NPU's values, not its times.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from pocketclip.models.errors import extra_command

PACKAGE = "onnxruntime-qnn"
# Later ones load under ONNX Runtime, and ExecuTorch 1.5.1 starts with none of them.
FIRST_VERSION, BEFORE_VERSION = (2, 5), (2, 6)
# The wheel is for manylinux_2_35.
_OLDEST_GLIBC = (2, 35)
_SPILLED, _FILLED = (re.compile(rb"^%s_bytes=(\d{1,15})$" % name, re.MULTILINE) for name in (b"spill", b"fill"))
_HTP = "libQnnHtp.so"
_SYSTEM_LIBRARIES = ("libgcc_s.so.1", "libstdc++.so.6")
# The first is what the second asks for.
_LIBRARIES = ("libQnnSystem.so", _HTP)


@dataclass(frozen=True)
class Lacking:
    """Why something cannot be done here, and what would change that."""

    reason: str
    remedy: str


def host_lacking() -> Lacking | None:
    """Why Qualcomm's libraries cannot run on this computer; None where they can."""
    reason = _host_fault()
    return None if reason is None else Lacking(reason, "pocketclip on a computer that has them")


def lacking() -> Lacking | None:
    """The same, or what is wrong with the installed version of the package; None also where there is none."""
    host = host_lacking()
    if host is not None:
        return host
    try:
        version = metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return None
    if FIRST_VERSION <= _numbers(version) < BEFORE_VERSION:
        return None
    first, before = (".".join(map(str, each)) for each in (FIRST_VERSION, BEFORE_VERSION))
    return Lacking(f"{PACKAGE} {version} is installed, which does not fit: >={first},<{before}", extra_command("qnn"))


def _host_fault() -> str | None:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"Qualcomm's libraries are for Linux on x86-64, this is {sys.platform} on {platform.machine()}"
    library, version = platform.libc_ver()
    if library != "glibc" or _numbers(version) < _OLDEST_GLIBC:
        return f"Qualcomm's libraries need glibc 2.35 or later, this is {library or 'another C library'} {version}"
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def package_version() -> str:
    """Of the package that brings Qualcomm's libraries, e.g. `onnxruntime-qnn 2.5.0`."""
    return f"{PACKAGE} {metadata.version(PACKAGE)}"


def moved_bytes(said: bytes) -> tuple[int | None, int | None]:
    """Bytes moved out of and back into the NPU's own memory, from what the compiler printed; None where it did not."""
    spilled, filled = (pattern.findall(said) for pattern in (_SPILLED, _FILLED))
    return (int(spilled[-1]) if spilled else None), (int(filled[-1]) if filled else None)


@functools.cache
def load_libraries() -> Path:
    """Loads them into this process, where others then find them by name; returns their folder.

    ExecuTorch asks the system's loader for `libQnnHtp.so`, which would need an environment variable that is set before
    the process starts. A library that is loaded already is found by its name.
    """
    # ExecuTorch makes the libraries' symbols those of the process, their runtime for C++ among them: whatever is loaded
    # later would take its exceptions for its own, and abort. What comes first is found first.
    for name in _SYSTEM_LIBRARIES:
        ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    folder = _folder()
    for name in _LIBRARIES:
        # Symbols stay the library's own: as global ones they would replace those of other libraries.
        ctypes.CDLL(str(folder / name), mode=ctypes.RTLD_LOCAL)
    return folder


def sdk_version() -> str:
    """The version of Qualcomm's libraries themselves, e.g. `v2.49.40.260810104044`."""
    # Its own library asks for those of Qualcomm's.
    folder = load_libraries()
    import executorch.backends.qualcomm.python.PyQnnManagerAdaptor as adaptor  # pyright: ignore[reportMissingImports]

    return adaptor.GetQnnSdkBuildId(str(folder / _HTP))


@contextmanager
def sdk_folder() -> Iterator[None]:
    """Meanwhile, ExecuTorch finds the libraries in a folder of the form that Qualcomm's own package has.

    Without one, it downloads that package.
    """
    before = os.environ.get("QNN_SDK_ROOT")
    with tempfile.TemporaryDirectory(prefix="pocketclip-qnn-") as root:
        place = Path(root, "lib", "x86_64-linux-clang")
        place.parent.mkdir()
        place.symlink_to(load_libraries())
        os.environ["QNN_SDK_ROOT"] = root
        try:
            yield
        finally:
            os.environ.pop("QNN_SDK_ROOT")
            if before is not None:
                os.environ["QNN_SDK_ROOT"] = before


def _folder() -> Path:
    import onnxruntime_qnn

    return Path(onnxruntime_qnn.get_qnn_htp_path()).parent
