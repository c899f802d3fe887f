"""What `--since` takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pocketclip.benchmark.errors import FilterError
from pocketclip.benchmark.results.filters import parse_since

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("12h", datetime(2026, 3, 8, tzinfo=UTC)),
        ("7d", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        (" 2w ", NOW - timedelta(days=14)),
        ("0d", NOW),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T14:30", datetime(2026, 3, 1, 14, 30, tzinfo=UTC)),
        ("2026-03-01T14:30:00Z", datetime(2026, 3, 1, 14, 30, tzinfo=UTC)),
        ("2026-03-01T14:30+02:00", datetime(2026, 3, 1, 14, 30, tzinfo=timezone(timedelta(hours=2)))),
    ],
)
def test_times(text: str, moment: datetime) -> None:
    assert parse_since(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "7", "7y", "-7d", "d", "yesterday", "2026-13-01", "999999999999d", "9999999d"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(FilterError, match="is not a time; give an age such as 30m, 12h, 7d"):
        parse_since(text, NOW)
