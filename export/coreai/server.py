"""A process that runs one asset in Core AI's runtime: arrays come in on stdin and go out on stdout, as `.npy`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from pocketclip.export import runtimes
from pocketclip.export.array_pipe import answer_arrays
from pocketclip.models.errors import first_line


def main() -> None:
    """Argument: the asset's folder."""
    (path,) = sys.argv[1:]

    @contextmanager
    def opened() -> Iterator[Callable[[np.ndarray], np.ndarray]]:
        session = runtimes.open_session("coreai", path)
        yield lambda array: session.run([array])[0]
        session.close()

    try:
        answer_arrays(opened())
    except Exception as error:
        # The parent shows the last line; Apple's bindings raise classes of their own.
        sys.exit(first_line(error))


if __name__ == "__main__":
    main()
