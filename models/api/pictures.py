"""The public function that builds a data set: `pocketclip.build_pictures`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.models.progress import CountingWatch, OnProgress, silent
from pocketclip.models.user_cache import user_cache

if TYPE_CHECKING:
    from pocketclip.models.pictures.manifest import PicturesManifest


def build_pictures(
    out: str | Path,
    *,
    without: Sequence[str] = (),
    size: int = 96,
    compositions: int = 6,
    workers: int | None = None,
    cache: str | Path | None = None,
    on_progress: OnProgress = silent,
) -> PicturesManifest:
    """Builds webdataset shards of real pictures with captions from packages of npm and Debian (docs/pictures.md).

    A build that was ended goes on in its folder and ends with the same bytes. A package that cannot be had is logged,
    and the manifest says which splits lack it.

    Args:
        out: the folder of the set.
        without: sources to leave out, e.g. `photographs`.
        size: the side of an image in pixels, 64 to 256.
        compositions: how often training shows each picture, on another background each time.
        workers: processes that draw and compose; None uses one per core.
        cache: the folder of packages and drawn pictures; None uses the user's cache.
        on_progress: called as packages, pictures and samples are done.

    Returns:
        What was also written to `pictures.json`.

    Raises:
        ConfigError: an option is out of range, or the folder holds another set.
        MissingPackageError: no package can be had, or resvg-py is not installed.
        DatasetError: a package is damaged.
        StorageError: the disk is full or a folder cannot be written.
        WorkerEndedError: a worker process was ended.
    """
    from pocketclip.models.pictures import catalogue
    from pocketclip.models.pictures.building import BuildSettings, build

    chosen = catalogue.default_catalogue()
    settings = BuildSettings(
        side=size,
        compositions=compositions,
        without=chosen.without(without),
        cache=user_cache() / "pictures" if cache is None else Path(cache),
        workers=workers if workers is not None else os.cpu_count() or 1,
    )
    return build(chosen, settings, Path(out), CountingWatch(on_progress))
