"""The iPhone app as a package on this computer: a folder `.app` that Xcode built, or an `.ipa`."""

from __future__ import annotations

import hashlib
import os
import plistlib
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from xml.parsers.expat import ExpatError

from pocketclip.benchmark.errors import AppMissingError, AppSigningError
from pocketclip.benchmark.phone_app.sources import app_sources
from pocketclip.benchmark.transport.shell import hash_file

VARIABLE = "POCKETCLIP_IOS_APP"

_OUTPUTS = "ios_app/build/Build/Products/Release-iphoneos"
_NAME = re.compile(r"\.(app|ipa)$")
_SIGNATURE = "_CodeSignature/CodeResources"


def how_to_get(platform: str = sys.platform) -> str:
    """What to do where there is no package."""
    named = f"give a package with --app or {VARIABLE}"
    if platform == "darwin":
        return f"build it with `pocketclip app build ios`, or {named}"
    return f"build it on a Mac with `pocketclip app build ios`, copy it here, and {named}"


@dataclass(frozen=True)
class IPhonePackage:
    """An app's package. It is read once."""

    path: Path

    @cached_property
    def sha256(self) -> str:
        """Hash of an `.ipa`; for a folder, of its files' paths and hashes in order."""
        if self.path.is_file():
            return hash_file(self.path)
        whole = hashlib.sha256()
        for file in sorted(path for path in self.path.rglob("*") if path.is_file() and not path.is_symlink()):
            whole.update(f"{file.relative_to(self.path).as_posix()}\0{hash_file(file)}\n".encode())
        return whole.hexdigest()

    @property
    def size_bytes(self) -> int:
        """Length of all its files."""
        if self.path.is_file():
            return self.path.stat().st_size
        return sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file())

    @cached_property
    def bundle(self) -> str:
        """Its bundle identifier: `org.pocketclip.PocketCLIP`, or what your team signs it as.

        Raises:
            AppMissingError: the package is none of an app.
        """
        try:
            values = plistlib.loads(self._read("Info.plist"))
        except (OSError, KeyError, zipfile.BadZipFile, plistlib.InvalidFileException, ExpatError) as error:
            raise AppMissingError(
                f"{self.path} is not an iPhone app: its Info.plist: {error}; {how_to_get()}"
            ) from error
        found = values.get("CFBundleIdentifier") if isinstance(values, dict) else None
        if not isinstance(found, str) or not found:
            raise AppMissingError(f"{self.path} is not an iPhone app: it has no CFBundleIdentifier; {how_to_get()}")
        return found

    def check_signed(self) -> None:
        """Whether it carries a signature at all; if it is the right one, the phone says.

        Raises:
            AppSigningError: it carries none.
        """
        if _SIGNATURE not in set(self._names()):
            raise AppSigningError(
                f"{self.path} is not signed, and iPhones do not install unsigned apps",
                fix="sign it with your team: `pocketclip app build ios --team ID` on a Mac (ios_app/README.md)",
            )

    def _read(self, name: str) -> bytes:
        if self.path.is_dir():
            return (self.path / name).read_bytes()
        with zipfile.ZipFile(self.path) as archive:
            return archive.read(f"{_payload(archive)}/{name}")

    def _names(self) -> Iterator[str]:
        if self.path.is_dir():
            yield from (path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file())
            return
        with zipfile.ZipFile(self.path) as archive:
            payload = _payload(archive)
            yield from (name.removeprefix(f"{payload}/") for name in archive.namelist())


def find_package(chosen: Path | None = None, sources: Path | None = None) -> IPhonePackage:
    """The app: the package chosen, the one that `POCKETCLIP_IOS_APP` names, or the newest build.

    Args:
        chosen: what `--app` names.
        sources: the folder of the apps' sources; None takes `app_sources`.

    Raises:
        AppMissingError: there is none; the message says how to get one.
        AppSigningError: it is not signed.
    """
    named = chosen or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is not None:
        if not named.exists() or _NAME.search(named.name) is None:
            raise AppMissingError(f"there is no iPhone app {named} (a folder .app, or an .ipa); {how_to_get()}")
        package = IPhonePackage(named)
    else:
        folder = (sources or app_sources()) / _OUTPUTS
        built = [path for path in folder.glob("*.app") if path.is_dir()]
        if not built:
            raise AppMissingError(f"the measuring app for iPhones is not built; {how_to_get()}")
        package = IPhonePackage(max(built, key=lambda path: path.stat().st_mtime))
    _ = package.bundle
    package.check_signed()
    return package


def _payload(archive: zipfile.ZipFile) -> str:
    for name in archive.namelist():
        found = re.match(r"Payload/[^/]+\.app(?=/)", name)
        if found:
            return found[0]
    raise KeyError("no folder Payload/*.app")
