"""Types of document fields that count or measure: each holds only a range that something can have."""

from __future__ import annotations

import math
from typing import Annotated

from annotated_types import Ge, Gt, Le, MaxLen, MinLen

# Sizes and counts above these are no model for a phone, and would be memory before anything else is checked.
MOST_DIMENSION = 1 << 24
MOST_FILE_BYTES = 1 << 40
# Every whole number up to it has a float64 of its own, as JSON's other readers need.
MOST_COUNT = (1 << 53) - 1
# Every kind of generator takes a seed up to it.
MAX_SEED = (1 << 32) - 1

Count = Annotated[int, Ge(0), Le(MOST_COUNT)]
Dimension = Annotated[int, Ge(1), Le(MOST_DIMENSION)]
FileSize = Annotated[int, Ge(0), Le(MOST_FILE_BYTES)]
Shape = Annotated[tuple[Dimension, ...], MinLen(1), MaxLen(8)]
# A little beyond 1: that is what single precision makes of vectors of length 1.
Cosine = Annotated[float, Ge(-1.001), Le(1.001)]
# The factor on cosines before the softmax; CLIP's own is at most 100.
LogitScale = Annotated[float, Gt(0.0), Le(1e6)]
Share = Annotated[float, Ge(0.0), Le(1.0)]
NotNegative = Annotated[float, Ge(0.0)]
Positive = Annotated[float, Gt(0.0)]
# Nanoseconds up to 292 years, what 64 bits hold.
Nanoseconds = Annotated[int, Ge(0), Le((1 << 63) - 1)]

# One less than the digits of the largest 64-bit integer: all numbers of so many digits fit.
_MOST_DIGITS = 18


def parse_digits(word: str) -> int | None:
    """The number of a word of ASCII digits; None where it is none, or has more of them than 64 bits hold."""
    return int(word) if word.isascii() and word.isdecimal() and len(word) <= _MOST_DIGITS else None


def parse_whole(text: str) -> int | None:
    """`parse_digits` of a program's output, which may have spaces around it."""
    return parse_digits(text.strip())


def parse_finite(text: str) -> float | None:
    """The number that a program's output has; None where it is none, NaN or infinite."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
