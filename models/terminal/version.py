"""The version of PocketCLIP."""

from __future__ import annotations


def tool_version() -> str:
    """The installed version, `unknown` where it runs uninstalled."""
    from importlib import metadata

    try:
        return metadata.version("pocketclip")
    except metadata.PackageNotFoundError:
        return "unknown"
