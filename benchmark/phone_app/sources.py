"""The sources of the two apps: in a checkout as they stand, of an installed wheel as a copy that can be built."""

from __future__ import annotations

import shutil
from pathlib import Path

from pocketclip.benchmark.errors import AppMissingError
from pocketclip.models import atomic
from pocketclip.models.terminal.version import tool_version
from pocketclip.models.user_cache import user_cache

_APPS = ("android_app", "ios_app")


def app_sources() -> Path:
    """The folder that holds `android_app` and `ios_app`, both writable by builds.

    A wheel has the sources among its files; builds do not belong there, so they are copied to the user's cache once for
    each version.

    Raises:
        AppMissingError: this installation lacks the sources.
        StorageError: the copy cannot be written.
    """
    package = Path(__file__).parents[2]
    for name in _APPS:
        if not (package / name).is_dir():
            raise AppMissingError(
                f"this installation does not include the apps' sources ({package / name})",
                fix="reinstall PocketCLIP, or give an APK with --app FILE",
            )
    if (package / _APPS[0]).is_symlink():
        return (package / _APPS[0]).resolve().parent
    copied = user_cache() / f"apps-{tool_version()}"
    if not copied.is_dir():
        with atomic.new_directory(copied) as folder:
            for name in _APPS:
                shutil.copytree(package / name, folder / name)
            # A wheel keeps no modes.
            (folder / "android_app" / "gradlew").chmod(0o755)
    return copied
