"""The accuracy-latency picture: each pair of artefacts by its image + text p50 latency and its accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.accuracy_records import AccuracyRecord
from benchmark.formatting import megabytes, milliseconds, percent
from benchmark.report import svg
from benchmark.report.pairs import Pair, Place, Standing, rank

_TOP, _BOTTOM = 18, 46
_NARROW = 500
# Estimates of a label's size in pixels: an SVG cannot measure its text.
_CHARACTER, _LINE = 6.6, 15.0


@dataclass(frozen=True)
class _Label:
    words: str
    x: float
    y: float


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: _Box) -> float:
        """The area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)


def draw_scatter(pairs: Sequence[Pair], baseline: AccuracyRecord | None, width: int) -> str | None:
    """The picture at a width in pixels; None where no pair has both a latency and an accuracy.

    Pairs without a valid time stand in a column of their own, so that they have an accuracy and no latency. Those on
    the Pareto front wear a ring.
    """
    front = [standing.pair for standing in rank(pairs) if standing.place is Place.FRONT]
    judged = [pair for pair in pairs if pair.accuracy is not None and not pair.failed]
    timed = [(pair, pair.accuracy, latency) for pair in judged if pair.accuracy and (latency := pair.latency_ns)]
    untimed = [(pair, pair.accuracy) for pair in judged if pair.accuracy and pair.latency_ns is None]
    if not timed:
        return None
    narrow = width < _NARROW
    height = 380 if narrow else 420
    gutter = (92 if narrow else 150) if untimed else 0
    left, right, bottom = 46, width - gutter - 12, height - _BOTTOM

    latencies = [latency / 1e6 for _, _, latency in timed]
    x = svg.Scale(min(latencies) / 1.35, max(latencies) * (1.9 if narrow else 1.6), left, right, logarithmic=True)
    records = [record for record in (*(pair.accuracy for pair in judged), baseline) if record is not None]
    low, high = min(r.accuracy_low for r in records), max(r.accuracy_high for r in records)
    margin = max(0.004, (high - low) * 0.08)
    y = svg.Scale(100 * max(0.0, low - margin), 100 * min(1.0, high + margin), bottom, _TOP)

    parts = _axes(x, y, width, left, right, bottom)
    labels = [_Label(pair.label, x(ns / 1e6), y(100 * accuracy.accuracy)) for pair, accuracy, ns in timed]
    taken = [_Box(label.x - 8, label.y - 8, label.x + 8, label.y + 8) for label in labels]
    if baseline is not None:
        level = y(100 * baseline.accuracy)
        parts.append(svg.line(left, level, width - 12 if untimed else right, level, class_="baseline"))
        parts.append(_draw_baseline_label(f"PyTorch {100 * baseline.accuracy:.1f} %", level, left, right, taken))
    for pair, accuracy, latency in timed:
        if any(pair is each for each in front):
            parts.append(svg.element("circle", cx=x(latency / 1e6), cy=y(100 * accuracy.accuracy), r=11, class_="ring"))
        parts += _point(pair, accuracy, x(latency / 1e6), y)
    parts += _draw_labels(labels, taken, _Box(left, _TOP, right + 4, bottom))
    if untimed:
        parts.append(svg.line(right + 8, _TOP, right + 8, bottom, class_="gutter"))
        invalid = any(record.invalid for pair, _ in untimed for record in pair.towers)
        words = "no valid time" if invalid else "not timed"
        parts.append(svg.text((right + 8 + width - 12) / 2, bottom + 18, words, class_="tick", anchor="middle"))
        parts += _draw_untimed(untimed, y, right + 8, width - 12)
    return svg.picture(
        width,
        height,
        "Zero-shot accuracy against the latency of both towers together, one mark per pair of artefacts",
        parts,
        class_="figure narrow" if narrow else "figure wide",
    )


def _axes(x: svg.Scale, y: svg.Scale, width: int, left: float, right: float, bottom: float) -> list[str]:
    parts: list[str] = []
    for value in svg.linear_ticks(y.low, y.high):
        level = y(value)
        parts.append(svg.line(left, level, width - 12, level, class_="grid"))
        parts.append(svg.text(left - 8, level + 4, f"{value:g}", class_="tick", anchor="end"))
    for value in svg.log_ticks(x.low, x.high):
        parts.append(svg.line(x(value), bottom, x(value), bottom + 5, class_="axis"))
        parts.append(svg.text(x(value), bottom + 18, f"{value:g}", class_="tick", anchor="middle"))
    parts.append(svg.line(left, bottom, right, bottom, class_="axis"))
    parts.append(
        svg.text(
            (left + right) / 2,
            bottom + 38,
            "image + text p50, ms (log scale)",
            class_="name",
            anchor="middle",
        )
    )
    parts.append(svg.text(2, 11, "zero-shot accuracy, %", class_="name"))
    return parts


def _point(pair: Pair, accuracy: AccuracyRecord, at: float, y: svg.Scale) -> list[str]:
    level = y(100 * accuracy.accuracy)
    low, high = y(100 * accuracy.accuracy_low), y(100 * accuracy.accuracy_high)
    return [
        svg.line(at, low, at, high, class_=f"interval t-{pair.target}"),
        svg.marker(pair.target, at, level, hollow=not pair.precision.quantized),
    ]


def _draw_untimed(untimed: Sequence[tuple[Pair, AccuracyRecord]], y: svg.Scale, left: float, right: float) -> list[str]:
    step = (right - left) / (len(untimed) + 1)
    parts: list[str] = []
    for index, (pair, accuracy) in enumerate(untimed, 1):
        at = left + index * step
        parts += _point(pair, accuracy, at, y)
        # Written along the interval: there is no room beside it. The shape tells the target.
        foot = y(100 * accuracy.accuracy_low) + 8
        label = svg.text(at + 4, foot, str(pair.precision), class_="label", anchor="end")
        parts.append(svg.element("g", label, transform=f"rotate(-90 {at + 4:.2f} {foot:.2f})"))
    return parts


def _draw_baseline_label(words: str, level: float, left: float, right: float, taken: list[_Box]) -> str:
    """Writes the words on or under the line, where they cover least."""
    wide = 1.1 * _CHARACTER * len(words)
    places = [
        _Box(start, level + drop - _LINE, start + wide, level + drop)
        for drop in (-3.0, _LINE + 2)
        for start in (left + 6, (left + right - wide) / 2, right - wide)
    ]
    box = min(places, key=lambda place: sum(place.overlap(other) for other in taken))
    taken.append(box)
    return svg.text(box.left, box.bottom - 4, words, class_="baseline-label")


def _draw_labels(labels: Sequence[_Label], taken: list[_Box], plot: _Box) -> list[str]:
    """Writes each label where it covers least: beside its point, else above or below with a hair line."""
    parts: list[str] = []
    for label in sorted(labels, key=lambda item: item.y):
        box, _ = min(_places(label), key=lambda place: _cost(*place, taken, plot))
        taken.append(box)
        middle = (box.top + box.bottom) / 2
        if abs(middle - label.y) > 1:
            near = box.left - 2 if box.left > label.x else box.right + 2
            parts.append(svg.line(label.x, label.y, near, middle, class_="leader"))
        parts.append(svg.text(box.left, middle + 4, label.words, class_="label"))
    return parts


def _places(label: _Label) -> list[tuple[_Box, int]]:
    width = _CHARACTER * len(label.words)
    places: list[tuple[_Box, int]] = []
    for shift in sorted(range(-6, 7), key=abs):
        middle = label.y + shift * _LINE
        gap = 13.0 if shift == 0 else 20.0
        for left in (label.x + gap, label.x - gap - width):
            places.append((_Box(left, middle - _LINE / 2, left + width, middle + _LINE / 2), shift))
    return places


def _cost(box: _Box, shift: int, taken: Sequence[_Box], plot: _Box) -> float:
    outside = (box.right - box.left) * (box.bottom - box.top) - box.overlap(plot)
    return 50 * (sum(box.overlap(other) for other in taken) + outside) + abs(shift)


def describe_point(standing: Standing) -> str:
    """A point in words, for the list under the picture."""
    pair, accuracy, latency = standing.pair, standing.pair.accuracy, standing.pair.latency_ns
    shown = f"at {milliseconds(latency)}" if latency is not None else "without a valid time"
    figures = [*([percent(accuracy.accuracy)] if accuracy else []), shown, megabytes(pair.size_bytes)]
    front = ", on the Pareto front" if standing.place is Place.FRONT else ""
    return f"{pair.label}: {', '.join(figures)}{front}"
