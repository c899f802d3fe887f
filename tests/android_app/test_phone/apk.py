"""An APK for the test phone: the JVM build of the bench core inside, and in plain JSON what a manifest says."""

from __future__ import annotations

import json
import shutil
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pocketclip.benchmark.phone_app.apk import PACKAGE

# In the place of a manifest and a signature.
FACTS = "test-phone.json"
MANIFEST: Mapping[str, Any] = {
    "package": PACKAGE,
    "version_code": 1,
    "signer": "release",
    "min_sdk": 26,
    "instrumentation": True,
}


def write_apk(path: Path, core: Path | None, **changes: Any) -> Path:
    """Writes one around the core of `ensure_core`; None makes one that can be installed and not started.

    `changes` are made to what the manifest says (see `MANIFEST`), and to `abis`. The same arguments give the same
    bytes.
    """
    facts = {**MANIFEST, **changes}
    abis = facts.pop("abis", ("x86_64",))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        _add(archive, "AndroidManifest.xml", b"<manifest/>")
        _add(archive, FACTS, json.dumps(facts).encode())
        for abi in abis:
            _add(archive, f"lib/{abi}/libbench.so", b"\x7fELF")
        for file in sorted(core.rglob("*")) if core is not None else ():
            if file.is_file():
                _add(archive, file.relative_to(core or file).as_posix(), file.read_bytes())
    return path


def rewrite_apk(path: Path, apk: Path, **changes: Any) -> Path:
    """Another build of an APK, with other words in its manifest: of several entries of one name the last one counts."""
    shutil.copyfile(apk, path)
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore", UserWarning)
        _add(archive, FACTS, json.dumps({**MANIFEST, **changes}).encode())
    return path


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED, 1)
