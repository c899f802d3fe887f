"""Programs of ExecuTorch's for Qualcomm's delegate, run by the emulator on Linux."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pocketclip.export import runtimes
from pocketclip.export.captured_output import captured_output
from pocketclip.export.npu.qualcomm import load_libraries

_DELEGATE = Path("lib", "libexecutorch_backend_qnn.so")


class EmulatedProgram:
    """A program for one chip, run by the emulator: the NPU's values, no meaningful time."""

    def __init__(self, path: Path) -> None:
        # The delegate reports each step on the process's stdout.
        with captured_output(1, 2):
            _register_delegate()
            self._session = runtimes.open_session("executorch", str(path))
        self._loaded = False

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        if self._loaded:
            return self._session.run(inputs)
        # Programs are loaded when they first run.
        with captured_output(1, 2):
            outputs = self._session.run(inputs)
        self._loaded = True
        return outputs

    def close(self) -> None:
        with captured_output(1, 2):
            self._session.close()


@functools.cache
def _register_delegate() -> None:
    """Makes Qualcomm's delegate known to ExecuTorch's runtime, once for the process."""
    load_libraries()
    runtimes.warm_imports("executorch")
    import executorch

    folders = [Path(folder) for folder in executorch.__path__]
    library = next(path for folder in folders if (path := folder / _DELEGATE).is_file())
    ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
