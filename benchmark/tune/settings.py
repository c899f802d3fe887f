"""What a study is about: it is kept with the study, and a study goes on only with the same."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen

from pocketclip.benchmark.errors import OptionError
from pocketclip.benchmark.records.fields import Name, Positive, Text
from pocketclip.benchmark.tune.limits import Limits
from pocketclip.benchmark.tune.space import Space
from pocketclip.benchmark.tune.trials import Cost
from pocketclip.export.precision import InstructionSet
from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.untrusted.numbers import Count
from pocketclip.models.untrusted.numbers import Positive as Above

STUDY_VERSION = 1


class Strategy(StrEnum):
    """How the next points are chosen."""

    MODEL = "model"
    TPE = "tpe"
    RANDOM = "random"
    ORDER = "order"


@document
class TrainingSettings:
    """How a changed model is trained from the base's weights.

    Each of `steps` is a rung: so many more steps, from the weights of the rung before. After each but the last, the
    better `keep_share` of a round's models go on. `distillation_weight` is the share of the loss in which the unchanged
    model is the teacher.
    """

    steps: Annotated[tuple[Positive, ...], MaxLen(8)] = (300,)
    keep_share: Annotated[float, Ge(0.05), Le(1.0)] = 0.5
    data: Text = "scenes:20000"
    batch_size: Positive = 128
    learning_rate: Above = 1.5e-3
    token_weight: Annotated[float, Ge(0.0), Le(100.0)] = 0.0
    distillation_weight: Annotated[float, Ge(0.0), Le(1.0)] = 0.0


@document
class StudySettings:
    """What a study searches, how it measures and judges, and how it chooses.

    `samples` of the data set are judged, None for all of them. With `train` false, nothing is trained or judged: the
    study knows cost and size alone. `isa` is what exports are for, None the target's usual phones. `per_round` trials
    are chosen at a time, from the results of earlier rounds.
    """

    space: Space
    cost: Cost = Cost.LATENCY
    device: Name = "host"
    limits: Limits = Limits()
    train: bool = True
    dataset: Text = "scenes"
    samples: Positive | None = None
    training: TrainingSettings = TrainingSettings()
    calibration: Text = "scenes"
    isa: InstructionSet | None = None
    launches: Positive = 5
    iterations: Positive = 60
    strategy: Strategy = Strategy.MODEL
    per_round: Annotated[int, Ge(1), Le(256)] = 4
    seed: Count = 0
    schema_version: Literal[1] = STUDY_VERSION

    def __post_init__(self) -> None:
        if not self.train and self.limits.drop_points is not None:
            raise OptionError("--max-drop bounds accuracy, which --no-train does not judge", fix="give one of them")
        other = {Cost.LATENCY: ("max-instructions", self.limits.instructions)}
        other[Cost.INSTRUCTIONS] = ("max-latency", self.limits.latency_ns)
        name, bound = other[self.cost]
        if bound is not None:
            raise OptionError(f"--{name} bounds what this study does not measure ({self.cost})", fix="leave it out")
        if not self.training.steps:
            raise OptionError("--steps needs a number of training steps", fix="give one, or --no-train")

    def differences(self, other: StudySettings) -> list[str]:
        """The settings in which two studies differ, in words."""
        ours, theirs = documents.to_builtin(self), documents.to_builtin(other)
        names = [each.name for each in dataclasses.fields(self)]
        return [
            name if name in ("space", "training", "limits") else f"{name} ({theirs[name]}, now {ours[name]})"
            for name in names
            if ours[name] != theirs[name]
        ]
