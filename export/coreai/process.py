"""Core AI's runtime in a process of its own, behind the session interface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pocketclip.export.array_pipe import ArrayProcess, ProcessFault
from pocketclip.export.coreai.asset import check_asset
from pocketclip.export.errors import ArtifactCorruptError

_SERVER = "pocketclip.export.coreai.server"


class CoreAIProcess:
    """An asset in Apple's runtime: on Linux a reference executor, right values and no meaningful time."""

    def __init__(self, path: Path) -> None:
        """Checks the asset and starts the process; a program that the runtime refuses shows when it runs.

        Raises:
            ArtifactCorruptError, ArtifactNotFoundError: as `check_asset`.
        """
        self._path, self._facts = path, check_asset(path)
        self._process = ArrayProcess(_SERVER, [str(path)])

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        (given,) = inputs
        try:
            return [self._process.ask(given)]
        except ProcessFault as fault:
            raise ArtifactCorruptError(f"{self._path} cannot be run: {fault}; {self._facts.words()}") from fault

    def close(self) -> None:
        self._process.close()
