"""The accuracy-latency picture of all models on a device: which pair is as accurate and as fast as no other."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from pocketclip.benchmark.records.accuracy import AccuracyRecord
from pocketclip.benchmark.records.benchmark import DeviceKind
from pocketclip.benchmark.report import svg
from pocketclip.benchmark.report.headline import pytorch
from pocketclip.benchmark.report.names import TARGET_NAMES
from pocketclip.benchmark.report.pairs import Pair
from pocketclip.benchmark.report.selection import ModelSelection, data_set
from pocketclip.benchmark.report.svg import Box
from pocketclip.benchmark.report.table import Figure
from pocketclip.benchmark.statistics.formatting import megabytes, milliseconds, percent
from pocketclip.export.precision import TargetName

_NARROW = 500
_NOTE = (
    "Each mark is one pair: the image and the text artefact of one form. Up and to the left is better. The accuracy "
    "axis does not start at zero, and the latency axis is logarithmic. Bars: 95 % intervals of accuracy. The stepped "
    "line is the Pareto front: no other pair with the same threads is both as accurate and as fast as a pair with a "
    "ring. Intervals are not considered. Pairs without a valid time are listed below the picture but not drawn. A "
    "number replaces a name that does not fit; the list below the picture has the names."
)


@dataclass(frozen=True)
class Plotted:
    """A pair with its accuracy, and its latency where it may be shown; `number` is its place in the list."""

    pair: Pair
    accuracy: AccuracyRecord
    latency_ns: float | None
    number: int
    label: str
    on_front: bool

    @property
    def share(self) -> float:
        return self.accuracy.accuracy


def pareto_figures(selections: Sequence[ModelSelection]) -> tuple[Figure, ...]:
    """The picture of each field."""
    found = (_figure(*field) for field in pareto_fields(selections))
    return tuple(figure for figure in found if figure is not None)


def pareto_fields(selections: Sequence[ModelSelection]) -> list[tuple[str, list[Plotted], list[AccuracyRecord]]]:
    """For each device and data set its pairs, and what PyTorch reaches with each of their models.

    Times of two devices, or accuracies on two data sets, share no axis. Emulated devices have no field.
    """
    fields: list[tuple[str, list[Plotted], list[AccuracyRecord]]] = []
    for device in dict.fromkeys(device for selection in selections for device in selection.devices):
        sets: dict[Hashable, list[Pair]] = {}
        for selection in selections:
            for pair in selection.pairs(device):
                if pair.accuracy is not None and not pair.failed and pair.image.device.kind != DeviceKind.EMULATED:
                    sets.setdefault(data_set(pair.accuracy), []).append(pair)
        for chosen, pairs in sets.items():
            models = {pair.image.artifact.model for pair in pairs}
            found = [pytorch(selection) for selection in selections if selection.model in models]
            baselines = [record for record in found if record is not None and data_set(record) == chosen]
            fields.append((device, plot(pairs), baselines))
    return fields


def plot(pairs: Sequence[Pair]) -> list[Plotted]:
    """The judged pairs: the timed ones by latency, then those without a valid time."""
    judged = [(pair, pair.accuracy) for pair in pairs if pair.accuracy is not None and not pair.failed]
    judged.sort(key=lambda item: (item[0].latency_ns is None, item[0].latency_ns or 0.0))
    several = len({pair.image.artifact.model for pair, _ in judged}) > 1
    front = _front([pair for pair, _ in judged])
    return [
        Plotted(
            pair,
            accuracy,
            pair.latency_ns,
            number,
            f"{pair.image.artifact.model} {pair.label}" if several else pair.label,
            any(pair is each for each in front),
        )
        for number, (pair, accuracy) in enumerate(judged, 1)
    ]


def _front(pairs: Sequence[Pair]) -> list[Pair]:
    """Of the timed pairs, those that none with as many threads and the same cores beats in accuracy and latency."""

    def beats(one: Pair, other: Pair) -> bool:
        if one.latency_ns is None or other.latency_ns is None or one.accuracy is None or other.accuracy is None:
            return False
        first, second = ((pair.image.settings.threads, pair.image.settings.cores) for pair in (one, other))
        mine, others = ((pair[0], -pair[1]) for pair in (_point(one), _point(other)))
        return first == second and mine != others and mine[0] <= others[0] and mine[1] <= others[1]

    timed = [pair for pair in pairs if pair.latency_ns is not None]
    return [pair for pair in timed if not any(beats(other, pair) for other in timed)]


def _point(pair: Pair) -> tuple[float, float]:
    assert pair.latency_ns is not None and pair.accuracy is not None
    return pair.latency_ns, pair.accuracy.accuracy


def _figure(device: str, plotted: Sequence[Plotted], baselines: Sequence[AccuracyRecord]) -> Figure | None:
    pictures = svg.both_widths(lambda width: draw_pareto(plotted, baselines, width))
    if not pictures:
        return None
    first = plotted[0].accuracy
    untimed = [each for each in plotted if each.latency_ns is None]
    left_out = ""
    if untimed:
        listed = "; ".join(f"{each.label} {percent(each.share)}" for each in untimed)
        left_out = f" Not in the picture, without a valid time: {listed}."
    return Figure(
        "pareto",
        f"Accuracy and latency on {device}",
        pictures,
        f"Zero-shot on {first.dataset}, {first.samples:,} images.{left_out}",
        _NOTE,
        "Points in words",
        tuple(describe(each) for each in plotted),
        device,
        "Accuracy and latency",
    )


def describe(each: Plotted) -> str:
    """A point in words, for the list under the picture."""
    shown = f"at {milliseconds(each.latency_ns)}" if each.latency_ns is not None else "without a valid time"
    front = ", on the Pareto front" if each.on_front else ""
    return f"{each.label}: {percent(each.share)}, {shown}, {megabytes(each.pair.size_bytes)}{front}"


def draw_pareto(plotted: Sequence[Plotted], baselines: Sequence[AccuracyRecord], width: int) -> str | None:
    """The picture at a width in pixels; None where no pair has a latency."""
    timed = [(each, each.latency_ns / 1e6) for each in plotted if each.latency_ns is not None]
    if not timed:
        return None
    narrow = width < _NARROW
    legend, top = _legend([each for each, _ in timed], bool(baselines), width)
    top += 34
    left, right, bottom = 46.0, width - 14.0, top + (270 if narrow else 330)
    latencies = [latency for _, latency in timed]
    spread = max(latencies) / min(latencies)
    room = max(1.12, spread**0.12)
    x = svg.Scale(min(latencies) / room, max(latencies) * room**1.6, left, right, logarithmic=True)
    records = [*(each.accuracy for each, _ in timed), *baselines]
    low, high = min(record.accuracy_low for record in records), max(record.accuracy_high for record in records)
    margin = max(0.004, (high - low) * 0.08)
    y = svg.Scale(100 * max(0.0, low - margin), 100 * min(1.0, high + margin), bottom, top)

    parts = legend + _axes(x, y, (left, right, bottom), top)
    spots = {each.number: (x(latency), y(100 * each.share)) for each, latency in timed}
    taken = [Box(at - 8, level - 8, at + 8, level + 8) for at, level in spots.values()]
    levels: dict[float, list[AccuracyRecord]] = {}
    for record in baselines:
        levels.setdefault(round(y(100 * record.accuracy), 1), []).append(record)
    # A name may cross these lines where it has no other place; it may not cover a mark or a name.
    lines = [Box(left, level - 2, right, level + 2) for level in levels]
    for each, _ in timed:
        at, high, low = (
            spots[each.number][0],
            y(100 * each.accuracy.accuracy_high),
            y(100 * each.accuracy.accuracy_low),
        )
        lines.append(Box(at - 2, high, at + 2, low))
    for level, records in levels.items():
        parts.append(svg.line(left, level, right, level, class_="baseline"))
        models = f" ({', '.join(record.model for record in records)})" if len(baselines) > 1 and not narrow else ""
        words = f"PyTorch {100 * records[0].accuracy:.1f} %{models}"
        parts.append(_baseline_label(words, level, left, right, taken, lines[len(levels) :]))
    parts += _front_lines(timed, x, y, right)
    for each, _ in timed:
        at, level = spots[each.number]
        interval = y(100 * each.accuracy.accuracy_low), y(100 * each.accuracy.accuracy_high)
        parts.append(svg.line(at, interval[0], at, interval[1], class_=f"interval t-{each.pair.target}"))
    for each, _ in timed:
        at, level = spots[each.number]
        if each.on_front:
            parts.append(svg.element("circle", cx=at, cy=level, r=11, class_="ring"))
        parts.append(svg.marker(each.pair.target, at, level, hollow=not each.pair.precision.quantized))
    # Those on the front first: where there is room for few names, it is theirs.
    ordered = sorted((each for each, _ in timed), key=lambda each: (not each.on_front, spots[each.number][1]))
    parts += _labels(ordered, spots, taken, lines, Box(left + 2, top, right, bottom - 2))
    return svg.picture(
        width,
        bottom + 44,
        "Zero-shot accuracy and the latency of both towers together, one mark per pair of artefacts",
        parts,
        class_="figure narrow" if narrow else "figure wide",
    )


def _legend(plotted: Sequence[Plotted], baseline: bool, width: int) -> tuple[list[str], float]:
    """The entries in lines over the picture, and how tall they are."""
    parts: list[str] = []
    at, level = 8.0, 12.0
    targets = [target for target in TargetName if any(each.pair.target is target for each in plotted)]
    shapes = [(TARGET_NAMES[target], svg.marker(target, 0.0, 0.0, size=5.0)) for target in targets]
    hollow, filled = (
        any(each.pair.precision.quantized is quantized for each in plotted) for quantized in (False, True)
    )
    if hollow and filled:
        shapes.append(("hollow: floating point", svg.element("circle", cx=0, cy=0, r=4.6, class_="mark hollow plain")))
        shapes.append(("filled: integers", svg.element("circle", cx=0, cy=0, r=4.6, class_="mark plain")))
    shapes.append(("Pareto front", svg.line(-8, 0, 8, 0, class_="front")))
    if baseline:
        shapes.append(("PyTorch", svg.line(-8, 0, 8, 0, class_="baseline")))
    for words, shape in shapes:
        wide = 46 + 6.0 * len(words)
        if at > 8 and at + wide > width:
            at, level = 8.0, level + 20
        parts.append(svg.element("g", shape, transform=f"translate({at + 4:.2f} {level:.2f})"))
        parts.append(svg.text(at + 18, level + 4, words, class_="tick"))
        at += wide
    return parts, level + 8


def _axes(x: svg.Scale, y: svg.Scale, box: tuple[float, float, float], top: float) -> list[str]:
    left, right, bottom = box
    parts: list[str] = []
    for value in svg.linear_ticks(y.low, y.high):
        level = y(value)
        parts.append(svg.line(left, level, right, level, class_="grid"))
        parts.append(svg.text(left - 8, level + 4, f"{value:g}", class_="tick", anchor="end"))
    for value in svg.log_ticks(x.low, x.high):
        parts.append(svg.line(x(value), bottom, x(value), bottom + 5, class_="axis"))
        parts.append(svg.text(x(value), bottom + 18, f"{value:g}", class_="tick", anchor="middle"))
    parts.append(svg.line(left, bottom, right, bottom, class_="axis"))
    name = "latency of image + text, p50, ms (log scale)"
    parts.append(svg.text((left + right) / 2, bottom + 38, name, class_="name", anchor="middle"))
    parts.append(svg.text(2, top - 10, "zero-shot accuracy, %", class_="name"))
    return parts


def _front_lines(timed: Sequence[tuple[Plotted, float]], x: svg.Scale, y: svg.Scale, right: float) -> list[str]:
    """A stepped line through the front of each number of threads."""
    fields: dict[Hashable, list[tuple[float, float]]] = {}
    for each, latency in timed:
        if each.on_front:
            settings = each.pair.image.settings
            spot = x(latency), y(100 * each.share)
            fields.setdefault((settings.threads, settings.cores), []).append(spot)
    lines: list[str] = []
    for spots in fields.values():
        spots.sort()
        corners = [spots[0]]
        for (_, level), (at, next_level) in itertools.pairwise(spots):
            corners += [(at, level), (at, next_level)]
        corners.append((right, corners[-1][1]))
        points = " ".join(f"{at:.2f},{level:.2f}" for at, level in corners)
        lines.append(svg.element("polyline", points=points, class_="front"))
    return lines


def _baseline_label(words: str, level: float, left: float, right: float, taken: list[Box], lines: Sequence[Box]) -> str:
    """Writes the words on or under the line, where they cover least."""
    wide = 1.1 * svg.CHARACTER * len(words)
    places = [
        Box(start, level + drop - svg.LINE, start + wide, level + drop)
        for drop in (-3.0, svg.LINE + 2)
        for start in (left + 6, (3 * left + right) / 4 - wide / 2, (left + right - wide) / 2, right - wide)
    ]
    box = min(places, key=lambda place: sum(place.overlap(other) for other in (*taken, *lines)))
    taken.append(box)
    return svg.text(box.left, box.bottom - 4, words, class_="baseline-label")


def _labels(
    plotted: Sequence[Plotted],
    spots: dict[int, tuple[float, float]],
    taken: list[Box],
    lines: Sequence[Box],
    plot_box: Box,
) -> list[str]:
    """Writes each name where it covers nothing: beside its point, else above or below; its number where none fits."""
    parts: list[str] = []
    for each in plotted:
        at, level = spots[each.number]

        def place(words: str, at: float = at, level: float = level) -> Box:
            def cost(candidate: tuple[Box, int]) -> float:
                box, shift = candidate
                crossed = sum(box.overlap(other) for other in lines)
                return 50 * _covered(box, taken, plot_box) + crossed / 6 + 4 * abs(shift)

            return min(_places(words, at, level), key=cost)[0]

        words = each.label
        box = place(words)
        if _covered(box, taken, plot_box) > 1:
            words = str(each.number)
            box = place(words)
        taken.append(box)
        middle = (box.top + box.bottom) / 2
        if abs(middle - level) > 1:
            near = box.left - 2 if box.left > at else box.right + 2
            parts.append(svg.line(at, level, near, middle, class_="leader"))
        beside = ("end", box.right) if box.right < at else ("start", box.left)
        parts.append(svg.text(beside[1], middle + 4, words, class_="label", anchor=beside[0]))
    return parts


def _places(words: str, at: float, level: float) -> list[tuple[Box, int]]:
    width = svg.CHARACTER * len(words)
    places: list[tuple[Box, int]] = []
    for shift in sorted(range(-6, 7), key=abs):
        middle = level + shift * svg.LINE
        gap = 14.0 if shift == 0 else 20.0
        for left in (at + gap, at - gap - width):
            places.append((Box(left, middle - svg.LINE / 2, left + width, middle + svg.LINE / 2), shift))
    return places


def _covered(box: Box, taken: Sequence[Box], plot_box: Box) -> float:
    outside = (box.right - box.left) * (box.bottom - box.top) - box.overlap(plot_box)
    return sum(box.overlap(other) for other in taken) + outside
