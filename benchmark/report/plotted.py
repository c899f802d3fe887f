"""Pictures of the documentation, drawn by matplotlib: SVG with the same bytes for the same figures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pocketclip.models import atomic


@contextmanager
def plotted(path: Path, *, size: tuple[float, float], columns: int = 1) -> Iterator[Any]:
    """Matplotlib's axes, of several columns an array of them, to draw on; written when the block ends without an error.

    Args:
        path: the SVG file.
        size: width and height in inches.
        columns: how many pictures stand beside one another.

    Raises:
        StorageError: the file cannot be written.
    """
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    # Without the salt and the date left out, every run writes other bytes.
    with mpl.rc_context({"svg.hashsalt": "pocketclip", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = pyplot.subplots(1, columns, figsize=size, layout="constrained")
        try:
            yield axes
            content = io.StringIO()
            figure.savefig(content, format="svg", metadata={"Date": None})
        finally:
            pyplot.close(figure)
    atomic.write_text(path, content.getvalue())
