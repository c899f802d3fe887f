"""A space and a worker that cost nothing: what a trial gives is a function of its point.

`python -m tests.benchmark.tune.cheap STORE FOLDER` carries a study out through the real queue and the real store, so
that a test can end it at any moment.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pocketclip.benchmark.tune.limits import Limits
from pocketclip.benchmark.tune.points import Point, SearchSpace
from pocketclip.benchmark.tune.queueing import ProcessQueue
from pocketclip.benchmark.tune.settings import StudySettings, TrainingSettings
from pocketclip.benchmark.tune.space import Space, parse_space
from pocketclip.benchmark.tune.steps import Stage, Task
from pocketclip.benchmark.tune.study_store import begin_study, keep_result
from pocketclip.benchmark.tune.trials import Judged, Measured, StageResult, Trained
from pocketclip.benchmark.tune.tuning import carry_on, held_study
from pocketclip.models.registry import resolve_config

SHA = "0" * 64
TOML = b"""
version = 1
model = "pocketclip_nano"
targets = ["onnx", "tflite"]
precisions = ["fp32", "int8-static"]

[factors.kernels]
paths = ["image.stages.*.ffn_kernel"]
values = [7, 5, 3]

[factors.activation.options]
base = {}
relu = {"image.activation" = "relu"}
"""


def cheap_space(content: bytes = TOML) -> SearchSpace:
    """The space, without asking what this computer has."""
    space: Space = parse_space(content, source="a test")
    return SearchSpace(space, resolve_config(space.model), {})


def chance(point: Point, what: str) -> float:
    """A number from 0 to 1 that depends on the point alone."""
    digest = hashlib.sha256(f"{what} {point.levels}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def measured(cost: float, size_bytes: int = 5_000_000, spread: float = 0.01) -> Measured:
    return Measured(cost, cost * (1 - spread), cost * (1 + spread), size_bytes, (), 1.0)


def trained(accuracy: float, rung: int = 0) -> Trained:
    return Trained(rung, 10 * (rung + 1), accuracy, 100, SHA, f"run-{rung}", 1.0)


def judged(drop_points: float, accuracy: float = 0.9, spread: float = 0.5, failures: tuple[str, ...] = ()) -> Judged:
    low, high = drop_points - spread, drop_points + spread
    return Judged(accuracy, 0.0, 1.0, 100, drop_points, low, high, 5_000_000, SHA, failures, (), 1.0)


@dataclass(frozen=True)
class CheapWorker:
    """Gives every stage's result after a moment."""

    seconds: float = 0.0

    def carry_out(self, task: Task) -> StageResult:
        time.sleep(self.seconds)
        match task.stage:
            case Stage.MEASURE:
                return measured(1e6 * (1 + chance(task.point, "cost")))
            case Stage.TRAIN:
                return trained(chance(task.point, "accuracy"), task.rung)
            case Stage.JUDGE:
                return judged(5 * chance(task.point, "drop"))


@dataclass(frozen=True)
class LoggedKeep:
    """Keeps a result in the study, then says so in a file."""

    location: str
    name: str
    log: Path

    def __call__(self, number: int, result: StageResult) -> None:
        keep_result(self.location, self.name, number, result)
        rung = result.rung if isinstance(result, Trained) else 0
        descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{number} {result.kind} {rung}\n".encode())
        os.close(descriptor)


def cheap_settings(space: SearchSpace, **changes: object) -> StudySettings:
    values: dict[str, object] = {
        "limits": Limits(latency_ns=1.9e6),
        "training": TrainingSettings(steps=(10, 20)),
        "per_round": 4,
        "seed": 3,
    }
    return StudySettings(space.space, **(values | changes))  # type: ignore[arg-type]


def main() -> None:
    location, folder = sys.argv[1], Path(sys.argv[2])
    space = cheap_space()
    with held_study(location, "cheap"), begin_study(location, "cheap", cheap_settings(space)) as study:
        keep = LoggedKeep(location, "cheap", folder / "log")
        queue = ProcessQueue(CheapWorker(0.1), keep, 2, folder / "workers")
        carry_on(study, space, queue, most=8)


if __name__ == "__main__":
    main()
