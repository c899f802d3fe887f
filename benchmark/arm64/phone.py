"""The emulated phone as a device that adb reaches: Debian's own arm64 `adbd`, and with it a shell, run under QEMU."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pocketclip.benchmark.arm64.root import check_host, root_folder
from pocketclip.benchmark.arm64.rooted_phone import ADDRESS, RootedPhone
from pocketclip.models.user_cache import user_cache

__all__ = ["ADDRESS", "WORKSPACES", "Phone", "find_phone"]

WORKSPACES = "/data/local/tmp"


class Phone(RootedPhone):
    """The emulated arm64 phone."""

    LABEL: ClassVar[str] = "the emulated phone"
    CREATE: ClassVar[str] = "create it with `pocketclip devices create emulator-arm64`"

    def check_host(self) -> None:
        """Whether this machine can run it; raises `EmulatorError` where not."""
        check_host()


def find_phone(cache: Path | None = None) -> Phone:
    """The emulated phone of the user's cache; it need not exist."""
    return Phone(root_folder(cache), user_cache() / "emulator-arm64")
