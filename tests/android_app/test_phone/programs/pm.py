"""`pm path PACKAGE`, `pm install [-r] [-g] APK`, `pm uninstall PACKAGE`.

What Android reads from a manifest and a signature is here in the APK's `test-phone.json`: package, version_code,
signer, min_sdk.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import zipfile
from typing import Any, NoReturn

from android_state import changing, log_call, phone

APPS = "/data/app"
INTERNAL = "/data/data"
SHARED = ("/sdcard/Android/data", "/sdcard/Android/media")


def path(package: str) -> None:
    """Where a package is."""
    found = phone()["packages"].get(package)
    if found is None:
        sys.exit(1)
    print(f"package:{found['path']}")


def install(apk: str) -> None:
    """Puts a package there, or another build in its place."""
    facts, abis = _read(apk)
    with changing() as state:
        if state["install_fault"] is not None:
            _fail(state["install_fault"])
        present = state["packages"].get(facts["package"])
        if present is not None and present["signer"] != facts["signer"]:
            _fail(
                f"INSTALL_FAILED_UPDATE_INCOMPATIBLE: Package {facts['package']} signatures do not match previously "
                "installed version; ignoring!"
            )
        if present is not None and present["version_code"] > facts["version_code"]:
            _fail("INSTALL_FAILED_VERSION_DOWNGRADE: Downgrade detected")
        if facts["min_sdk"] > int(state["properties"]["ro.build.version.sdk"]):
            _fail(f"INSTALL_FAILED_OLDER_SDK: Requires newer sdk version #{facts['min_sdk']}")
        if abis and not abis & set(state["properties"]["ro.product.cpu.abilist"].split(",")):
            _fail("INSTALL_FAILED_NO_MATCHING_ABIS: Failed to extract native libraries, res=-113")
        space = os.statvfs("/data")
        if space.f_bavail * space.f_frsize < os.path.getsize(apk):
            _fail("INSTALL_FAILED_INSUFFICIENT_STORAGE: Failed to override installation location")
        if present is not None:
            shutil.rmtree(os.path.dirname(present["path"]), ignore_errors=True)
        digest = hashlib.sha256(f"{facts['package']} {len(state['exits'])} {os.getpid()}".encode()).hexdigest()
        folder = f"{APPS}/~~{digest[:12]}==/{facts['package']}-{digest[12:24]}=="
        os.makedirs(folder)
        shutil.copyfile(apk, f"{folder}/base.apk")
        # As Android does: native code and what is compiled from the classes lie beside the APK.
        with zipfile.ZipFile(apk) as archive:
            archive.extractall(folder, [name for name in archive.namelist() if name.startswith(("lib/", "classes/"))])
        os.makedirs(f"{INTERNAL}/{facts['package']}/files", exist_ok=True)
        state["packages"][facts["package"]] = facts | {"path": f"{folder}/base.apk"}
    print("Success")


def uninstall(package: str) -> None:
    """Takes a package away, with its data."""
    with changing() as state:
        found = state["packages"].pop(package, None)
    if found is None:
        print("Failure [DELETE_FAILED_INTERNAL_ERROR]")
        sys.exit(1)
    for folder in (os.path.dirname(found["path"]), *(f"{each}/{package}" for each in (INTERNAL, *SHARED))):
        shutil.rmtree(folder, ignore_errors=True)
    print("Success")


def _read(apk: str) -> tuple[dict[str, Any], set[str]]:
    try:
        with zipfile.ZipFile(apk) as archive:
            names = archive.namelist()
            facts = json.loads(archive.read("test-phone.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        _fail("INSTALL_PARSE_FAILED_NOT_APK: Failed to parse " + apk)
    return facts, {name.split("/")[1] for name in names if name.startswith("lib/") and name.count("/") == 2}


def _fail(words: str) -> NoReturn:
    print(f"Failure [{words}]")
    sys.exit(1)


arguments = [each for each in log_call("pm") if not each.startswith("-")]
match arguments:
    case ["path", name]:
        path(name)
    case ["install", file]:
        install(file)
    case ["uninstall", name]:
        uninstall(name)
    case _:
        print("Package manager (package) commands:")
        sys.exit(255)
