"""`docs/encoders.md`: tables, pictures, and the conclusions that the intervals carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pocketclip.benchmark.encoder_study.effects import (
    AccuracyEffect,
    SpeedEffect,
    accuracy_effects,
    latency_ms,
    mean_accuracy,
    million_instructions,
    speed_effects,
    tower_speed,
)
from pocketclip.benchmark.encoder_study.study_records import Start, StudyRun, StudySpeed
from pocketclip.benchmark.encoder_study.variants import BASE, PRECISIONS, Variant
from pocketclip.export.precision import Precision, TargetName, Tower

# The split of conclusions and pictures, for runs that have seen pictures.
_MAIN_SPLIT = "pictures-design"


@dataclass(frozen=True)
class Study:
    """All that a page shows."""

    variants: tuple[Variant, ...]
    runs: tuple[StudyRun, ...]
    speed: StudySpeed | None
    splits: tuple[str, ...]
    targets: tuple[TargetName, ...]
    command: str

    @property
    def main_target(self) -> TargetName:
        """The target of conclusions and pictures: LiteRT, whose kernels are XNNPACK's, where it was measured."""
        return TargetName.TFLITE if TargetName.TFLITE in self.targets else self.targets[0]

    def main_split(self, start: Start) -> str:
        """The split of conclusions and pictures about runs of a start."""
        judged = {answers.split for run in self.runs if run.start is start for answers in run.answers}
        return _MAIN_SPLIT if _MAIN_SPLIT in judged else self.splits[0]


def markdown(study: Study, pictures: Sequence[Path] = ()) -> str:
    """The generated part of the page.

    Args:
        study: runs and speeds, as far as they are there.
        pictures: files to show, with paths relative to the page.
    """
    parts = [f"`{study.command}` writes everything below.\n"]
    if study.speed is not None:
        parts += [f"## Cost\n\nHost: {study.speed.host}.\n", *_cost_tables(study, study.speed)]
    for start in Start:
        runs = [run for run in study.runs if run.start is start]
        if runs:
            parts.append(_accuracy_tables(study, runs, start))
    parts += [f"![{path.stem}]({path.as_posix()})\n" for path in pictures]
    if conclusions := _conclusions(study):
        parts.append("## What the intervals carry\n\n" + "\n".join(f"- {line}" for line in conclusions) + "\n")
    return "\n".join(parts)


def _cost_tables(study: Study, speed: StudySpeed) -> list[str]:
    lines = [
        "| variant | changes | M parameters | GFLOPs | "
        + " | ".join(f"{target} {precision}, MB" for target in study.targets for precision in PRECISIONS)
        + " |",
        "|---|---|" + "---|" * (2 + 2 * len(study.targets)),
    ]
    for variant in study.variants:
        sizes = [
            _sum_of(speed, variant, target, precision, "size_bytes") / 1e6
            for target in study.targets
            for precision in PRECISIONS
        ]
        parameters = _sum_of(speed, variant, study.targets[0], Precision.FP32, "parameters") / 1e6
        flops = _sum_of(speed, variant, study.targets[0], Precision.FP32, "flops") / 1e9
        cells = [f"{parameters:.2f}", f"{flops:.3f}", *(f"{size:.2f}" for size in sizes)]
        lines.append(f"| {variant.name} | {variant.factor} | {' | '.join(cells)} |")
    header = [f"{target} {precision}" for target in study.targets for precision in PRECISIONS]
    times = [
        "\nLatency of both towers over the base's, with 95 % intervals that hold together, and in brackets instructions"
        " on the emulated processor over the base's. Bold: proven faster.\n",
        "| variant | " + " | ".join(header) + " |",
        "|---|" + "---|" * len(header),
    ]
    effects = {
        (target, precision): speed_effects(speed, study.variants, target, precision)
        for target in study.targets
        for precision in PRECISIONS
    }
    for variant in study.variants:
        cells = []
        for (target, precision), found in effects.items():
            if variant is BASE:
                cells.append(f"{latency_ms(speed, variant, target, precision):.3f} ms")
            else:
                counts = [million_instructions(speed, each, target, precision) for each in (variant, BASE)]
                counted = "" if counts[0] is None or counts[1] is None else f" [{counts[0] / counts[1]:.2f}]"
                cells.append(_ratio(found[variant.name]) + counted)
        times.append(f"| {variant.name} | {' | '.join(cells)} |")
    return ["\n".join(lines), "\n".join(times) + "\n"]


def _sum_of(speed: StudySpeed, variant: Variant, target: str, precision: Precision, field: str) -> float:
    return float(sum(getattr(tower_speed(speed, variant, tower, target, precision), field) for tower in Tower))


def _ratio(effect: SpeedEffect) -> str:
    words = f"{effect.ratio:.2f} ({effect.low:.2f} to {effect.high:.2f})"
    return f"**{words}**" if effect.faster else words


def _accuracy_tables(study: Study, runs: Sequence[StudyRun], start: Start) -> str:
    """One table for each precision; together they would be wider than any page."""
    seeds = sorted({run.seed for run in runs})
    budget = runs[0].budget
    lines = [
        f"## Accuracy, {start} weights\n",
        f"Seeds {', '.join(map(str, seeds))}; {budget.steps} steps of {budget.batch_size}. The base's accuracy in %; of"
        " the others the difference in points, with 95 % intervals that hold together over a column. Bold: proven.\n",
    ]
    for precision in PRECISIONS:
        splits = [split for split in study.splits if mean_accuracy(runs, split, precision) is not None]
        effects = {split: accuracy_effects(runs, start, split, precision) for split in splits}
        lines += [
            f"| {precision} | runs | {' | '.join(splits)} |",
            "|---|---|" + "---|" * len(splits),
        ]
        for variant in study.variants:
            mine = [run for run in runs if run.variant == variant.name]
            if not mine:
                continue
            cells = []
            for split in splits:
                effect = effects[split].get(variant.name)
                mean = mean_accuracy(mine, split, precision)
                if effect is not None:
                    cells.append(_points(effect))
                else:
                    cells.append("" if mean is None else f"{100 * mean:.1f} %")
            lines.append(f"| {variant.name} | {len(mine)} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _points(effect: AccuracyEffect) -> str:
    words = f"{effect.points:+.1f} ({effect.low:+.1f} to {effect.high:+.1f})"
    return f"**{words}**" if effect.loses or effect.gains else words


def _conclusions(study: Study) -> list[str]:
    """Of the main split and runtime, in int8: what ships."""
    if study.speed is None:
        return []
    precision = Precision.INT8_STATIC
    speeds = speed_effects(study.speed, study.variants, study.main_target, precision)
    lines: list[str] = []
    for start in Start:
        split = study.main_split(start)
        effects = accuracy_effects(study.runs, start, split, precision)
        if not effects:
            continue
        fast = [name for name, effect in effects.items() if name in speeds and speeds[name].faster]
        free = [name for name in fast if not effects[name].loses]
        dear = [name for name in fast if effects[name].loses]
        detectable = max(effect.detectable for effect in effects.values())
        where = f"{split}, {study.main_target} {precision}, {start} weights"
        if free:
            lines.append(
                f"{where}: faster at no proven loss: "
                + "; ".join(
                    f"{name} ({_ratio(speeds[name])} of the time, {_points(effects[name])} points)" for name in free
                )
                + f". A loss below {detectable:.1f} points would not have been seen."
            )
        else:
            lines.append(
                f"{where}: no variant is proven faster without a proven loss; a loss above {detectable:.1f} points"
                " would have been seen."
            )
        if dear:
            lines.append(f"{where}: faster at a proven loss: {', '.join(dear)}.")
        idle = [name for name in effects if name in speeds and not speeds[name].faster and not effects[name].gains]
        if idle:
            lines.append(f"{where}: neither proven faster nor better: {', '.join(idle)}.")
    return lines
