"""An APK for the test phone: the JVM build of the bench core inside, and in plain JSON what a manifest says."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from benchmark.phone_app.apk import PACKAGE


def write_apk(
    path: Path,
    core: Path | None,
    *,
    version_code: int = 1,
    signer: str = "release",
    min_sdk: int = 26,
    abis: tuple[str, ...] = ("x86_64",),
    instrumentation: bool = True,
) -> Path:
    """Writes one around the core of `ensure_core`; None makes one that can be installed and not started.

    The same arguments give the same bytes.
    """
    facts = {
        "package": PACKAGE,
        "version_code": version_code,
        "signer": signer,
        "min_sdk": min_sdk,
        "instrumentation": instrumentation,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        _add(archive, "AndroidManifest.xml", b"<manifest/>")
        _add(archive, "test-phone.json", json.dumps(facts).encode())
        for abi in abis:
            _add(archive, f"lib/{abi}/libbench.so", b"\x7fELF")
        for file in sorted(core.rglob("*")) if core is not None else ():
            if file.is_file():
                _add(archive, file.relative_to(core or file).as_posix(), file.read_bytes())
    return path


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED, 1)
