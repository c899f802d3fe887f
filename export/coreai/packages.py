"""Apple's packages for Core AI: whether those that are installed fit each other, and importing them."""

from __future__ import annotations

import platform
import re
import sys
import warnings
from importlib import metadata
from types import ModuleType

from pocketclip.export.errors import TargetUnavailableError
from pocketclip.export.npu.qualcomm import Lacking
from pocketclip.models.errors import extra_command

CORE, CONVERTER, EXTRA = "coreai-core", "coreai-torch", "coreai"
# The wheels are for manylinux_2_34 and macosx_26_0.
_OLDEST_GLIBC, _OLDEST_MACOS = (2, 34), (26,)


def lacking() -> Lacking | None:
    """Why Core AI's packages cannot be used here, where they are installed; None also where they are not."""
    reason = _host_fault()
    if reason is not None:
        return Lacking(reason, "pocketclip on Linux x86-64 or a Mac")
    installed, wanted = _version(CORE), _wanted_core()
    if installed is None or wanted is None or installed == wanted:
        return None
    return Lacking(
        f"{CORE} {installed} is installed, {CONVERTER} {_version(CONVERTER)} needs {CORE} {wanted}",
        extra_command(EXTRA),
    )


def core_version() -> str:
    """The runtime's package, e.g. `coreai-core 1.0.0b3`."""
    return f"{CORE} {_version(CORE) or 'which is not installed'}"


def import_converter() -> ModuleType:
    """The module `coreai_torch`, with the ops that stand for stored weights and rounded activations.

    Apple's own optimiser imports these from the same place.

    Raises:
        TargetUnavailableError: it is not installed, or does not fit the others or this computer.
    """
    if (fault := lacking()) is not None:
        raise TargetUnavailableError(f"Core AI's packages cannot be used: {fault.reason}", fix=f"use {fault.remedy}")
    with warnings.catch_warnings():
        # It warns of PyTorch 2.13.0+cpu, because it knows 2.13.0.
        warnings.simplefilter("ignore")
        try:
            import coreai_torch
            import coreai_torch._compression.custom_layers
        except ModuleNotFoundError as error:
            raise TargetUnavailableError(
                f"Core AI's packages are not installed: there is no {error.name}",
                fix=f"install them in PocketCLIP's folder with: {extra_command(EXTRA)}",
            ) from error
    return coreai_torch


def _host_fault() -> str | None:
    # No other wheels exist.
    machine = platform.machine().lower()
    if sys.platform == "darwin" and machine == "arm64":
        version = platform.mac_ver()[0]
        return None if _numbers(version) >= _OLDEST_MACOS else f"Apple's packages need macOS 26, this is {version}"
    if sys.platform == "linux" and machine in ("x86_64", "amd64"):
        library, version = platform.libc_ver()
        if library == "glibc" and _numbers(version) >= _OLDEST_GLIBC:
            return None
        return f"Apple's packages need glibc 2.34 or later, this is {library or 'another C library'} {version}".strip()
    return f"Apple's packages exist for Linux x86-64 and Apple silicon; this is {platform.system()} {machine}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _wanted_core() -> str | None:
    """The one version of the runtime that the installed converter takes."""
    try:
        requirements = metadata.requires(CONVERTER) or []
    except metadata.PackageNotFoundError:
        return None
    found = (re.fullmatch(rf"{CORE}==([0-9a-z.]{{1,40}})", each) for each in requirements)
    return next((match[1] for match in found if match), None)


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
