"""`python -m pocketclip.benchmark.perf.gallery_search`: the exact search of an index against usearch's graph.

usearch is no dependency of PocketCLIP: `uv run --with usearch` adds it for this comparison alone.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pocketclip.export.gallery.index_folder import GalleryIndex

app = command_line.new_app(
    "pocketclip.benchmark.perf.gallery_search", "Times searches of an index, exact and by usearch's graph."
)
# Photographs resemble each other: they are drawn around so many centres, and vary in so many directions.
_CENTRES, _DIRECTIONS = 2_000, 64
_QUERIES = 20
_PIECE = 10_000


@dataclass(frozen=True)
class Search:
    """One way to search: what it needs beside the rows, and how it did.

    `build_seconds` is for the graph only; `recall` is the share of the exact search's hits that it gives.
    """

    way: str
    photos: int
    build_seconds: float
    extra_bytes: int
    median_ms: float
    p90_ms: float
    recall: float


@app.command()
def gallery_search_command(
    photos: Annotated[
        list[int] | None, typer.Option("--photos", min=100, help="Photographs in the index. Repeatable.")
    ] = None,
    width: Annotated[int, typer.Option("--width", min=8, help="Values of an embedding.")] = 512,
    most: Annotated[int, typer.Option("--most", min=1, help="Hits to ask for.")] = 10,
) -> None:
    """Prints a Markdown table."""
    from pocketclip.benchmark.errors import MeasurementError

    try:
        from usearch.index import Index  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MeasurementError(
            "usearch is not installed", fix="put `uv run --with usearch` before the command"
        ) from None
    print(f"| photographs | way | build, s | extra memory, MB | median, ms | p90, ms | recall of {most} |")
    print("|---|---|---|---|---|---|---|")
    for count in photos or [100_000]:
        for each in compare(count, width, most, Index):
            print(
                f"| {each.photos:,} | {each.way} | {each.build_seconds:.0f} | {each.extra_bytes / 1e6:.0f} | "
                f"{each.median_ms:.1f} | {each.p90_ms:.1f} | {each.recall:.1%} |",
                flush=True,
            )


def compare(count: int, width: int, most: int, graph_class: Any) -> Iterator[Search]:
    """Makes an index of so many synthetic photographs, and searches it in both ways, on one thread."""
    import numpy as np

    from pocketclip.export.gallery.searching import nearest

    random = np.random.default_rng(0)
    draw = _photographs(random, width)
    with tempfile.TemporaryDirectory(prefix="pocketclip-gallery-") as scratch:
        index = _index(Path(scratch), count, width, draw)
        queries = draw(_QUERIES)
        wanted = [{hit.photo for hit in nearest(index, query, most)} for query in queries]
        yield Search("exact", count, 0, 0, *_times(lambda query: nearest(index, query, most), queries), 1)
        graph = graph_class(ndim=width, metric="cos", dtype="f16")
        started = time.perf_counter()
        for start in range(0, count, _PIECE):
            graph.add(np.arange(start, min(start + _PIECE, count)), index.matrix()[start : start + _PIECE], threads=1)
        seconds = time.perf_counter() - started
        found = [{f"{key}.jpg" for key in graph.search(query, most, threads=1).keys.tolist()} for query in queries]
        recall = sum(len(mine & exact) for mine, exact in zip(found, wanted, strict=True)) / (most * _QUERIES)
        times = _times(lambda query: graph.search(query, most, threads=1), queries)
        yield Search("usearch", count, seconds, graph.memory_usage, *times, recall)


def _photographs(random: np.random.Generator, width: int) -> Callable[[int], NDArray[np.float32]]:
    """Draws embeddings of length 1, `(N, width)`."""
    import numpy as np

    directions = random.standard_normal((_DIRECTIONS, width), np.float32)
    centres = random.standard_normal((_CENTRES, _DIRECTIONS), np.float32)

    def draw(count: int) -> NDArray[np.float32]:
        own = random.standard_normal((count, _DIRECTIONS), np.float32)
        rows = (centres[random.integers(0, _CENTRES, count)] + 0.7 * own) @ directions
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    return draw


def _index(folder: Path, count: int, width: int, draw: Callable[[int], NDArray[np.float32]]) -> GalleryIndex:
    from pocketclip.export.gallery.index_folder import SCHEMA_VERSION, IndexIdentity, open_index, writing

    identity = IndexIdentity(SCHEMA_VERSION, "synthetic", "0" * 64, "0" * 64, width, "photos", "artifact")
    with writing(folder, identity) as writer:
        for start in range(0, count, _PIECE):
            for place, row in enumerate(draw(min(_PIECE, count - start)), start):
                writer.add(f"{place}.jpg", "1", row)
            writer.flush()
    return open_index(folder)


def _times(search: Callable[[NDArray[np.float32]], object], queries: NDArray[np.float32]) -> tuple[float, float]:
    """Median and 90th percentile in milliseconds, after one search that is not counted."""
    import numpy as np

    search(queries[0])
    spent_ms = []
    for query in queries:
        started = time.perf_counter()
        search(query)
        spent_ms.append((time.perf_counter() - started) * 1e3)
    return float(np.median(spent_ms)), float(np.percentile(spent_ms, 90))


def main() -> None:
    """Entry of the command."""
    command_line.run(app)


if __name__ == "__main__":
    main()
