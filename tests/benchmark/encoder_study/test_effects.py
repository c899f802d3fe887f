"""Differences to the base: found where they are, and intervals that hold for all variants together."""

from __future__ import annotations

import numpy as np
import pytest

from pocketclip.benchmark.encoder_study.effects import accuracy_effects, mean_accuracy, speed_effects
from pocketclip.benchmark.encoder_study.page import Study, markdown
from pocketclip.benchmark.encoder_study.pictures import front
from pocketclip.benchmark.encoder_study.study_records import (
    SplitAnswers,
    Start,
    StudyRun,
    StudySpeed,
    TowerSpeed,
    TrainingBudget,
)
from pocketclip.benchmark.encoder_study.variants import BASE, VARIANTS, Size, choose_variants
from pocketclip.benchmark.errors import OptionError, RecordError
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.registry import resolve_config

BUDGET = TrainingBudget(10, 8, 1e-3, 64, 3, 1.0, True)
SHA = "0" * 64
SPLIT = "pictures-design"


def run(variant: str, seed: int, right: np.ndarray, sha256: str = SHA) -> StudyRun:
    answers = tuple(
        SplitAnswers.of(SPLIT, precision, sha256, right, int(right.sum()))
        for precision in (Precision.FP32, Precision.INT8_STATIC)
    )
    return StudyRun(variant, seed, Start.FRESH, SHA, SHA, BUDGET, 1.0, answers)


def study_runs(
    random: np.random.Generator, gains: dict[str, float], samples: int = 800, seeds: int = 3, noise: float = 0.01
) -> list[StudyRun]:
    """Samples of different difficulty; each run has its own luck; `gains` are of accuracy."""
    difficulty = random.uniform(0.1, 0.9, samples)
    found = []
    for seed in range(1, seeds + 1):
        for name, gain in gains.items():
            chance = np.clip(difficulty + gain + random.normal(0, noise), 0, 1)
            found.append(run(name, seed, random.random(samples) < chance))
    return found


def test_a_large_loss_is_found_and_no_difference_is_none() -> None:
    runs = study_runs(np.random.default_rng(1), {"base": 0.0, "relu": -0.2, "narrow": 0.0})
    effects = accuracy_effects(runs, Start.FRESH, SPLIT, Precision.FP32)
    assert effects["relu"].loses and not effects["narrow"].loses and not effects["narrow"].gains
    assert effects["relu"].low < -20 < effects["relu"].high + 3
    assert effects["relu"].seeds == 3
    base = mean_accuracy([each for each in runs if each.variant == "base"], SPLIT, Precision.FP32)
    assert base == pytest.approx(0.5, abs=0.05)


def test_intervals_hold_together_in_nineteen_of_twenty_studies() -> None:
    random = np.random.default_rng(2)
    gains = {"base": 0.0, "relu": -0.05, "narrow": 0.0, "kernels-3": 0.03}
    held = 0
    for _ in range(200):
        effects = accuracy_effects(study_runs(random, gains, samples=300), Start.FRESH, SPLIT, Precision.FP32)
        # Clipping chances at 0 and 1 does not touch these: difficulties lie in 0.1 to 0.9.
        held += all(effects[name].low <= 100 * gains[name] <= effects[name].high for name in effects)
    assert held >= 190


def test_no_interval_from_one_seed() -> None:
    runs = study_runs(np.random.default_rng(3), {"base": 0.0, "relu": 0.0}, seeds=1)
    assert accuracy_effects(runs, Start.FRESH, SPLIT, Precision.FP32) == {}


def test_other_samples_are_refused() -> None:
    right = np.ones(9, bool)
    with pytest.raises(RecordError, match="different samples"):
        accuracy_effects([run("base", 1, right), run("relu", 1, right, "1" * 64)], Start.FRESH, SPLIT, Precision.FP32)


def test_answers_are_kept_to_the_bit() -> None:
    right = np.random.default_rng(4).random(13) < 0.5
    assert (SplitAnswers.of(SPLIT, Precision.FP32, SHA, right, 13).right == right).all()
    with pytest.raises(RecordError, match="13 samples"):
        SplitAnswers(SPLIT, Precision.FP32, SHA, 13, "ff", 0)


def speed(factors: dict[str, float]) -> StudySpeed:
    random = np.random.default_rng(5)
    speeds = [
        TowerSpeed(
            name,
            tower,
            str(target),
            precision,
            1000,
            2000,
            3000,
            tuple(factor * (1e6 + random.normal(0, 1e4)) for _ in range(8)),
            factor * 5e6,
            "cortex-a76",
        )
        for name, factor in factors.items()
        for tower in Tower
        for target in (TargetName.ONNX, TargetName.TFLITE)
        for precision in (Precision.FP32, Precision.INT8_STATIC)
    ]
    return StudySpeed("a test", tuple(speeds))


def test_a_faster_variant_is_found() -> None:
    variants = choose_variants(["relu", "kernels-3"], Size.NANO)
    found = speed_effects(speed({"base": 1, "relu": 0.5, "kernels-3": 1}), variants, "tflite", Precision.FP32)
    # The text tower is the base's: half of one of two equal towers.
    assert found["relu"].ratio == pytest.approx(0.75, abs=0.02) and found["relu"].faster
    assert not found["kernels-3"].faster


def test_the_page_says_what_the_intervals_carry() -> None:
    variants = choose_variants(["relu", "kernels-3"], Size.NANO)
    runs = study_runs(np.random.default_rng(6), {"base": 0.0, "relu": -0.2, "kernels-3": 0.0})
    study = Study(
        variants,
        tuple(runs),
        speed({"base": 1, "relu": 0.5, "kernels-3": 0.5}),
        (SPLIT,),
        (TargetName.ONNX, TargetName.TFLITE),
        "make study-encoders",
    )
    text = markdown(study)
    (free,) = [line for line in text.splitlines() if "at no proven loss" in line]
    (dear,) = [line for line in text.splitlines() if "at a proven loss" in line]
    assert "kernels-3" in free and "relu" not in free.replace("fresh", "")
    assert "relu" in dear
    assert "| relu | 3 | **-" in text
    # Without speeds there are no conclusions, without runs no accuracies.
    assert "What the intervals carry" not in markdown(Study(variants, tuple(runs), None, (SPLIT,), (), "x"))


def test_the_front_holds_what_nothing_beats() -> None:
    points = [(1.0, 50.0, "a"), (2.0, 49.0, "b"), (3.0, 60.0, "c"), (3.0, 55.0, "d")]
    assert [name for _, _, name in front(points)] == ["a", "c"]


@pytest.mark.parametrize(("size", "model"), [(Size.NANO, "pocketclip_nano"), (Size.S0, "mobileclip_s0")])
def test_every_modification_changes_the_base(size: Size, model: str) -> None:
    variants = choose_variants((), size)
    assert variants[0] is BASE and len(variants) >= 12
    configs = {variant.name: resolve_config(model, variant.changes(size)) for variant in variants}
    assert len({config.sha256 for config in configs.values()}) == len(variants)
    towers = {variant.name: variant.towers for variant in VARIANTS}
    for name, config in configs.items():
        # What is measured is what changed.
        assert (config.image == configs["base"].image) or Tower.IMAGE in towers[name]
        assert (config.text == configs["base"].text) or Tower.TEXT in towers[name]


def test_unknown_modifications_are_named() -> None:
    with pytest.raises(OptionError, match="no modification 'wide'"):
        choose_variants(["wide"], Size.NANO)
    with pytest.raises(OptionError, match="does not exist for MobileCLIP-S0"):
        choose_variants(["frequent-words"], Size.S0)
