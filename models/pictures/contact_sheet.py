"""The summary picture of a built set: some samples of each source and split, with their captions or classes."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pocketclip.models import atomic
from pocketclip.models.pictures.manifest import PicturesManifest, SplitUse
from pocketclip.models.pictures.plan import SEED, Split

SHEET_FILE = "summary.png"
_COLUMNS = 10
_TILE, _TEXT_HEIGHT, _GAP = 96, 26, 8
_TITLE_HEIGHT = 20
_LETTERS = 19


@dataclass(frozen=True)
class _Tile:
    source: str
    image: Image.Image
    words: str


def write_sheet(folder: Path, manifest: PicturesManifest) -> None:
    """Draws the sheet of a set that is built, and writes it into its folder.

    Raises:
        StorageError: it cannot be written.
    """
    rows = list(_rows(folder, manifest))
    width = _GAP + _COLUMNS * (_TILE + _GAP)
    height = _GAP + len(rows) * (_TITLE_HEIGHT + _TILE + _TEXT_HEIGHT + _GAP)
    sheet = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(sheet)
    title_font, font = ImageFont.load_default(13), ImageFont.load_default(10)
    top = _GAP
    for title, tiles in rows:
        pen.text((_GAP, top), title, "black", title_font)
        for column, tile in enumerate(tiles):
            left = _GAP + column * (_TILE + _GAP)
            sheet.paste(tile.image.resize((_TILE, _TILE)), (left, top + _TITLE_HEIGHT))
            for line in range(2):
                words = tile.words[line * _LETTERS : (line + 1) * _LETTERS]
                pen.text((left, top + _TITLE_HEIGHT + _TILE + 12 * line), words, "black", font)
        top += _TITLE_HEIGHT + _TILE + _TEXT_HEIGHT + _GAP
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    atomic.write_bytes(folder / SHEET_FILE, stream.getvalue())


def _rows(folder: Path, manifest: PicturesManifest) -> Iterator[tuple[str, Sequence[_Tile]]]:
    for split in manifest.splits:
        if not split.shards:
            continue
        tiles = _tiles(folder / split.name, split)
        if split.name is Split.TRAIN:
            for source in dict.fromkeys(tile.source for tile in tiles):
                yield f"{split.name}: {source}", [tile for tile in tiles if tile.source == source][:_COLUMNS]
        else:
            yield f"{split.name} ({split.samples:,} pictures, {split.classes:,} classes)", tiles[:_COLUMNS]


def _tiles(folder: Path, split: SplitUse) -> list[_Tile]:
    """Samples of a split in an order drawn by the seed."""
    names = (folder / "classnames.txt").read_text().splitlines() if split.classes else []
    found: list[_Tile] = []
    # The first shard of training holds samples of all sources; splits for evaluation go by class.
    shards = split.shards[:1] if split.name is Split.TRAIN else split.shards
    for shard in shards:
        with tarfile.open(folder / shard.file) as archive:
            contents = {member.name: archive.extractfile(member) for member in archive}
            keys = [name.removesuffix(".jpg") for name in contents if name.endswith(".jpg")]
            for place in np.random.default_rng(SEED).permutation(len(keys))[:400]:
                key = keys[place]
                image, words = contents[f"{key}.jpg"], contents[f"{key}.cls" if names else f"{key}.txt"]
                assert image is not None and words is not None
                text = words.read().decode()
                found.append(
                    _Tile(
                        key.split("_")[0],
                        Image.open(io.BytesIO(image.read())).convert("RGB"),
                        names[int(text)] if names else text,
                    )
                )
    order = np.random.default_rng(SEED).permutation(len(found))
    return [found[place] for place in order]
