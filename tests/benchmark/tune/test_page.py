"""The page of a study: what it shows, that nothing in it is markup, and main effects that are there."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from pocketclip.benchmark.tune.limits import Limits
from pocketclip.benchmark.tune.main_effects import main_effects
from pocketclip.benchmark.tune.page import study_page
from pocketclip.benchmark.tune.points import SearchSpace
from pocketclip.benchmark.tune.settings import StudySettings
from pocketclip.benchmark.tune.trials import Closing, Ending, Failed, Trial
from tests.benchmark.tune.cheap import cheap_settings, cheap_space, judged, measured, trained

SPACE = cheap_space()
SETTINGS = cheap_settings(SPACE, limits=Limits(drop_points=4.0))


def trials(seed: int = 0) -> list[Trial]:
    """Every point: ReLU saves 30 % and loses nothing, kernels of 3 save half and lose 5 points."""
    random = np.random.default_rng(seed)
    found = []
    for number, point in enumerate(SPACE.points()):
        params = SPACE.params(point)
        cost = 1e6 * (0.7 if params["activation"] == "relu" else 1.0) * (0.5 if params["kernels"] == "3" else 1.0)
        drop = (5.0 if params["kernels"] == "3" else 0.0) + random.normal(0, 0.3)
        result = judged(float(drop), spread=0.6)
        cost *= float(np.exp(random.normal(0, 0.01)))
        closing = Closing(Ending.JUDGED)
        found.append(Trial(number, point, 0, number, measured(cost), (trained(0.5),), result, closing=closing))
    return found


def test_effects_are_found_and_their_absence_is_not_proven() -> None:
    effects = {(each.parameter, each.level): each for each in main_effects(SPACE, SETTINGS, trials())}
    assert set(effects) == {
        ("kernels", "5"),
        ("kernels", "3"),
        ("activation", "relu"),
        ("target", "tflite"),
        ("precision", "int8-static"),
    }
    relu, kernels = effects["activation", "relu"], effects["kernels", "3"]
    assert relu.cost is not None and relu.cost.value == pytest.approx(0.7, abs=0.03) and relu.cost.proven(1.0)
    assert relu.loss is not None and not relu.loss.proven(0.0)
    assert kernels.loss is not None and kernels.loss.value == pytest.approx(5.0, abs=0.5) and kernels.loss.proven(0.0)
    assert effects["target", "tflite"].cost is not None and not effects["target", "tflite"].cost.proven(1.0)
    assert relu.trials == 12


def test_intervals_of_effects_hold() -> None:
    held = total = 0
    for seed in range(12):
        for each in main_effects(SPACE, SETTINGS, trials(seed)):
            truth = 5.0 if (each.parameter, each.level) == ("kernels", "3") else 0.0
            assert each.loss is not None
            held += each.loss.low <= truth <= each.loss.high
            total += 1
    # 57 of 60 are expected; fewer than 50 would come by chance once in more than a thousand times.
    assert held >= 50


NARROWED = b"""
version = 1
model = "pocketclip_nano"
targets = ["onnx"]
precisions = ["fp32"]

[factors.width]
paths = ["text.width"]
values = [128, 96, 80]

[factors.heads]
paths = ["text.heads"]
values = [4, 3, 5]
"""


def test_effects_leave_out_what_cannot_be() -> None:
    """Of widths and numbers of heads that fit only some of each other."""
    found = narrowed(NARROWED)
    effects = {(each.parameter, each.level): each for each in main_effects(*found)}
    assert set(effects) == {("width", "96"), ("width", "80"), ("heads", "3"), ("heads", "5")}
    narrow, heads = effects["width", "96"].cost, effects["heads", "3"].cost
    assert narrow is not None and narrow.value == pytest.approx(0.75, abs=0.05)
    assert heads is not None and heads.value == pytest.approx(1.0, abs=0.05)
    assert "Main effects" in study_page("narrowed", *found)
    # 90 goes with 5 heads alone, and 5 heads with 90.
    found = narrowed(NARROWED.replace(b"128, 96, 80", b"128, 90").replace(b"4, 3, 5", b"4, 5"))
    assert [(each.level, each.cost, each.loss) for each in main_effects(*found)] == [
        ("90", None, None),
        ("5", None, None),
    ]
    assert "Main effects" in study_page("apart", *found)


def narrowed(content: bytes) -> tuple[SearchSpace, StudySettings, list[Trial]]:
    """A study that tried every point; cost grows with the width."""
    space = cheap_space(content)
    found = []
    for number, point in enumerate(space.points()):
        cost = 1e6 * int(space.params(point)["width"]) / 128
        found.append(Trial(number, point, 0, number, measured(cost), (trained(0.5),), judged(1.0)))
    return space, cheap_settings(space, limits=Limits()), found


def test_the_page_shows_the_front_the_rejected_and_the_commands() -> None:
    shown = trials()
    shown[3] = replace(shown[3], judged=None, closing=Closing(Ending.LIMIT, "max-size: 9 MB above 8 MB"))
    failed = Failed("train", "non-finite", "<script>alert(1)</script>", 1.0)
    shown[4] = replace(
        shown[4], judged=None, failed=failed, closing=Closing(Ending.FAILED, "train: <script>alert(1)</script>")
    )
    page = study_page("one", SPACE, SETTINGS, shown)
    assert page.count("<svg") == 2
    assert "max-size: 9 MB above 8 MB" in page and "max-drop 4 points" in page
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)" in page
    assert page.count("<details>") == len(shown) and "pocketclip export --model" in page
    # Nothing is fetched from anywhere.
    assert not re.findall(r"(?:src|href)=\"(?!data:)[^#\"]", page)
    assert page == study_page("one", SPACE, SETTINGS, shown)


def test_a_study_without_results_has_a_page_too() -> None:
    assert "No trial is on the front" in study_page("none", SPACE, SETTINGS, [])
    begun = [Trial(0, SPACE.base_points()[0], 0, 0)]
    assert "0 / 0" not in study_page("begun", SPACE, SETTINGS, begun)
