"""What the comparison shall reach on x86 with VNNI, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass

from pocketclip.benchmark.perf.comparison_records import PerfRecord, Ratio
from pocketclip.export.precision import Precision, Tower

PLAIN = "plain"
FP32, INT8 = str(Precision.FP32), str(Precision.INT8_STATIC)


@dataclass(frozen=True)
class Goal:
    """The most that a file may take of another's time; `models` are those it is meant for, None all."""

    tower: Tower
    runtime: str
    label: str
    base: str
    at_most: float
    models: tuple[str, ...] | None = None


# Designs with 7x7 depthwise convolutions, which the goals against plain exports are about.
_MOBILECLIP = ("mobileclip_s0", "mobileclip_s2")
# Designed for integer kernels.
_INTEGER = ("pocketclip_int8",)

GOALS: tuple[Goal, ...] = (
    Goal(Tower.IMAGE, "executorch", FP32, PLAIN, 0.42, _MOBILECLIP),
    Goal(Tower.IMAGE, "litert", FP32, PLAIN, 0.47, _MOBILECLIP),
    Goal(Tower.IMAGE, "onnxruntime", FP32, PLAIN, 0.93, _MOBILECLIP),
    Goal(Tower.TEXT, "executorch", FP32, PLAIN, 1.0),
    Goal(Tower.TEXT, "litert", FP32, PLAIN, 1.0),
    Goal(Tower.TEXT, "onnxruntime", FP32, PLAIN, 1.0),
    Goal(Tower.IMAGE, "executorch", INT8, FP32, 0.60, _MOBILECLIP),
    Goal(Tower.IMAGE, "litert", INT8, FP32, 0.60, _MOBILECLIP),
    Goal(Tower.IMAGE, "onnxruntime", INT8, FP32, 0.70, _MOBILECLIP),
    Goal(Tower.IMAGE, "executorch", INT8, FP32, 0.50, _INTEGER),
    Goal(Tower.IMAGE, "litert", INT8, FP32, 0.50, _INTEGER),
    Goal(Tower.IMAGE, "onnxruntime", INT8, FP32, 0.50, _INTEGER),
)


@dataclass(frozen=True)
class Judged:
    """A goal beside what was found."""

    goal: Goal
    ratio: Ratio

    @property
    def met(self) -> bool:
        """Whether the median is within the goal, or the interval cannot exclude that it is."""
        interval = self.ratio.interval
        return self.ratio.median <= self.goal.at_most or (interval is not None and interval[0] <= self.goal.at_most)


def judge(record: PerfRecord) -> list[Judged]:
    """The goals of a record's files."""
    return [
        Judged(goal, record.ratio(goal.label, goal.base))
        for goal in GOALS
        if (goal.tower, goal.runtime) == (record.tower, record.runtime)
        and (goal.models is None or record.model in goal.models)
        and {goal.label, goal.base} <= {*record.labels}
    ]
