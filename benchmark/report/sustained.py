"""The sustained curve: latency, clock and temperature by minute, in panels under one another or side by side."""

from __future__ import annotations

from collections.abc import Sequence

from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.records.launch import Launch, Minute
from pocketclip.benchmark.report import svg
from pocketclip.benchmark.report.derived import MinuteSummary, summarize_minutes
from pocketclip.benchmark.statistics.formatting import UNKNOWN, milliseconds, three_digits
from pocketclip.export.precision import TargetName

_NARROW = 500
_TALL, _TOP, _BOTTOM, _GAP = 128.0, 26.0, 34.0, 26.0
_LEFT = 40.0


def draw_sustained(launch: Launch, target: TargetName, width: int) -> str | None:
    """The picture at a width in pixels; None where the launch kept no minutes."""
    minutes = summarize_minutes(launch)
    if not minutes:
        return None
    narrow = width < _NARROW
    measures: tuple[tuple[str, list[float | None]], ...] = (
        ("latency p50, ms; band: p10 to p90", [minute.p50_ns / 1e6 for minute in minutes]),
        ("clock of the fastest core, GHz", [None if m.clock_khz is None else m.clock_khz / 1e6 for m in minutes]),
        ("temperature, °C", [minute.temperature_celsius for minute in minutes]),
    )
    # A panel for each thing that the device tells.
    series = [(name, values) for name, values in measures if any(value is not None for value in values)]
    panels = 1 if narrow else len(series)
    across = (width - (panels - 1) * _GAP) / panels
    step = _TOP + _TALL + _BOTTOM
    parts: list[str] = []
    for index, (name, values) in enumerate(series):
        left, top = (0.0, index * step) if narrow else (index * (across + _GAP), 0.0)
        band = [(minute.p10_ns / 1e6, minute.p90_ns / 1e6) for minute in minutes] if index == 0 else []
        parts += _panel(name, values, band, (left + _LEFT, left + across - 8, top + _TOP, top + _TOP + _TALL), target)
    return svg.picture(
        width,
        step * (len(series) if narrow else 1) + 6,
        f"{len(minutes)} minutes of continuous inference: {'; '.join(name for name, _ in series)}",
        parts,
        class_="figure narrow" if narrow else "figure wide",
    )


def sustained_minutes(record: BenchmarkRecord) -> tuple[Minute, ...]:
    """The minutes of a record's sustained run; none where there was no such run."""
    return () if record.sustained is None else record.sustained.minutes


def _panel(
    name: str,
    values: Sequence[float | None],
    band: Sequence[tuple[float, float]],
    box: tuple[float, float, float, float],
    target: TargetName,
) -> list[str]:
    left, right, top, bottom = box
    parts = [svg.text(left - _LEFT + 2, top - 12, name, class_="name")]
    parts.append(svg.line(left, bottom, right, bottom, class_="axis"))
    extent = [*(value for value in values if value is not None), *(bound for pair in band for bound in pair)]
    low, high = min(extent), max(extent)
    # A curve that hardly moves must look as if it hardly moved.
    margin = max(0.12 * (high - low), 0.04 * abs(high), 1e-6)
    # Only temperatures go below zero.
    y = svg.Scale(low - margin if low < 0 else max(0.0, low - margin), high + margin, bottom, top)
    x = svg.Scale(0.5, max(len(values), 2) + 0.5, left, right)
    for tick in svg.linear_ticks(y.low, y.high, most=4):
        parts.append(svg.line(left, y(tick), right, y(tick), class_="grid"))
        parts.append(svg.text(left - 6, y(tick) + 4, f"{tick:.4g}", class_="tick", anchor="end"))
    for tick in _whole_ticks(len(values)):
        parts.append(svg.text(x(tick), bottom + 16, str(tick), class_="tick", anchor="middle"))
    parts.append(svg.text((left + right) / 2, bottom + 30, "minute", class_="tick", anchor="middle"))
    if band:
        upper = [(x(index), y(pair[1])) for index, pair in enumerate(band, 1)]
        lower = [(x(index), y(pair[0])) for index, pair in enumerate(band, 1)]
        parts.append(svg.element("polygon", points=_points([*upper, *reversed(lower)]), class_=f"band t-{target}"))
    points = [(x(index), y(value)) for index, value in enumerate(values, 1) if value is not None]
    parts.append(svg.element("polyline", points=_points(points), class_=f"curve t-{target}"))
    parts += [svg.element("circle", cx=at, cy=level, r=2.4, class_=f"dot t-{target}") for at, level in points]
    return parts


def _whole_ticks(count: int) -> list[int]:
    step = next(step for step in (1, 2, 5, 10, 20, 60, count) if count / step <= 8)
    return [minute for minute in range(1, count + 1) if minute % step == 0]


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)


def trend(minutes: Sequence[MinuteSummary]) -> str:
    """How the last minute compares with the first, in a sentence."""
    first, last = minutes[0], minutes[-1]
    ratio = last.p50_ns / first.p50_ns if first.p50_ns else 1.0
    return (
        f"p50 {milliseconds(first.p50_ns)} in the first minute and {milliseconds(last.p50_ns)} in minute "
        f"{last.minute}: {three_digits(ratio)} times"
    )


def describe_minute(minute: MinuteSummary) -> str:
    """A minute in words, for the list under the picture."""
    clock = f"{minute.clock_khz / 1e6:.2f} GHz" if minute.clock_khz is not None else f"clock {UNKNOWN}"
    degrees = minute.temperature_celsius
    heat = f"{degrees:.1f} °C" if degrees is not None else f"temperature {UNKNOWN}"
    return f"minute {minute.minute}: {milliseconds(minute.p50_ns)}, {clock}, {heat}"
