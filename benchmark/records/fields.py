"""What the fields of records, results and answers may hold: the same bounds when they are read and in their schemas.

A store keeps some of the texts in columns of limited length, and PostgreSQL takes no NUL: what one database could not
keep is refused before anything is measured, and by all of them.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le

from pocketclip.models.untrusted.names import Matching
from pocketclip.models.untrusted.numbers import MOST_COUNT

# The length of the store's columns; in characters, not bytes.
LONGEST_NAME = 200
LONGEST_REASON = 20_000
# What lasts longer fits no record.
MOST_SECONDS = 1e9

RECORD_ID = Matching(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", 36, "a UUID in lower case with its hyphens"
)
MOMENT = Matching(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|\+00:00)",
    40,
    "in UTC as ISO 8601 writes it, such as 2026-03-01T14:00:00+00:00",
)
TAG = Matching(r"[^\x00]*", LONGEST_NAME, "text without NUL")

RecordId = Annotated[str, RECORD_ID]
Moment = Annotated[str, MOMENT]
# A name that may be empty.
Tag = Annotated[str, TAG]
Name = Annotated[str, Matching(r"[^\x00]+", LONGEST_NAME, "text without NUL, not empty")]
Accelerator = Annotated[str, Matching(r"[^\x00]+", 32, "an accelerator's name")]
Text = Annotated[str, Matching(r"[^\x00]+", 4_000, "text without NUL, not empty")]
LongText = Annotated[str, Matching(r"[^\x00]*", 5 * LONGEST_REASON, "text without NUL")]

Positive = Annotated[int, Ge(1), Le(MOST_COUNT)]
# Nanoseconds of one step or inference: at most eleven days, and so that sums of them stay within 64 bits.
Duration = Annotated[int, Ge(0), Le(10**15)]
# How far a clock was set, in nanoseconds: it may be decades, in both directions.
ClockJump = Annotated[int, Ge(-(1 << 63)), Le((1 << 63) - 1)]
Seconds = Annotated[float, Ge(0.0), Le(MOST_SECONDS)]
# Loads, cores, joules, headroom: nothing real is above it.
Magnitude = Annotated[float, Ge(0.0), Le(1e9)]
Celsius = Annotated[float, Ge(-273.15), Le(10_000.0)]
Percent = Annotated[int, Ge(0), Le(100)]
# What is computed in floating point may miss its bound by a rounding.
Points = Annotated[float, Ge(-100.001), Le(100.001)]
Cosine = Annotated[float, Ge(-1.001), Le(1.001)]
# Differences of finite 32-bit floats.
Difference = Annotated[float, Ge(0.0), Le(1e39)]
