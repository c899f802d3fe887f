"""The front measured again beside the unchanged model, with real launches of tiny artefacts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pocketclip.benchmark.errors import OptionError, StudyError
from pocketclip.benchmark.store import open_store
from pocketclip.benchmark.tune import confirming
from pocketclip.benchmark.tune.confirming import confirm
from pocketclip.benchmark.tune.limits import Limits
from pocketclip.benchmark.tune.steps import Task
from pocketclip.benchmark.tune.trials import Closing, Ending, Trial
from pocketclip.benchmark.tune.workshop import Workshop
from pocketclip.export.job import ExportResult
from pocketclip.export.precision import Tower
from pocketclip.models.api import Model
from tests.benchmark.tune.cheap import TOML, cheap_settings, cheap_space, judged, measured, trained
from tests.export.bundle.tiny_artifacts import build_artifact

SPACE = cheap_space()
POINTS = list(SPACE.points())
SETTINGS = replace(cheap_settings(SPACE, limits=Limits()), iterations=5)


class TinyWorkshop(Workshop):
    """Each trial's towers are of other weights, so that they are other files; but the unchanged model is one pair."""

    def artifacts(self, trial: Trial) -> list[Path]:
        unchanged = self.space.base_points()[0]
        same = self.space.is_base(trial.point) and self.space.scheme(trial.point) == self.space.scheme(unchanged)
        number = 0 if same else trial.number
        place = self.out / str(trial.number)
        return [build_artifact(place, tower, scale=1.0 + number).folder for tower in Tower]


def trial(number: int, cost: float, drop: float) -> Trial:
    closing = Closing(Ending.JUDGED)
    run = (replace(trained(0.5), run=None),)
    return Trial(number, POINTS[number], 0, number, measured(cost), run, judged(drop), closing=closing)


def workshop(tmp_path: Path) -> Workshop:
    return TinyWorkshop("one", SETTINGS, tmp_path / "tune", str(tmp_path / "store.sqlite"), allow_invalid=True)


@pytest.mark.slow
def test_the_front_is_compared_in_one_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pocketclip.benchmark.measuring.plan.Patience.wait", lambda self: None)
    monkeypatch.setattr(confirming, "MOST_CONFIRMED", 1)
    trials = [trial(0, 4.0, 0.0), trial(1, 2.0, 1.0), trial(2, 9.0, 9.0), trial(3, 1.0, 3.0)]
    (found,) = confirm(workshop(tmp_path), trials, launches=4)
    (other,) = {1, 3} - {found.trial.number}
    assert f"not these: {other}" in caplog.text
    assert [each.candidate.artifact.tower for each in found.comparisons] == [Tower.IMAGE, Tower.TEXT]
    assert all(len(each.candidate.launches) == len(each.baseline.launches) == 4 for each in found.comparisons)
    with open_store(str(tmp_path / "store.sqlite")) as store:
        assert {record.tag for record in store.benchmarks()} == {"one-front"}


@pytest.mark.slow
def test_trials_are_confirmed_on_their_own_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unchanged model on more threads is the same files: it is named, and not measured."""
    monkeypatch.setattr("pocketclip.benchmark.measuring.plan.Patience.wait", lambda self: None)
    space = cheap_space(TOML.replace(b"precisions", b"threads = [1, 2]\nprecisions"))
    one, two = ({"target": "onnx", "threads": each} for each in ("1", "2"))
    unchanged = space.params(space.base_points()[0])
    chosen = [unchanged | one, unchanged | two, unchanged | two | {"kernels": "3"}, unchanged | one | {"kernels": "5"}]
    # On the front, with one figure better and the other worse in each.
    trials = [
        replace(trial(number, 4.0 - number, float(number)), point=space.point(params))
        for number, params in enumerate(chosen)
    ]
    settings = replace(SETTINGS, space=space.space)
    found = confirm(replace(workshop(tmp_path), settings=settings), trials, launches=3)
    assert {each.trial.number: len(each.comparisons) for each in found} == {1: 0, 2: 2, 3: 2}
    for each in found:
        threads = space.threads(each.trial.point)
        assert all(
            side.settings.threads == threads for pair in each.comparisons for side in (pair.baseline, pair.candidate)
        )


class ListingWorkshop(Workshop):
    """Its exports are only listed: trial and model."""

    def _export(self, task: Task, model: Model, out: Path) -> list[ExportResult]:
        raise Exported(f"{task.number} {model.config.name} {model.trained}")


class Exported(Exception):
    pass


def test_the_unchanged_model_needs_no_judging(tmp_path: Path) -> None:
    """One beyond a limit, which was not judged, is exported as it ships."""
    beyond = replace(trial(0, 9.0, 0.0), trained=(), judged=None, closing=Closing(Ending.LIMIT, "max-latency"))
    listing = ListingWorkshop("one", SETTINGS, tmp_path, str(tmp_path / "store.sqlite"))
    with pytest.raises(Exported, match="0 pocketclip_nano True"):
        confirm(listing, [beyond, trial(1, 2.0, 1.0)], launches=4)


def test_without_a_front_or_the_unchanged_model_nothing_is_measured(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="the unchanged model was not measured"):
        confirm(workshop(tmp_path), [trial(5, 1.0, 1.0)], launches=4)
    with pytest.raises(StudyError, match="nothing but the unchanged model"):
        confirm(workshop(tmp_path), [trial(0, 1.0, 1.0)], launches=4)
    untrained = replace(workshop(tmp_path), settings=replace(SETTINGS, train=False))
    with pytest.raises(OptionError, match="--no-train"):
        confirm(untrained, [trial(0, 4.0, 0.0), trial(1, 2.0, 1.0)], launches=4)
