"""The two pictures of `docs/encoders.md`: accuracy against latency, and against instructions, with their fronts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pocketclip.benchmark.encoder_study.effects import latency_ms, mean_accuracy, million_instructions
from pocketclip.benchmark.encoder_study.page import MAIN_SPLIT, Study
from pocketclip.benchmark.encoder_study.study_records import Start, StudySpeed
from pocketclip.benchmark.encoder_study.variants import Variant
from pocketclip.export.precision import Precision

Point = tuple[float, float, str]
Cost = Callable[[StudySpeed, Variant, str, Precision], float | None]
# What ships.
_PRECISION = Precision.INT8_STATIC


def draw_pictures(study: Study, folder: Path, start: Start) -> list[Path]:
    """Writes the pictures that the runs and speeds allow, as SVG, the same bytes for the same figures.

    Raises:
        StorageError: the folder cannot be written.
    """
    if study.speed is None:
        return []
    written: list[Path] = []
    for name, words, cost in (
        ("latency", "p50 of both towers on this host, ms", latency_ms),
        ("instructions", "million instructions of both towers, emulated Cortex-A76", million_instructions),
    ):
        points = _points(study, study.speed, start, cost)
        if len(points) > 1:
            path = folder / f"encoders-{name}.svg"
            _draw(points, words, path)
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
        accuracy = mean_accuracy(runs, MAIN_SPLIT, _PRECISION)
        at = cost(speed, variant, study.main_target, _PRECISION)
        if accuracy is not None and at is not None:
            found.append((at, 100 * accuracy, variant.name))
    return found


def _draw(points: list[Point], words: str, path: Path) -> None:
    import io

    import matplotlib as mpl

    from pocketclip.models import atomic

    mpl.use("svg")
    from matplotlib import pyplot

    # Without these, every run writes other bytes.
    with mpl.rc_context({"svg.hashsalt": "pocketclip", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = pyplot.subplots(figsize=(9, 5.5), layout="constrained")
        best = front(points)
        axes.plot([x for x, _, _ in best], [y for _, y, _ in best], color="#667", linewidth=1, zorder=1, label="front")
        axes.scatter([x for x, _, _ in points], [y for _, y, _ in points], color="#2a6bd4", zorder=2)
        for x, y, name in points:
            axes.annotate(name, (x, y), xytext=(5, 4), textcoords="offset points")
        axes.set_xlabel(words)
        axes.set_ylabel(f"{MAIN_SPLIT}, {_PRECISION}: top-1, %")
        axes.grid(alpha=0.25)
        axes.legend()
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    atomic.write_text(path, buffer.getvalue())
