"""The sets `pictures-design`, `-concepts`, `-hard` and `-photographs`: splits of a set that `data build` has built."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from pocketclip.models.errors import DatasetError
from pocketclip.models.evaluation.samples import ClassificationSet, identity_sha256
from pocketclip.models.evaluation.shards import open_shards
from pocketclip.models.pictures.manifest import MANIFEST_FILE, PicturesManifest, SplitUse, read_manifest
from pocketclip.models.pictures.plan import JUDGED
from pocketclip.models.untrusted.files import is_file

PICTURES = {f"pictures-{split}": split for split in JUDGED}
"""What `--dataset` takes, and the split that it means."""

_BUILD = "build it with: pocketclip data build pictures --out data/pictures"


def open_pictures(name: str, data_root: Path, count: int | None, *, partial: bool) -> ClassificationSet:
    """A split of the set `pictures` below the data root, or of the set that the data root is.

    Args:
        name: a key of `PICTURES`.
        data_root: the folder above `pictures`, or the set's own.
        count: how many samples to take from the start.
        partial: take a split that lacks samples; its records say so and are compared with none of the whole split.

    Raises:
        DatasetError: the set is not there, not finished, damaged, or partial without being allowed to be.
        MissingPackageError: webdataset is not installed.
    """
    folder = next((each for each in (data_root / "pictures", data_root) if is_file(each / MANIFEST_FILE)), None)
    if folder is None:
        raise DatasetError(f"there is no set of pictures at {data_root / 'pictures'} or {data_root}", fix=_BUILD)
    manifest = read_manifest(folder)
    if not manifest.complete:
        raise DatasetError(f"the build of {folder} has not ended", fix="run it again: it goes on where it stopped")
    split = PICTURES[name]
    use = manifest.split(split)
    _check(name, folder, use, partial=partial)
    found = open_shards(str(folder / split), None, count)
    words = _words(manifest, use)
    return replace(
        found,
        name=name,
        split=words if count is None else f"{words}, first {count}",
        sha256=use.sha256 if count is None else identity_sha256([use.sha256, f"first {count}"]),
        count=use.samples if count is None else min(count, use.samples),
        published_count=use.whole_samples,
        skips_corrupt=False,
    )


def _check(name: str, folder: Path, use: SplitUse, *, partial: bool) -> None:
    lacks = f"{use.whole_samples - use.samples:,} of its {use.whole_samples:,} pictures"
    reasons = "; ".join(use.lacking) or "they were left out"
    if not use.samples:
        raise DatasetError(f"{name} lacks {lacks} ({reasons})", fix=_BUILD)
    if use.partial and not partial:
        raise DatasetError(
            f"{name} is partial and cannot be compared with the whole set: it lacks {lacks} ({reasons})",
            fix="build it again, or evaluate what is there with --partial",
        )
    for shard in use.shards:
        path = folder / use.name / shard.file
        size = path.stat().st_size if path.is_file() else None
        if size is None:
            there = "is not there"
        elif size != shard.size_bytes:
            there = f"has {size:,} bytes instead of {shard.size_bytes:,}"
        elif _sha256(path) != shard.sha256:
            there = "has another content than when it was built"
        else:
            continue
        raise DatasetError(
            f"{name}: the shard {path} {there}", fix="remove it and run the build again: it makes the shard anew"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _words(manifest: PicturesManifest, use: SplitUse) -> str:
    """What records call the split."""
    words = f"{use.name}, {manifest.side} px"
    return f"partial {words}: {use.samples:,} of {use.whole_samples:,}" if use.partial else words
