"""The page of a study: the front, what was rejected and why, main effects, parallel coordinates, commands.

One file with everything inside, as the report is; what it shows is worded here and escaped by the template.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pocketclip.benchmark.report import svg
from pocketclip.benchmark.tune.front import FrontPoint, Spot, front, spot_of
from pocketclip.benchmark.tune.limits import Limit, shown
from pocketclip.benchmark.tune.main_effects import Effect, main_effects
from pocketclip.benchmark.tune.picking import study_sha256
from pocketclip.benchmark.tune.points import SearchSpace
from pocketclip.benchmark.tune.prediction import Prediction
from pocketclip.benchmark.tune.settings import StudySettings
from pocketclip.benchmark.tune.trials import Ending, Trial
from pocketclip.benchmark.tune.wording import point_words, repeat_commands
from pocketclip.models.terminal.version import tool_version

_STYLE = Path(__file__).parents[1] / "report" / "report.css"
_WIDTH, _HEIGHT = 1000, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 970, 24, 360


@dataclass(frozen=True)
class TrialRow:
    """A trial as the tables show it; `proven` is None of one that is not on the front."""

    number: int
    words: str
    cost: str
    size: str
    accuracy: str
    drop: str
    ending: str
    proven: bool | None
    commands: tuple[str, ...]


@dataclass(frozen=True)
class EffectRow:
    """A level's effect in words; a word of the class that colours it stands beside each figure."""

    parameter: str
    level: str
    against: str
    trials: int
    cost: str
    cost_class: str
    loss: str
    loss_class: str


def study_page(name: str, space: SearchSpace, settings: StudySettings, trials: Sequence[Trial]) -> str:
    """The page as HTML."""
    # Imported here: only a page needs it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    best = front(trials, settings)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The pictures are ours and escape their texts themselves.
    environment.filters["picture"] = Markup
    proven = {each.trial.number: each.proven for each in best}
    rows = [_row(space, settings, trial, proven.get(trial.number)) for trial in trials]
    error = Prediction(space, settings, trials).cost_error()
    return environment.get_template("study.html.j2").render(
        name=name,
        model=space.space.model,
        settings=settings,
        sha256=study_sha256(trials, settings),
        front=[row for each in best for row in rows if row.number == each.trial.number],
        rejected=[row for row, trial in zip(rows, trials, strict=True) if _rejected(trial, proven)],
        rows=rows,
        effects=_effects(space, settings, trials),
        scatter=_scatter(settings, trials, best),
        coordinates=_coordinates(space, settings, trials, proven),
        limits=_limits(settings),
        error=None
        if error is None
        else f"{100 * error.median:.1f} % off in the median, {100 * error.worst:.0f} % at worst, each of {error.trials}"
        " trials predicted from the others",
        style=Markup(_STYLE.read_text(encoding="utf-8")),
        version=tool_version(),
    )


def _rejected(trial: Trial, on_front: dict[int, bool]) -> bool:
    return trial.number not in on_front and trial.closing is not None


def _row(space: SearchSpace, settings: StudySettings, trial: Trial, proven: bool | None) -> TrialRow:
    measured, judged, limit = trial.measured, trial.judged, settings.cost.limit
    cost = size = accuracy = drop = ""
    if measured is not None:
        cost = f"{shown(limit, measured.cost)} ({shown(limit, measured.low)} to {shown(limit, measured.high)})"
        size = shown(Limit.SIZE, judged.size_bytes if judged is not None else measured.size_bytes)
    if judged is not None:
        accuracy = f"{100 * judged.accuracy:.1f} %"
        drop = f"{judged.drop_points:+.2f} ({judged.drop_low_points:+.2f} to {judged.drop_high_points:+.2f})"
    ending = trial.closing.words if trial.closing is not None else "it has not ended"
    if trial.closing is not None and trial.closing.ending is Ending.JUDGED and proven is None:
        ending = trial.closing.reason or "beaten by a trial of the front"
    commands = tuple(repeat_commands(space, settings, trial))
    return TrialRow(trial.number, point_words(space, trial.point), cost, size, accuracy, drop, ending, proven, commands)


def _limits(settings: StudySettings) -> str:
    bounds = [(limit, settings.limits.of(limit)) for limit in Limit]
    return ", ".join(f"{limit} {shown(limit, bound)}" for limit, bound in bounds if bound is not None) or "none"


def _effects(space: SearchSpace, settings: StudySettings, trials: Sequence[Trial]) -> list[EffectRow]:
    def cost(effect: Effect | None) -> tuple[str, str]:
        if effect is None:
            return "", ""
        words = f"x{effect.value:.2f} ({effect.low:.2f} to {effect.high:.2f})"
        return words, "" if not effect.proven(1.0) else "good" if effect.value < 1 else "bad"

    def loss(effect: Effect | None) -> tuple[str, str]:
        if effect is None:
            return "", ""
        words = f"{effect.value:+.2f} ({effect.low:+.2f} to {effect.high:+.2f})"
        return words, "" if not effect.proven(0.0) else "good" if effect.value < 0 else "bad"

    return [
        EffectRow(each.parameter, each.level, each.against, each.trials, *cost(each.cost), *loss(each.loss))
        for each in main_effects(space, settings, trials)
    ]


def _scatter(settings: StudySettings, trials: Sequence[Trial], best: Sequence[FrontPoint]) -> str:
    """Every judged trial with its intervals, the front as a stepped line; nothing for fewer than two."""
    spots = [(trial, spot) for trial in trials if (spot := spot_of(trial, settings)) is not None]
    if len(spots) < 2:
        return ""
    x = _scale([end for _, spot in spots for end in spot.cost_interval], _LEFT, _RIGHT, logarithmic=True)
    y = _scale([end for _, spot in spots for end in spot.loss_interval], _BOTTOM, _TOP)
    parts = [*_grid(x, y, settings)]
    corners: list[tuple[float, float]] = []
    for each in best:
        at = x(each.spot.cost), y(each.spot.loss)
        corners += [(at[0], corners[-1][1]), at] if corners else [at]
    if len(corners) > 1:
        points = " ".join(f"{across:.2f},{down:.2f}" for across, down in corners)
        parts.append(svg.element("polyline", points=points, class_="front"))
    numbers = {each.trial.number for each in best}
    for trial, spot in spots:
        parts += _mark(trial, spot, x, y, on_front=trial.number in numbers)
    second = "points of accuracy lost" if settings.train else "size, bytes"
    title = f"{settings.cost} against {second}, one mark for each judged trial, with 95 % intervals"
    return svg.picture(_WIDTH, _HEIGHT, title, parts, class_="figure wide")


def _mark(trial: Trial, spot: Spot, x: svg.Scale, y: svg.Scale, *, on_front: bool) -> list[str]:
    across, down = x(spot.cost), y(spot.loss)
    parts = [
        svg.line(across, y(spot.loss_interval[0]), across, y(spot.loss_interval[1]), class_="interval"),
        svg.line(x(spot.cost_interval[0]), down, x(spot.cost_interval[1]), down, class_="interval"),
        svg.element("circle", cx=across, cy=down, r=5, class_="mark plain" if on_front else "mark hollow plain"),
    ]
    return [*parts, svg.text(across + 8, down - 6, str(trial.number), class_="label")]


def _grid(x: svg.Scale, y: svg.Scale, settings: StudySettings) -> list[str]:
    parts: list[str] = []
    for value in svg.linear_ticks(y.low, y.high):
        parts.append(svg.line(_LEFT, y(value), _RIGHT, y(value), class_="grid"))
        parts.append(svg.text(_LEFT - 8, y(value) + 4, f"{value:g}", class_="tick", anchor="end"))
    for value in svg.log_ticks(x.low, x.high):
        parts.append(svg.line(x(value), _BOTTOM, x(value), _BOTTOM + 5, class_="axis"))
        words = shown(settings.cost.limit, value)
        parts.append(svg.text(x(value), _BOTTOM + 18, words, class_="tick", anchor="middle"))
    parts.append(svg.line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, class_="axis"))
    parts.append(svg.text((_LEFT + _RIGHT) / 2, _BOTTOM + 40, str(settings.cost), class_="name", anchor="middle"))
    second = "points lost (up is worse)" if settings.train else "size (up is worse)"
    return [*parts, svg.text(2, 12, second, class_="name")]


def _coordinates(
    space: SearchSpace, settings: StudySettings, trials: Sequence[Trial], on_front: dict[int, bool]
) -> str:
    """An axis for each parameter that varies, one for cost and one for loss; a line for each judged trial."""
    spots = [(trial, spot) for trial in trials if (spot := spot_of(trial, settings)) is not None]
    varied = [(at, name, levels) for at, (name, levels) in enumerate(space.space.levels.items()) if len(levels) > 1]
    if len(spots) < 2:
        return ""
    axes = len(varied) + 2
    places = [_LEFT + 20 + at * (_RIGHT - _LEFT - 40) / (axes - 1) for at in range(axes)]
    cost = _scale([spot.cost for _, spot in spots], _BOTTOM, _TOP + 20, logarithmic=True)
    loss = _scale([spot.loss for _, spot in spots], _BOTTOM, _TOP + 20)
    parts: list[str] = []
    for (_, name, levels), across in zip(varied, places, strict=False):
        parts.append(svg.line(across, _TOP + 20, across, _BOTTOM, class_="axis"))
        parts.append(svg.text(across, _TOP, name, class_="name", anchor="middle"))
        for level in levels:
            parts.append(svg.text(across + 6, _level(levels, level) - 4, level, class_="tick"))
    for words, across in (("cost", places[-2]), ("loss", places[-1])):
        parts.append(svg.line(across, _TOP + 20, across, _BOTTOM, class_="axis"))
        parts.append(svg.text(across, _TOP, words, class_="name", anchor="middle"))
    ordered = sorted(spots, key=lambda each: each[0].number in on_front)
    for trial, spot in ordered:
        heights = [_level(levels, trial.point.levels[at]) for at, _, levels in varied]
        line = zip(places, [*heights, cost(spot.cost), loss(spot.loss)], strict=True)
        points = " ".join(f"{across:.2f},{down:.2f}" for across, down in line)
        class_ = "front" if trial.number in on_front else "interval"
        parts.append(svg.element("polyline", points=points, class_=class_, fill="none"))
    title = "Parallel coordinates: the levels of each judged trial, its cost and its loss; the front stands out"
    return svg.picture(_WIDTH, _HEIGHT, title, parts, class_="figure wide")


def _level(levels: Sequence[str], level: str) -> float:
    place = (levels.index(level) + 0.5) / len(levels)
    return _TOP + 20 + place * (_BOTTOM - _TOP - 20)


def _scale(values: Sequence[float], start: float, end: float, *, logarithmic: bool = False) -> svg.Scale:
    """The least value lies near `start`, the greatest near `end`."""
    low, high = min(values), max(values)
    if logarithmic:
        margin = (high / low) ** 0.06 if high > low else 1.1
        return svg.Scale(low / margin, high * margin, start, end, logarithmic=True)
    margin = 0.06 * (high - low) or 1.0
    return svg.Scale(low - margin, high + margin, start, end)
