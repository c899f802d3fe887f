"""The public functions about apps as files: `pocketclip.check_app`."""

from __future__ import annotations

from pathlib import Path

from pocketclip.benchmark.app_check.checking import CheckedApp, check_file

__all__ = ["CheckedApp", "check_app"]


def check_app(path: str | Path) -> CheckedApp:
    """Checks what a store and phones ask of an Android package or a native library.

    The rules look at pages of 16 KB (segments of libraries and their places in the package), processors, symbols, the
    target level and the sizes of runtimes. The file is read in a process of its own.

    Args:
        path: an `.apk`, `.aab`, `.aar` or `.so`.

    Returns:
        The findings, with the libraries and the size of each runtime.

    Raises:
        AppFileError: the file is missing, of another kind or damaged, or the extra `android` is not installed.
    """
    return check_file(Path(path))
