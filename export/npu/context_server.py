"""A process that runs one prepared graph in the emulator: arrays come in on stdin and go out on stdout, as `.npy`.

Two versions of Qualcomm's libraries cannot live in one process.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from pocketclip.export.array_pipe import receive_array, send_array
from pocketclip.export.npu.emulator import open_prepared
from pocketclip.export.npu.socs import SOCS


def main() -> None:
    """Arguments: the ONNX file that refers to the graph, and the chip."""
    path, soc = sys.argv[1:]
    # The libraries report on stdout.
    with os.fdopen(os.dup(1), "wb") as answers, os.fdopen(os.dup(0), "rb") as questions:
        os.dup2(2, 1)
        session = open_prepared(Path(path), SOCS[soc])
        name = session.get_inputs()[0].name
        while questions.peek(1):
            (output,) = session.run(None, {name: receive_array(questions)})
            send_array(answers, np.asarray(output))


if __name__ == "__main__":
    main()
