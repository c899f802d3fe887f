"""What a package's manifest says to the store and the installer."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
import zipfile
from dataclasses import dataclass

from pocketclip.benchmark.errors import AppFileError

_NAME = "AndroidManifest.xml"
_ANDROID = "{http://schemas.android.com/apk/res/android}"
_MOST_BYTES = 4 << 20
# Of an SDK's level; a manifest may name a preview by a word.
_MOST_LEVEL = 10_000


@dataclass(frozen=True)
class AndroidManifest:
    """Levels are None where the manifest names none, or a preview. `extracts_libraries` is as the manifest has it."""

    min_sdk: int | None
    target_sdk: int | None
    extracts_libraries: bool | None
    debuggable: bool


def read_manifest(archive: zipfile.ZipFile) -> AndroidManifest:
    """Reads the binary manifest of an APK.

    Raises:
        AppFileError: there is none, or it cannot be read.
    """
    from apkInspector.axml import get_manifest

    try:
        with archive.open(_NAME) as packed:
            data = packed.read(_MOST_BYTES + 1)
    except KeyError as error:
        raise AppFileError(f"the package has no {_NAME}") from error
    if len(data) > _MOST_BYTES:
        raise AppFileError(f"{_NAME} unpacks to more than {_MOST_BYTES} bytes")
    try:
        root = ElementTree.fromstring(get_manifest(io.BytesIO(data)))
    except Exception as error:
        # apkInspector raises whatever it met in a file that lies.
        raise AppFileError(f"{_NAME} cannot be read ({type(error).__name__})") from error
    sdk, application = root.find("uses-sdk"), root.find("application")
    return AndroidManifest(
        _level(sdk, "minSdkVersion"),
        _level(sdk, "targetSdkVersion"),
        _flag(application, "extractNativeLibs"),
        _flag(application, "debuggable") or False,
    )


def _level(element: ElementTree.Element | None, name: str) -> int | None:
    text = "" if element is None else element.get(f"{_ANDROID}{name}", "")
    return int(text) if text.isascii() and text.isdigit() and int(text) <= _MOST_LEVEL else None


def _flag(element: ElementTree.Element | None, name: str) -> bool | None:
    text = None if element is None else element.get(f"{_ANDROID}{name}")
    return None if text is None else text.lower() == "true"
