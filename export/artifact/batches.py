"""Sessions of towers that take several photographs at once, by the row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pocketclip.export.runtimes import Session


def filled(rows: np.ndarray, batch: int) -> np.ndarray:
    """The rows, at most `batch`, and the last one again until there are as many."""
    lacking = batch - len(rows)
    return rows if lacking == 0 else np.concatenate([rows, np.repeat(rows[-1:], lacking, axis=0)])


@dataclass(frozen=True)
class FilledSession:
    """A session of a tower for `batch` rows that takes any number of rows up to that, and gives as many."""

    session: Session
    batch: int

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """As `export.runtimes.Session.run`."""
        rows = {len(array) for array in inputs}
        if len(rows) != 1 or not 1 <= (count := rows.pop()) <= self.batch:
            raise ValueError(f"the model takes 1 to {self.batch} rows at once, got {[len(array) for array in inputs]}")
        outputs = self.session.run([filled(array, self.batch) for array in inputs])
        return [np.asarray(output)[:count] for output in outputs]

    def close(self) -> None:
        """Frees the model."""
        self.session.close()
