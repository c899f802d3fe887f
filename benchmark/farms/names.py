"""Names at a farm, which are its own: those that are like one that it has not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MOST_NAMED = 5


def nearest(wanted: str, names: Iterable[str]) -> list[str]:
    """The names that are most like one; they are the farm's, so that a message shows them as `printable_line`."""
    plain = {name.lower(): name for name in names}
    near = difflib.get_close_matches(wanted.lower(), plain, n=_MOST_NAMED, cutoff=0.4)
    return [plain[each] for each in near]
