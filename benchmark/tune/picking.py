"""Which trial of a study ships: the knee of the front, its fastest, its smallest, or one that you name."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from enum import StrEnum

from pocketclip.benchmark.errors import LimitsError, OptionError, StudyError
from pocketclip.benchmark.tune.front import FrontPoint, front, nearest, spot_of, within
from pocketclip.benchmark.tune.settings import StudySettings
from pocketclip.benchmark.tune.trials import Trial
from pocketclip.models import documents
from pocketclip.models.errors import choices
from pocketclip.models.untrusted.numbers import parse_whole


class Pick(StrEnum):
    """How a trial of the front is chosen."""

    KNEE = "knee"
    FASTEST = "fastest"
    SMALLEST = "smallest"


def pick(text: str, trials: Sequence[Trial], settings: StudySettings) -> Trial:
    """The trial that `--pick` names.

    Args:
        text: `knee`, `fastest`, `smallest`, or the number of a trial.
        trials: all of the study.
        settings: of the study.

    Raises:
        OptionError: it is none of those.
        StudyError: there is no such trial, it was not judged, or the study did not train.
        LimitsError: no trial meets the limits, or the one that you name does not.
    """
    number = parse_whole(text)
    if number is None and text not in list(Pick):
        raise OptionError(f"--pick {text!r} is unknown", fix=f"choose among: {choices(Pick)}, or a trial's number")
    if not settings.train:
        raise StudyError(
            "the study did not train (--no-train), so that no trial has weights to ship",
            fix="tune the same space without --no-train, in another --study",
        )
    if number is not None:
        return _named(number, trials, settings)
    found = front(trials, settings)
    if not found:
        missed = nearest(trials, settings)
        if missed is None:
            raise StudyError("the study has no judged trial yet", fix="go on with `pocketclip tune`")
        raise LimitsError(
            f"no trial meets the limits; the nearest is trial {missed.trial.number}: {'; '.join(missed.words)}",
            fix="name it with --pick to ship it nevertheless, or tune with other limits",
        )
    chosen = {Pick.KNEE: knee, Pick.FASTEST: _fastest, Pick.SMALLEST: _smallest}
    return chosen[Pick(text)](found).trial


def knee(points: Sequence[FrontPoint]) -> FrontPoint:
    """The point of the front that lies farthest from the line between its ends, in log cost and loss.

    Both figures are scaled to the front's span. Of a front without a bend, it is the fastest point.
    """
    ordered = sorted(points, key=lambda each: each.spot.cost)
    first, last = ordered[0].spot, ordered[-1].spot
    costs = math.log(last.cost / first.cost) or 1.0
    losses = (first.loss - last.loss) or 1.0

    def below(point: FrontPoint) -> float:
        along = math.log(point.spot.cost / first.cost) / costs
        return 1.0 - along - (point.spot.loss - last.loss) / losses

    return max(ordered, key=lambda each: (below(each), -each.spot.cost))


def study_sha256(trials: Sequence[Trial], settings: StudySettings) -> str:
    """Identifies a study by its settings and every result of its trials."""
    content = {
        "settings": documents.to_builtin(settings),
        "trials": [
            [
                trial.number,
                list(trial.point.levels),
                *(None if each is None else documents.to_builtin(each) for each in _results(trial)),
            ]
            for trial in trials
        ],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _results(trial: Trial) -> list[object | None]:
    return [trial.measured, *trial.trained, trial.judged, trial.failed, trial.closing]


def _named(number: int, trials: Sequence[Trial], settings: StudySettings) -> Trial:
    found = next((trial for trial in trials if trial.number == number), None)
    if found is None:
        raise StudyError(f"the study has no trial {number}", fix=f"it has 0 to {len(trials) - 1}")
    if spot_of(found, settings) is None or found.judged is None:
        ended = found.closing.words if found.closing is not None else "it has not ended"
        raise StudyError(f"trial {number} was not judged: {ended}", fix="choose one of the front")
    if found.judged.failures:
        raise LimitsError(
            f"trial {number} misses a parity budget: {found.judged.failures[0]}", fix="choose one of the front"
        )
    # A limit may be waived by name; the card and the evidence say so.
    assert within(found, settings) or found.violations(settings.limits, settings.cost)
    return found


def _fastest(points: Sequence[FrontPoint]) -> FrontPoint:
    return min(points, key=lambda each: (each.spot.cost, each.trial.number))


def _smallest(points: Sequence[FrontPoint]) -> FrontPoint:
    def size(each: FrontPoint) -> int:
        judged, measured = each.trial.judged, each.trial.measured
        return judged.size_bytes if judged is not None else measured.size_bytes if measured is not None else 0

    return min(points, key=lambda each: (size(each), each.spot.cost, each.trial.number))
