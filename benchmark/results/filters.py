"""What a user types to choose records, as a filter of the store."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from pocketclip.benchmark.errors import FilterError

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def parse_since(text: str, now: datetime) -> datetime:
    """The moment that `--since` names: an age such as `7d`, or a date or time in ISO 8601, in UTC unless it says else.

    Raises:
        FilterError: it is neither.
    """
    try:
        if age := re.fullmatch(r"(\d+)([mhdw])", text.strip()):
            return now - int(age[1]) * _UNITS[age[2]]
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise FilterError(
            f"--since {text!r} is not a time",
            fix=(
                "give an age such as 30m, 12h, 7d or 2w, or a date or time such as "
                "2026-03-01 or 2026-03-01T14:00+02:00 (UTC unless an offset is given)"
            ),
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
