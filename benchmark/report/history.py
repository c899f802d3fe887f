"""The line over tags: what became of each artefact's latency on a device from one tagged set of records to the next."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from pocketclip.benchmark.records.benchmark import BenchmarkRecord, age_key
from pocketclip.benchmark.report import svg
from pocketclip.benchmark.report.names import conditions, precision_name
from pocketclip.benchmark.report.selection import ModelSelection, identity
from pocketclip.benchmark.report.table import Figure
from pocketclip.benchmark.statistics.formatting import milliseconds
from pocketclip.benchmark.statistics.summaries import launch_interval, launch_medians, p50_ns
from pocketclip.export.precision import TargetName, Tower

_NARROW = 500
_TALL = 210.0


@dataclass(frozen=True)
class TaggedTime:
    """The latest valid record of an artefact with a tag: its p50, and the 95 % interval where launches give one."""

    tag: str
    record: BenchmarkRecord
    p50_ns: float
    interval_ns: tuple[float, float] | None


@dataclass(frozen=True)
class History:
    """One artefact's times by tag, in the order of the tags."""

    label: str
    target: TargetName
    tower: Tower
    times: tuple[TaggedTime, ...]


def histories(
    selection: ModelSelection, device: str, records: Sequence[BenchmarkRecord]
) -> tuple[tuple[str, ...], list[History]]:
    """The tags of a device by the time of their first record, and each artefact that has at least two of them.

    Records of other weights count: tags are there to see what became of a model. Invalid and emulated ones do not.
    """
    timed = [
        record
        for record in sorted(records, key=lambda item: age_key(item.created_at))
        if record.tag is not None
        and record.rankable
        and record.artifact.model == selection.model
        and selection.labels.of(record.device) == device
    ]
    tags = tuple(dict.fromkeys(record.tag for record in timed if record.tag is not None))
    if len(tags) < 2:
        return tags, []
    latest: dict[Hashable, dict[str, BenchmarkRecord]] = {}
    for record in timed:
        latest.setdefault(identity(record, selection.labels), {})[record.tag or ""] = record
    found: list[History] = []
    for by_tag in latest.values():
        if len(by_tag) < 2:
            continue
        artifact = next(reversed(by_tag.values())).artifact
        ran = conditions(next(iter(by_tag.values())))
        found.append(
            History(
                f"{artifact.target} {precision_name(artifact)}" + (f", {ran}" if ran else ""),
                artifact.target,
                artifact.tower,
                tuple(_time(tag, by_tag[tag]) for tag in tags if tag in by_tag),
            )
        )
    return tags, found


def _time(tag: str, record: BenchmarkRecord) -> TaggedTime:
    return TaggedTime(tag, record, p50_ns(record.launches), launch_interval(launch_medians(record.launches)))


def history_figure(selection: ModelSelection, device: str, records: Sequence[BenchmarkRecord]) -> Figure | None:
    """The picture of a device; None where no artefact was measured with two tags."""
    tags, found = histories(selection, device, records)
    if not found:
        return None
    shown = ", ".join(tags)
    return Figure(
        "history",
        "Latency by tag",
        svg.both_widths(lambda width: draw_history(tags, found, width)),
        f"Tags in order of their first records: {shown}.",
        "p50 of the latest valid record with each tag, for any weights. Bars: 95 % intervals over launches, if there "
        "are at least five. The latency axis is logarithmic: equal steps are equal ratios.",
        "Figures in words",
        tuple(_worded(each) for each in found),
    )


def _worded(history: History) -> str:
    times = "; ".join(f"{time.tag} {milliseconds(time.p50_ns)}{_interval(time)}" for time in history.times)
    first, last = history.times[0], history.times[-1]
    change = 100 * (last.p50_ns / first.p50_ns - 1)
    return f"{history.label} {history.tower}: {times} ({change:+.1f} %)".replace("-", "\N{NON-BREAKING HYPHEN}")


def _interval(time: TaggedTime) -> str:
    if time.interval_ns is None:
        return ""
    low, high = (milliseconds(bound) for bound in time.interval_ns)
    return f" ({low} to {high})"


def draw_history(tags: Sequence[str], found: Sequence[History], width: int) -> str:
    """The picture at a width in pixels: a panel for each tower, side by side or under one another."""
    narrow = width < _NARROW
    towers = [tower for tower in Tower if any(each.tower is tower for each in found)]
    across = width if narrow else (width - 28 * (len(towers) - 1)) / len(towers)
    step = _TALL + 78
    parts: list[str] = []
    for index, tower in enumerate(towers):
        left, top = (0.0, index * step) if narrow else (index * (across + 28), 0.0)
        shown = [each for each in found if each.tower is tower]
        parts += _panel(tags, shown, tower, left, top, across)
    return svg.picture(
        width,
        step * (len(towers) if narrow else 1),
        f"Latency of each artefact by tag: {', '.join(tags)}",
        parts,
        class_="figure narrow" if narrow else "figure wide",
    )


def _panel(
    tags: Sequence[str], shown: Sequence[History], tower: Tower, start: float, top: float, across: float
) -> list[str]:
    gutter = svg.CHARACTER * max(len(each.label) for each in shown) + 22
    left, right, high_end, bottom = start + 46, start + across - gutter, top + 30, top + 30 + _TALL
    bounds = [
        bound / 1e6 for each in shown for time in each.times for bound in (time.p50_ns, *(time.interval_ns or ()))
    ]
    y = svg.Scale(min(bounds) / 1.12, max(bounds) * 1.12, bottom, high_end, logarithmic=True)
    x = svg.Scale(-0.25, len(tags) - 0.75, left, right)
    parts = [svg.text(start + 2, top + 14, f"{tower} tower, p50, ms (log scale)", class_="name")]
    for value in svg.log_ticks(y.low, y.high):
        parts.append(svg.line(left, y(value), right, y(value), class_="grid"))
        parts.append(svg.text(left - 6, y(value) + 4, f"{value:g}", class_="tick", anchor="end"))
    parts.append(svg.line(left, bottom, right, bottom, class_="axis"))
    # As many tags are named as have room, the last one always.
    room = max(1, int((right - left) / (svg.CHARACTER * (max(map(len, tags)) + 2))))
    every = max(1, -(-len(tags) // room))
    longest = max(6, int((right - left) / svg.CHARACTER / min(len(tags), room)))
    for place, tag in enumerate(tags):
        if (len(tags) - 1 - place) % every == 0:
            words = tag if len(tag) <= longest else tag[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"
            parts.append(svg.text(x(place), bottom + 18, words, class_="tick", anchor="middle"))
    parts.append(svg.text((left + right) / 2, bottom + 36, "tag, in order of time", class_="name", anchor="middle"))
    for each in shown:
        spots = [(x(tags.index(time.tag)), y(time.p50_ns / 1e6), time) for time in each.times]
        for at, _, time in spots:
            if time.interval_ns is not None:
                low, high = (y(bound / 1e6) for bound in time.interval_ns)
                parts.append(svg.line(at, low, at, high, class_=f"interval t-{each.target}"))
        points = " ".join(f"{at:.2f},{level:.2f}" for at, level, _ in spots)
        parts.append(svg.element("polyline", points=points, class_=f"curve t-{each.target}"))
        hollow = not each.times[-1].record.artifact.precision.quantized
        parts += [svg.marker(each.target, at, level, hollow=hollow, size=4.5) for at, level, _ in spots]
    ends = [y(each.times[-1].p50_ns / 1e6) for each in shown]
    for each, end, level in zip(shown, ends, _apart(ends), strict=True):
        at = x(tags.index(each.times[-1].tag))
        parts.append(svg.line(at + 6, end, right + 4, level, class_="leader"))
        parts.append(svg.text(right + 8, level + 4, each.label, class_="label"))
    return parts


def _apart(levels: Sequence[float]) -> list[float]:
    """The levels in their order, moved so that a line of text fits between them."""
    order = list(np.argsort(levels))
    moved = list(levels)
    for _ in range(60):
        for upper, lower in itertools.pairwise(order):
            lacking = svg.LINE - (moved[lower] - moved[upper])
            if lacking > 0:
                moved[upper] -= lacking / 2
                moved[lower] += lacking / 2
    return moved
