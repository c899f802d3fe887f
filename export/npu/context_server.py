"""A process that runs one prepared graph in the emulator: arrays come in on stdin and go out on stdout, as `.npy`.

Two versions of Qualcomm's libraries cannot live in one process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pocketclip.export.array_pipe import answer_arrays
from pocketclip.export.npu.emulator import open_prepared
from pocketclip.export.npu.socs import SOCS


def main() -> None:
    """Arguments: the ONNX file that refers to the graph, and the chip."""
    path, soc = sys.argv[1:]

    @contextmanager
    def opened() -> Iterator[Callable[[np.ndarray], np.ndarray]]:
        session = open_prepared(Path(path), SOCS[soc])
        name = session.get_inputs()[0].name

        def answer(array: np.ndarray) -> np.ndarray:
            (output,) = session.run(None, {name: array})
            return np.asarray(output)

        yield answer

    answer_arrays(opened())


if __name__ == "__main__":
    main()
