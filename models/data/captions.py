"""The captions of a source without its images."""

from __future__ import annotations

from collections.abc import Iterator

from pocketclip.models.data.indexes import open_index
from pocketclip.models.data.pairs import note_corrupt, references_from
from pocketclip.models.data.skips import SkipLog
from pocketclip.models.data.source import DataSource
from pocketclip.models.errors import DatasetError
from pocketclip.models.progress import CountingWatch


def read_captions(source: DataSource, watch: CountingWatch, *, max_skipped_share: float = 0.05) -> Iterator[str]:
    """Captions in file order; of scenes, one each. What has no caption is skipped.

    Args:
        source: scenes, shards, a table or a folder.
        watch: told of every caption.
        max_skipped_share: share of samples that may be without one.

    Raises:
        DatasetError: the source cannot be read, too much of it has no caption, or all of it.
    """
    index = open_index(source)
    log = SkipLog(max_skipped_share, shards=len(index.shards))
    watch.begin("captions", None)
    found = 0
    try:
        for reference in references_from(index):
            try:
                caption = reference.read_caption()
            except Exception as error:
                note_corrupt(log, reference, error)
                continue
            log.used()
            found += 1
            watch.advance(1)
            yield caption
    finally:
        index.close()
    if log.count:
        watch.note(f"{log.count} samples without a caption were skipped; the first: {log.first[0]}")
    if not found:
        named = "; ".join(map(str, log.first[:3])) or "it is empty"
        raise DatasetError(f"no caption of {index.shards[0]} can be used: {named}")
