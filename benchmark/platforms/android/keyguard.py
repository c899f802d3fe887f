"""`dumpsys trust` and `dumpsys window policy`: whether the phone is locked."""

from __future__ import annotations

import re

_LOCKED = re.compile(r"\bdeviceLocked=(\d+)")
# What versions 8 to 15 and their makers call it; `secure` stands where a code, pattern or finger is asked for.
_SHOWING = re.compile(r"\b(?:mIsShowing|isStatusBarKeyguard|mShowingLockscreen|showing)=(true|false)")
_SECURE = re.compile(r"\bsecure=(true|false)")


def parse_locked(trust: str, window_policy: str) -> bool | None:
    """Whether someone must unlock the phone; None where neither tells.

    `dumpsys trust` has a line a user, `User "Owner" (id=0, flags=0x13) (current): trusted=0, ..., deviceLocked=1`: that
    of the current user counts. A screen that only wants a swipe locks nothing.
    """
    users = [line for line in trust.splitlines() if _LOCKED.search(line)]
    current = [line for line in users if "(current)" in line] or users
    if current:
        found = _LOCKED.search(current[0])
        return found is not None and found[1] != "0"
    showing = _SHOWING.findall(window_policy)
    if not showing:
        return None
    secure = _SECURE.search(window_policy)
    return "true" in showing and (secure is None or secure[1] == "true")
