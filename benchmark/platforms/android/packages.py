"""`pm path` and `pm install`: which app is there, and how an installation ended."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FAILURE = re.compile(r"Failure \[\s*([A-Z][A-Z0-9_]+)(?:\s*:\s*(.*?))?\s*\]\s*$", re.MULTILINE | re.DOTALL)
_ERROR = re.compile(r"^(?:Error|Exception.*?|java\.\S+): (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Installation:
    """How `pm install` ended: `code` is Android's word, e.g. `INSTALL_FAILED_UPDATE_INCOMPATIBLE`; None on success."""

    code: str | None
    message: str

    @property
    def succeeded(self) -> bool:
        """Whether the app is there now."""
        return self.code is None


def parse_package_path(text: str) -> str | None:
    """The APK of an installed package: the line `package:/data/app/.../base.apk`; None where it is not installed.

    A package in parts has several lines; the base is the one meant.
    """
    paths = [line.removeprefix("package:").strip() for line in text.splitlines() if line.startswith("package:/")]
    return next((path for path in paths if path.endswith("/base.apk")), paths[0] if paths else None)


def parse_install(text: str) -> Installation:
    """The last words of `pm install`: `Success`, or `Failure [CODE: message]`, the message often left out."""
    failure = _FAILURE.search(text)
    if failure is not None:
        return Installation(failure[1], " ".join((failure[2] or "").split()))
    if any(line.strip() == "Success" for line in text.splitlines()):
        return Installation(None, "")
    error = _ERROR.search(text)
    return Installation("INSTALL_UNKNOWN", error[1].strip() if error else " ".join(text.split())[:300])
