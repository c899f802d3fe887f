"""Both towers of artefacts that others may have made, in a child process: batches go in, embeddings come out.

A file that crashes its runtime, hangs or takes all memory ends that process, and is an error with words here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from pocketclip.benchmark.errors import ContestantError
from pocketclip.export import foreign
from pocketclip.export.encoders import Embeddings, embed
from pocketclip.export.precision import TargetName, Tower
from pocketclip.export.runtimes import Session
from pocketclip.export.targets import open_model
from pocketclip.models.errors import PocketClipError
from pocketclip.models.reading_child import Child

Result = TypeVar("Result")


@dataclass(frozen=True)
class ModelFile:
    """A model file or package and what runs it."""

    target: TargetName
    path: Path


@contextmanager
def open_towers(files: dict[Tower, ModelFile], label: str) -> Iterator[ForeignTowers]:
    """Both towers in a process of their own, which ends with the block; `label` begins messages.

    Raises:
        ContestantError: they cannot be opened.
    """
    with Child() as child:
        yield ForeignTowers(child, files, label)


class ForeignTowers:
    """The parent's side of both towers. Use `open_towers`."""

    def __init__(self, child: Child, files: dict[Tower, ModelFile], label: str) -> None:
        self._child, self._files, self._label = child, files, label
        for tower in files:
            self._call(tower, _open, tower, files[tower])

    def embed(self, tower: Tower, inputs: np.ndarray) -> Embeddings:
        """N inputs along the first axis, each as the tower takes it with batch 1, to normalised `(N, D)`.

        Raises:
            ContestantError: the model cannot be run, or gives what is no embedding or not finite.
        """
        return self._call(tower, _embed, tower, inputs)

    def _call(self, tower: Tower, function: Callable[..., Result], *arguments: object) -> Result:
        # Both lie in the memory that the bounds are for.
        files = [each.path for each in self._files.values()]
        try:
            return foreign.run(self._child, function, *arguments, about=str(self._files[tower].path), files=files)
        except PocketClipError as error:
            raise ContestantError(f"{self._label}: {error}", error.exit_code) from error


# In the child. They end with the process, which is killed: nothing is closed.
_sessions: dict[Tower, Session] = {}


def _open(tower: Tower, file: ModelFile) -> None:
    _sessions[tower] = open_model(file.target, file.path)


def _embed(tower: Tower, inputs: np.ndarray) -> Embeddings:
    session = _sessions[tower]
    return np.concatenate([embed(session, inputs[place : place + 1]) for place in range(len(inputs))])
