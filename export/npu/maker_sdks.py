"""Makers' SDKs for LiteRT's compiler: whether one is here and fits, and where its libraries lie.

Each is a distribution of Python that downloads the maker's libraries when it is built. Where a download fails, some of
them install without libraries, and say nothing.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import importlib
import io
import platform
import re
import sys
from importlib import metadata
from pathlib import Path

from pocketclip.export.errors import TargetUnavailableError
from pocketclip.export.npu.litert_compiler import Plugin, plugin_fault
from pocketclip.export.npu.makers import Chip, Maker
from pocketclip.export.npu.qualcomm import Lacking

# Of LiteRT and of the SDKs made for it.
_RELEASE = (2, 3)


def lacking(maker: Maker) -> Lacking | None:
    """Why nothing can be compiled for a maker's chips here; None where it can, or where LiteRT itself is missing."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return Lacking(
            f"LiteRT's compiler for {maker.name} is for Linux on x86-64, this is {sys.platform} on "
            f"{platform.machine()}",
            "pocketclip on a computer that has them",
        )
    install = f"python -m pip install '{maker.package}{maker.requirement}'"
    # Without the option, pip takes from its cache what it built before.
    reinstall = install.replace("install", "install --force-reinstall --no-deps --no-cache-dir")
    version = _version(maker.package)
    if version is None:
        return Lacking(f"missing {maker.package}", install)
    if _release(version) != _RELEASE:
        return Lacking(f"{maker.package} {version} is installed, which does not fit: {maker.requirement}", install)
    if any(_folder(maker, chip) is None for chip in maker.chips.values()):
        return Lacking(
            f"{maker.package} {version} is installed without {maker.name}'s libraries: their download failed",
            reinstall,
        )
    if _version("ai-edge-litert") is None:
        return None
    fault = plugin_fault(plugin_for(maker, maker.chips[maker.defaults[0]]))
    if fault is None:
        return None
    lost = maker.preload is not None and _preloaded(maker) is None
    return Lacking(
        f"LiteRT's plug-in for {maker.name} cannot be loaded: {fault}",
        f"your system's package of lib{maker.preload}.so, which it needs" if lost else reinstall,
    )


def plugin_for(maker: Maker, chip: Chip) -> Plugin:
    """What LiteRT's compiler is told to compile for a chip.

    Raises:
        TargetUnavailableError: the SDK's libraries are gone.
    """
    folder = _folder(maker, chip)
    if folder is None:
        raise TargetUnavailableError(
            f"{maker.package} has no libraries for {chip.name}", fix="`pocketclip export --list` shows what is lacking"
        )
    return Plugin(
        manufacturer=maker.name,
        folder=maker.plugin,
        libraries=folder,
        model=chip.name.lower() if maker.lowers_names else chip.name,
        flags=chip.flags,
        left_ops=maker.left_ops,
        preload=_preloaded(maker),
    )


def sdk_version(maker: Maker) -> str:
    """The release of the installed SDK in numbers, e.g. `2.3.0`; what follows in nightly builds is left out."""
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", metadata.version(maker.package))
    return found[0] if found else "0"


def package_version(maker: Maker) -> str:
    """Of the package that brings the SDK, e.g. `ai-edge-litert-sdk-mediatek 2.3.0`."""
    return f"{maker.package} {metadata.version(maker.package)}"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _folder(maker: Maker, chip: Chip) -> Path | None:
    """Where the libraries for a chip lie; None where they do not."""
    arguments = () if chip.generation is None else (chip.generation,)
    try:
        # It prints what it lacks.
        with contextlib.redirect_stderr(io.StringIO()):
            given = importlib.import_module(maker.module).path_to_sdk_libs(*arguments)
    except Exception:
        # Whatever a damaged installation leads to: it has no libraries for us.
        return None
    if not isinstance(given, str | Path) or not any(Path(given).glob(maker.library)):
        return None
    return Path(given)


def _preloaded(maker: Maker) -> str | None:
    return None if maker.preload is None else ctypes.util.find_library(maker.preload)
