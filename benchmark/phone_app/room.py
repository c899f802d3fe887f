"""Whether a phone has room for what is about to be sent."""

from __future__ import annotations

from pocketclip.benchmark.errors import DeviceFullError


def require_room(label: str, what: str, need_bytes: int, free_bytes: int | None) -> None:
    """Refuses to send `what` to a phone without the room for it; None is what the phone does not tell.

    Raises:
        DeviceFullError: too little is free.
    """
    if free_bytes is not None and free_bytes < need_bytes:
        raise DeviceFullError(
            f"{label} has no space for {what}: {free_bytes / 1e6:.0f} MB are free, {need_bytes / 1e6:.0f} MB needed",
            fix="free some space there and run it again",
        )
