"""Both towers of artefacts that others may have made, in processes of their own: batches go in, embeddings come out.

A file that crashes its runtime, hangs or takes all memory ends a process, and is an error with words here. Converters
take seconds to import, so one pair after the other uses the same processes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np

from pocketclip.benchmark.errors import ContestantError
from pocketclip.export import foreign
from pocketclip.export.encoders import Embeddings, embed
from pocketclip.export.precision import TargetName, Tower
from pocketclip.export.runtimes import Session
from pocketclip.export.targets import load_runner, open_model
from pocketclip.models.errors import PocketClipError
from pocketclip.models.reading_child import Child

Result = TypeVar("Result")

# Each takes 1 to 2 GB once converters are imported.
_MOST_PROCESSES = 4
# Of opening and embedding in one process; before, what more processes import takes longer than they save.
_WORTH_MORE_S = 5.0


@dataclass(frozen=True)
class ModelFile:
    """A model file or package and what runs it."""

    target: TargetName
    path: Path


class TowerProcesses:
    """The processes that run towers: one, and one for each further core where there is much to do.

    Use it as a context manager: on leaving, the processes end.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most or min(_MOST_PROCESSES, os.cpu_count() or 1)
        self._children = [Child()]
        self._threads = ThreadPoolExecutor(self._most)
        self._busy_s = 0.0

    def __enter__(self) -> TowerProcesses:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the processes."""
        # Before their threads: a thread waits for its process's answer.
        for child in self._children:
            child.close()
        self._threads.shutdown()

    def open(self, files: dict[Tower, ModelFile], label: str) -> ForeignTowers:
        """Both towers, in the place of those that were open before; `label` begins messages.

        Raises:
            ContestantError: they cannot be opened.
        """
        return ForeignTowers(self, files, label)

    def grow(self) -> Sequence[Child]:
        """All processes; more than before where embedding has taken long enough."""
        if self._busy_s > _WORTH_MORE_S:
            self._children += [Child() for _ in range(self._most - len(self._children))]
        return self._children

    def each(self, calls: Sequence[Callable[[], Result]]) -> list[Result]:
        """The results of calls to different processes, made at the same time.

        Raises:
            PocketClipError: the first call's that failed.
        """
        started = time.monotonic()
        try:
            waiting = [self._threads.submit(call) for call in calls]
            return [each.result() for each in waiting]
        finally:
            self._busy_s += time.monotonic() - started


class ForeignTowers:
    """The parent's side of both towers. Use `TowerProcesses.open`.

    Attributes:
        executed_by: what runs each tower, e.g. `onnxruntime 1.32.0`.
    """

    def __init__(self, processes: TowerProcesses, files: dict[Tower, ModelFile], label: str) -> None:
        self._processes, self._files, self._label = processes, files, label
        self._opened_in: list[Child] = []
        self.executed_by: dict[Tower, str] = {}
        self._ready(processes.grow())

    def embed(self, tower: Tower, inputs: np.ndarray) -> Embeddings:
        """N inputs along the first axis, each as the tower takes it with batch 1, to normalised `(N, D)`.

        Raises:
            ContestantError: the model cannot be run, or gives what is no embedding or not finite.
        """
        children = self._processes.grow()
        self._ready(children)
        parts = [part for part in np.array_split(inputs, len(children)) if len(part)]

        def call(child: Child, part: np.ndarray) -> Callable[[], Embeddings]:
            return lambda: self._call(child, tower, _embed, tower, part)

        return np.concatenate(
            self._processes.each([call(child, part) for child, part in zip(children, parts, strict=False)])
        )

    def _ready(self, children: Sequence[Child]) -> None:
        """Opens the towers in the processes that are new."""
        fresh = [child for child in children if child not in self._opened_in]

        def open_in(child: Child) -> dict[Tower, str]:
            return {tower: self._call(child, tower, _open, tower, file) for tower, file in self._files.items()}

        for found in self._processes.each([lambda child=child: open_in(child) for child in fresh]):
            self.executed_by = found
        self._opened_in += fresh

    def _call(self, child: Child, tower: Tower, function: Callable[..., Result], *arguments: object) -> Result:
        # Both lie in the memory that the bounds are for.
        files = [each.path for each in self._files.values()]
        try:
            return foreign.run(child, function, *arguments, about=str(self._files[tower].path), files=files)
        except PocketClipError as error:
            raise ContestantError(f"{self._label}: {error}", error.exit_code) from error


# In a child.
_sessions: dict[Tower, Session] = {}


def _open(tower: Tower, file: ModelFile) -> str:
    """Opens a tower in the place of the one before; returns what runs it."""
    if (earlier := _sessions.pop(tower, None)) is not None:
        earlier.close()
    runner = load_runner(file.target)
    if (torch := sys.modules.get("torch")) is not None:
        # Of a reference executor: each process has a core.
        torch.set_num_threads(1)
    _sessions[tower] = open_model(file.target, file.path)
    return runner.executed_by()


def _embed(tower: Tower, inputs: np.ndarray) -> Embeddings:
    session = _sessions[tower]
    return np.concatenate([embed(session, inputs[place : place + 1]) for place in range(len(inputs))])
