"""Trials of a study on the nodes of a fleet: trainings and evaluations spread, measurements stay here.

What trials are compared by must be measured on one machine. The study's folder and its store are shared by all nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pocketclip.benchmark.fleet.nodes import Call, Nodes
from pocketclip.benchmark.tune.queueing import Keep, TaskQueue, Worker, carry_out
from pocketclip.benchmark.tune.steps import Stage, Task
from pocketclip.benchmark.tune.trials import StageResult
from pocketclip.models.errors import PocketClipError


@dataclass(frozen=True)
class FleetQueue:
    """Carries tasks out on nodes, each on `cores` cores; those that measure go to `here`."""

    worker: Worker
    keep: Keep
    nodes: Nodes
    cores: int
    here: TaskQueue

    def run(self, stage: Stage, tasks: Sequence[Task]) -> Iterator[tuple[Task, StageResult]]:
        if stage is Stage.MEASURE:
            yield from self.here.run(stage, tasks)
            return
        calls = [Call(place, carry_out, (self.worker, self.keep, task)) for place, task in enumerate(tasks)]
        for place, found in self.nodes.run(calls, cores=self.cores):
            if isinstance(found, PocketClipError):
                # Of the study, not of the trial: `carry_out` makes a result of those.
                raise found
            yield tasks[place], found
