"""Latency distributions: a box per launch, relative to the artefact's own median."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.report import svg
from pocketclip.benchmark.report.names import conditions, precision_name
from pocketclip.benchmark.statistics.formatting import milliseconds
from pocketclip.benchmark.statistics.summaries import launch_medians, p50_ns

_BOX, _BOX_GAP, _ROW_GAP = 7.0, 3.0, 14.0
_NARROW = 500
# Beyond this share of the median a whisker is cut, or one stray launch would flatten all the others.
_MOST, _LEAST = 1.6, 0.7


def draw_distributions(records: Sequence[BenchmarkRecord], width: int) -> str | None:
    """The picture at a width in pixels; None where no record has a valid time.

    Box: 25th to 75th percentile, tick: median, whiskers: 5th to 95th percentile of one launch.
    """
    timed = [record for record in records if record.rankable]
    if not timed:
        return None
    narrow = width < _NARROW
    left, right = (6.0, width - 8.0) if narrow else (260.0, width - 158.0)
    shares = {record.record_id: _launch_shares(record) for record in timed}
    low = max(_LEAST, min(box[0] for boxes in shares.values() for box in boxes))
    high = min(_MOST, max(box[-1] for boxes in shares.values() for box in boxes))
    spread = max(high - low, 0.06)
    x = svg.Scale(low - 0.06 * spread, high + 0.06 * spread, left, right)

    rows: list[str] = []
    top = 12.0
    for record in timed:
        identity = record.artifact
        ran = conditions(record)
        label = f"{identity.target} {precision_name(identity)} {identity.tower}" + (f", {ran}" if ran else "")
        medians = launch_medians(record.launches)
        p50 = milliseconds(p50_ns(record.launches))
        apart = f"launches {100 * (max(medians) - min(medians)) / (float(np.median(medians)) or 1):.1f} % apart"
        boxes = shares[record.record_id]
        tall = len(boxes) * (_BOX + _BOX_GAP)
        if narrow:
            rows.append(svg.text(left, top + 10, label, class_="label"))
            rows.append(svg.text(right, top + 24, f"{p50}, {apart}", class_="tick over", anchor="end"))
            top += 32
        else:
            middle = top + tall / 2
            rows.append(svg.text(left - 14, middle + 3, label, class_="label", anchor="end"))
            rows.append(svg.text(right + 14, middle - 3, p50, class_="label"))
            rows.append(
                svg.text(
                    right + 14,
                    middle + 11,
                    apart,
                    class_="tick",
                )
            )
        for index, box in enumerate(boxes):
            rows += _draw_box(box, x, top + index * (_BOX + _BOX_GAP), f"t-{identity.target}")
        top += max(tall, 24.0) + _ROW_GAP
    parts = _axis(x, top, narrow) + rows
    return svg.picture(
        width,
        top + 40,
        "Distribution of steady latency in each launch, relative to the artefact's median",
        parts,
        class_="figure narrow" if narrow else "figure wide",
    )


def _launch_shares(record: BenchmarkRecord) -> list[list[float]]:
    middle = p50_ns(record.launches)
    return [
        [float(value) / middle for value in np.percentile(launch.steady_ns, (5, 25, 50, 75, 95))]
        for launch in record.launches
    ]


def _draw_box(box: Sequence[float], x: svg.Scale, top: float, target_class: str) -> list[str]:
    whisker_low, low, median, high, whisker_high = (x(min(max(value, x.low), x.high)) for value in box)
    middle = top + _BOX / 2
    parts = [
        svg.line(whisker_low, middle, whisker_high, middle, class_=f"whisker {target_class}"),
        svg.element(
            "rect",
            x=low,
            y=top,
            width=max(high - low, 1.0),
            height=_BOX,
            rx=1.5,
            class_=f"box {target_class}",
        ),
        svg.line(median, top - 1, median, top + _BOX + 1, class_=f"median {target_class}"),
    ]
    if box[-1] > x.high:
        parts.append(svg.text(x.end + 2, middle + 4, "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}", class_="tick"))
    return parts


def _axis(x: svg.Scale, bottom: float, narrow: bool) -> list[str]:
    parts: list[str] = []
    for value in svg.linear_ticks(100 * (x.low - 1), 100 * (x.high - 1), most=4 if narrow else 8):
        at = x(1 + value / 100)
        centre = abs(value) < 1e-9
        parts.append(svg.line(at, 6, at, bottom, class_="axis" if centre else "grid"))
        shown = "median" if centre else f"{value:+.3g} %".replace("-", "\N{MINUS SIGN}")
        if x.start + 16 < at < x.end - 16 or not narrow:
            parts.append(svg.text(at, bottom + 16, shown, class_="tick", anchor="middle"))
    name = "steady latency relative to the artefact's median"
    parts.append(svg.text((x.start + x.end) / 2, bottom + 35, name, class_="name", anchor="middle"))
    return parts
