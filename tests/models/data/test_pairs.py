"""Pairs come in file order from every kind of source, corrupt ones left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketclip.models.data.pairs import read_pairs
from pocketclip.models.errors import DatasetError
from pocketclip.models.scenes import SceneDataset, Split


def test_shards_in_order_with_synthetic_captions(
    tmp_path: Path, sample_maker: Any, shard_writer: Callable[..., Path]
) -> None:
    for shard in range(2):
        samples = {f"k{n}": sample_maker.reinforced(n) for n in range(shard * 15, shard * 15 + 15)}
        if shard:
            samples["k20"]["png"] = b"damaged"
        shard_writer(tmp_path / f"{shard}.tar", samples)
    reader = read_pairs(f"webdataset:{tmp_path}")
    pairs = list(reader)
    assert [pair.key for pair in pairs] == [f"k{n}" for n in range(30) if n != 20]
    assert pairs[3].caption == "caption 3" and pairs[3].synthetic_captions == ("synthetic 3 0", "synthetic 3 1")
    assert pairs[3].image.mode == "RGB" and pairs[3].image.size == (40, 32)
    assert reader.skipped_count == 1 and reader.skipped[0].name == "1.tar/k20"
    assert len(list(read_pairs(f"webdataset:{tmp_path}", 7))) == 7


def test_scenes_with_true_captions() -> None:
    pairs = list(read_pairs("scenes:12", scene_seed=5, scene_size=48))
    scenes = SceneDataset(Split.TRAIN, 12, seed=5, size=48)
    for number, pair in enumerate(pairs):
        np.testing.assert_array_equal(np.asarray(pair.image), scenes.image(number))
        assert pair.caption == scenes.caption(number)
        assert pair.caption not in pair.synthetic_captions
        assert len(set(pair.synthetic_captions)) == len(pair.synthetic_captions)
    assert sum(len(pair.synthetic_captions) for pair in pairs) > 24
    assert len(list(read_pairs("scenes", 3))) == 3
    with pytest.raises(DatasetError, match="scenes:COUNT"):
        read_pairs("scenes")


def test_table_and_what_is_unusable(tmp_path: Path, sample_maker: Any) -> None:
    (tmp_path / "0.png").write_bytes(sample_maker.image(0))
    (tmp_path / "x.csv").write_text(f"image,caption\n0.png,one\nnone.png,two\n{'a' * 300}.png,three\n")
    reader = read_pairs(f"csv:{tmp_path}/x.csv")
    assert [(pair.caption, pair.synthetic_captions, pair.key) for pair in reader] == [("one", (), "000000000")]
    assert reader.skipped_count == 2
    (tmp_path / "x.csv").write_text("image,caption\nnone.png,two\n")
    with pytest.raises(DatasetError, match=r"no pair of x\.csv can be used: x\.csv row 1: cannot read"):
        list(read_pairs(f"csv:{tmp_path}/x.csv"))
