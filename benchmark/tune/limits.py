"""What a trial must keep: `--max-latency 8ms`, `--max-drop 1.0pt`, `--max-size 40MB`, `--max-instructions 20M`.

A limit rejects a trial only where the measurement supports it: its whole interval lies beyond. A trial meets a limit
where its estimate does.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from pocketclip.benchmark.errors import OptionError
from pocketclip.models.documents import document
from pocketclip.models.untrusted.numbers import Positive


class Limit(StrEnum):
    """A figure that may be bounded."""

    LATENCY = "max-latency"
    INSTRUCTIONS = "max-instructions"
    DROP = "max-drop"
    SIZE = "max-size"


_UNITS: dict[Limit, dict[str, float]] = {
    Limit.LATENCY: {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9},
    Limit.INSTRUCTIONS: {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9},
    Limit.DROP: {"pt": 1.0},
    Limit.SIZE: {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9},
}
_EXAMPLES = {Limit.LATENCY: "8ms", Limit.INSTRUCTIONS: "20M", Limit.DROP: "1.0pt", Limit.SIZE: "40MB"}
_SHOWN = {
    Limit.LATENCY: (1e6, "ms"),
    Limit.INSTRUCTIONS: (1e6, " million"),
    Limit.DROP: (1.0, " points"),
    Limit.SIZE: (1e6, " MB"),
}


@document
class Limits:
    """The bounds of a study; None bounds nothing.

    `latency_ns` is that of one image and one text together, `instructions` likewise, `drop_points` is accuracy lost
    against the unchanged model, `size_bytes` the model files of both towers.
    """

    latency_ns: Positive | None = None
    instructions: Positive | None = None
    drop_points: Positive | None = None
    size_bytes: Positive | None = None

    def of(self, limit: Limit) -> float | None:
        """The bound of a figure."""
        return {
            Limit.LATENCY: self.latency_ns,
            Limit.INSTRUCTIONS: self.instructions,
            Limit.DROP: self.drop_points,
            Limit.SIZE: self.size_bytes,
        }[limit]


@dataclass(frozen=True)
class Bounded:
    """A figure with its 95 % interval, in the units of `Limits`; an exact one is its own interval."""

    limit: Limit
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Violation:
    """By how much a figure is beyond its limit; `certain` where its whole interval is."""

    limit: Limit
    value: float
    bound: float
    certain: bool

    @property
    def share(self) -> float:
        """The excess as a share of the bound, so that limits of different units can be added."""
        return (self.value - self.bound) / self.bound

    @property
    def words(self) -> str:
        """E.g. `max-latency: 9.1 ms, 1.1 ms (14 %) above 8 ms`."""
        return (
            f"{self.limit}: {shown(self.limit, self.value)}, {shown(self.limit, self.value - self.bound)} "
            f"({100 * self.share:.0f} %) above {shown(self.limit, self.bound)}"
        )


def violations(limits: Limits, figures: list[Bounded]) -> list[Violation]:
    """The limits that figures are beyond, in their order."""
    found: list[Violation] = []
    for figure in figures:
        bound = limits.of(figure.limit)
        if bound is not None and figure.value > bound:
            found.append(Violation(figure.limit, figure.value, bound, figure.low > bound))
    return found


def parse_limit(limit: Limit, text: str | None) -> float | None:
    """The bound that a user gives, in the unit of `Limits`.

    Raises:
        OptionError: it is no number above zero with one of the limit's units.
    """
    if text is None:
        return None
    matched = re.fullmatch(r"\s*(\d{1,18}(?:\.\d{1,18})?)\s*([A-Za-z]*)\s*", text)
    units = _UNITS[limit]
    number = float(matched[1]) if matched else math.nan
    if matched is None or matched[2] not in units or not number > 0:
        named = " ".join(unit for unit in units if unit)
        raise OptionError(
            f"--{limit} takes a number above zero with a unit ({named}) such as {_EXAMPLES[limit]}, got {text!r}"
        )
    return number * units[matched[2]]


def shown(limit: Limit, value: float) -> str:
    """A figure in the unit that tables have."""
    factor, unit = _SHOWN[limit]
    return f"{value / factor:.3g}{unit}" if unit != "ms" else f"{value / factor:.3g} ms"
