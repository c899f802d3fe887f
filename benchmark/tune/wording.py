"""A study's trials in words: what differs from the unchanged model, and the commands that repeat a trial."""

from __future__ import annotations

import shlex

from pocketclip.benchmark.tune.points import Point, SearchSpace, change_words
from pocketclip.benchmark.tune.settings import StudySettings
from pocketclip.benchmark.tune.trials import Cost, Trial


def point_words(space: SearchSpace, point: Point) -> str:
    """What differs from the unchanged model, then how it is exported, e.g. `kernels=k5 tflite int8-static`."""
    base = space.params(space.base_points()[0])
    params = space.params(point)
    changed = [f"{name}={params[name]}" for name in space.space.factors if params[name] != base[name]]
    threads = f" {params['threads']} threads" if len(space.space.threads) > 1 else ""
    return f"{' '.join(changed) or 'unchanged'} {params['target']} {params['precision']}{threads}"


def repeat_commands(space: SearchSpace, settings: StudySettings, trial: Trial) -> list[str]:
    """The commands that make the trial's artefacts again and judge them, without the study.

    A trial of several rungs is trained as it was: each from the weights of the one before.
    """
    target, _ = space.scheme(trial.point)
    plan = space.plan(trial.point)
    found: list[str] = []
    model = space.space.model
    changes = change_words(space.changes(trial.point))
    training = settings.training
    trained = [each for each in trial.trained if each.run is not None]
    for each in trained:
        folder = f"runs/trial{trial.number}-rung{each.rung}"
        found.append(
            _command(
                *("train", "--model", space.space.model, "--init-from", model, "--out", folder),
                *(part for change in changes for part in ("--set", change)),
                *("--data", training.data, "--steps", str(training.steps[each.rung])),
                *("--batch-size", str(training.batch_size), "--learning-rate", f"{training.learning_rate:g}"),
                *(("--token-weight", f"{training.token_weight:g}") if training.token_weight else ()),
                *(_distillation(settings) if training.distillation_weight else ()),
                *("--seed", str(settings.seed + each.rung), "--name", each.run or ""),
            )
        )
        model = folder
    fresh = not trained and bool(changes)
    out = f"artifacts/trial{trial.number}"
    found.append(
        _command(
            *("export", "--model", model, "--target", target, "--quantize", plan.precision, "--out", out),
            *(part for change in changes if fresh for part in ("--set", change)),
            *(("--fresh-weights",) if fresh else ()),
            *(("--for", settings.isa) if settings.isa is not None else ()),
            *(("--keep-float", plan.keep_float) if plan.keep_float is not None else ()),
            *(("--keep-int16", plan.keep_int16) if plan.keep_int16 is not None else ()),
            *(("--max-drop", plan.max_drop) if plan.max_drop is not None else ()),
            *(("--calibration", settings.calibration) if settings.calibration != "scenes" else ()),
        )
    )
    device = () if settings.device == "host" else ("--device", settings.device)
    threads = space.threads(trial.point)
    counted = settings.cost is Cost.INSTRUCTIONS
    found.append(
        _command(
            *("bench", *device, "--artifact", out, "--launches", str(settings.launches)),
            *(() if counted or threads == 1 else ("--threads", str(threads))),
        )
    )
    if not fresh and settings.train:
        count = () if settings.samples is None else ("--count", str(settings.samples))
        found.append(
            _command("eval", "--artifact", out, "--dataset", settings.dataset, "--baseline", space.space.model, *count)
        )
    return found


def _distillation(settings: StudySettings) -> tuple[str, ...]:
    share = f"{settings.training.distillation_weight:g}"
    return ("--recipe", "distillation", "--teacher", settings.space.model, "--distillation-weight", share)


def _command(*words: str) -> str:
    return shlex.join(["pocketclip", *map(str, words)])
