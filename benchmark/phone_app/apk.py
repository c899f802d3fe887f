"""The Android app as a file: where it is found, and for which processors it has code."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pocketclip.benchmark.errors import AppMissingError
from pocketclip.benchmark.phone_app.sources import app_sources
from pocketclip.benchmark.transport.device_paths import APP_PACKAGE
from pocketclip.benchmark.transport.shell import hash_file

PACKAGE = APP_PACKAGE
VARIABLE = "POCKETCLIP_ANDROID_APK"

_OUTPUTS = "android_app/bench/build/outputs/apk/release"
_BUILD = "build it with `pocketclip app build android`, or give an APK with --app FILE or " + VARIABLE


@dataclass(frozen=True)
class Apk:
    """An app's package on this computer. Files are hashed and read once."""

    path: Path

    @cached_property
    def sha256(self) -> str:
        """Hash of the whole file; Android keeps it as it is."""
        return hash_file(self.path)

    @property
    def size_bytes(self) -> int:
        """Length of the file."""
        return self.path.stat().st_size

    @cached_property
    def abis(self) -> tuple[str, ...]:
        """The instruction sets that it has native code for, e.g. `arm64-v8a`; none where it needs none.

        Raises:
            AppMissingError: the file is no APK.
        """
        try:
            with zipfile.ZipFile(self.path) as archive:
                names = archive.namelist()
        except (OSError, zipfile.BadZipFile) as error:
            raise AppMissingError(f"{self.path} is not an APK: {error}", fix=_BUILD) from error
        if "AndroidManifest.xml" not in names:
            raise AppMissingError(f"{self.path} is not an APK: it has no AndroidManifest.xml", fix=_BUILD)
        parts = (name.split("/") for name in names)
        return tuple(sorted({part[1] for part in parts if len(part) == 3 and part[0] == "lib"}))


def find_apk(chosen: Path | None = None, sources: Path | None = None) -> Apk:
    """The measuring app: the file chosen, the one that `POCKETCLIP_ANDROID_APK` names, or the newest build.

    Args:
        chosen: what `--app` names.
        sources: the folder of the apps' sources; None takes `app_sources`.

    Raises:
        AppMissingError: there is none; the message says how to get one.
    """
    named = chosen or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is not None:
        if not named.is_file():
            raise AppMissingError(f"there is no APK {named}", fix=_BUILD)
        apk = Apk(named)
    else:
        folder = (sources or app_sources()) / _OUTPUTS
        # An unsigned one cannot be installed.
        built = [path for path in folder.glob("*.apk") if "unsigned" not in path.name]
        if not built:
            raise AppMissingError("the measuring app for Android phones is not built", fix=_BUILD)
        apk = Apk(max(built, key=lambda path: path.stat().st_mtime))
    _ = apk.abis
    return apk
