"""Arrays over pipes, as `.npy`."""

from __future__ import annotations

import io
from typing import IO

import numpy as np


def send_array(stream: IO[bytes], array: np.ndarray) -> None:
    """Writes an array. numpy itself writes to files through their position, which pipes have none of."""
    content = io.BytesIO()
    np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
    stream.write(content.getvalue())
    stream.flush()


def receive_array(stream: IO[bytes]) -> np.ndarray:
    """Reads an array.

    Raises:
        ValueError: what comes is no array, or ends before its end.
    """
    return np.lib.format.read_array(_Reader(stream), allow_pickle=False)  # pyright: ignore[reportArgumentType]


class _Reader:
    """No more than the method that numpy needs: of a file, it would ask the position."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.read = stream.read
