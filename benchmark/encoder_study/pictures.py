"""The pictures of `docs/encoders.md`: accuracy against latency, and against instructions, with their fronts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pocketclip.benchmark.encoder_study.effects import latency_ms, mean_accuracy, million_instructions
from pocketclip.benchmark.encoder_study.page import Study
from pocketclip.benchmark.encoder_study.study_records import Start, StudySpeed
from pocketclip.benchmark.encoder_study.variants import Variant
from pocketclip.benchmark.report.plotted import plotted
from pocketclip.export.precision import Precision

Point = tuple[float, float, str]
Cost = Callable[[StudySpeed, Variant, str, Precision], float | None]
# What ships.
_PRECISION = Precision.INT8_STATIC


def draw_pictures(study: Study, folder: Path) -> list[Path]:
    """Writes the pictures that the runs and speeds allow, as SVG, the same bytes for the same figures.

    Two for each kind of start: trained from other weights, accuracies are no points of one picture.

    Raises:
        StorageError: the folder cannot be written.
    """
    if study.speed is None:
        return []
    written: list[Path] = []
    for start in Start:
        for name, words, cost in (
            ("latency", "p50 of both towers on this host, ms", latency_ms),
            ("instructions", "million instructions of both towers, emulated Cortex-A76", million_instructions),
        ):
            points = _points(study, study.speed, start, cost)
            if len(points) > 1:
                path = folder / f"encoders-{name}-{start}.svg"
                _draw(points, words, f"{study.main_split(start)}, {_PRECISION}, {start} weights: top-1, %", path)
                written.append(path)
    return written


def front(points: list[Point]) -> list[Point]:
    """The points that no other beats in cost and accuracy, by cost."""
    best: list[Point] = []
    for point in sorted(points, key=lambda each: (each[0], -each[1])):
        if not best or point[1] > best[-1][1]:
            best.append(point)
    return best


def _points(study: Study, speed: StudySpeed, start: Start, cost: Cost) -> list[Point]:
    found: list[Point] = []
    for variant in study.variants:
        runs = [run for run in study.runs if run.variant == variant.name and run.start is start]
        accuracy = mean_accuracy(runs, study.main_split(start), _PRECISION)
        at = cost(speed, variant, study.main_target, _PRECISION)
        if accuracy is not None and at is not None:
            found.append((at, 100 * accuracy, variant.name))
    return found


def _draw(points: list[Point], across: str, up: str, path: Path) -> None:
    with plotted(path, size=(9, 5.5)) as axes:
        best = front(points)
        axes.plot([x for x, _, _ in best], [y for _, y, _ in best], color="#667", linewidth=1, zorder=1, label="front")
        axes.scatter([x for x, _, _ in points], [y for _, y, _ in points], color="#2a6bd4", zorder=2)
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.grid(alpha=0.25)
        axes.legend(loc="lower left")
        _label(axes, points)


def _label(axes: Any, points: list[Point]) -> None:
    """Writes the names in a column, each with a line to its point: beside the points they would overlap."""
    # From the bottom, as the points themselves, so that few lines cross.
    for place, (x, y, name) in enumerate(sorted(points, key=lambda each: each[1])):
        axes.annotate(
            name,
            (x, y),
            xytext=(1.03, (place + 0.5) / len(points)),
            textcoords="axes fraction",
            va="center",
            arrowprops={"arrowstyle": "-", "color": "#bbc", "linewidth": 0.6, "relpos": (0, 0.5)},
            zorder=0,
        )
