"""What a user gives to choose records, as a filter of the store."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from pocketclip.benchmark.errors import FilterError
from pocketclip.benchmark.records.accelerators import ACCELERATORS
from pocketclip.benchmark.records.benchmark import Status
from pocketclip.benchmark.store import RecordFilter
from pocketclip.benchmark.store.codec import KINDS
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.errors import choices

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_CHOICES: dict[str, tuple[str, ...]] = {
    "kind": tuple(KINDS),
    "target": tuple(TargetName),
    "precision": tuple(Precision),
    "tower": tuple(Tower),
    "status": tuple(Status),
    "accelerator": ACCELERATORS,
}


def make_filter(wanted: dict[str, Any], now: datetime) -> RecordFilter:
    """The filter for fields of `RecordFilter`; None leaves a field out.

    Args:
        wanted: values by field. `since` takes words of `parse_since`, a moment or an age; others take enums or names.
        now: when an age is counted from.

    Raises:
        FilterError: a field or a value does not exist.
    """
    known = [field.name for field in fields(RecordFilter)]
    found: dict[str, Any] = {}
    for name, value in wanted.items():
        if name not in known:
            raise FilterError(f"records cannot be filtered by {name!r}", fix=f"choose among: {choices(known)}")
        if name in _CHOICES and value is not None and value not in _CHOICES[name]:
            raise FilterError(f"--{name} {value!r} is unknown", fix=f"choose among: {choices(_CHOICES[name])}")
        found[name] = str(value) if isinstance(value, StrEnum) else value
    if (since := found.get("since")) is not None:
        found["since"] = _moment(since, now)
    return RecordFilter(**found)


def _moment(since: str | datetime | timedelta, now: datetime) -> datetime:
    if isinstance(since, timedelta):
        return now - since
    if isinstance(since, datetime):
        return since if since.tzinfo else since.replace(tzinfo=UTC)
    return parse_since(since, now)


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
