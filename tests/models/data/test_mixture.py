"""Several references in one: shares of a batch, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocketclip.models.data.mixture import MixturePart, parse_mixture, split_batch
from pocketclip.models.data.source import FolderSource, SceneSource, ShardSource
from pocketclip.models.errors import ConfigError, DatasetError


def test_shares_stand_before_references(plain_shards: str) -> None:
    scenes, shards = parse_mixture(f"scenes:10 + 2.5 * {plain_shards}")
    assert scenes == MixturePart(SceneSource(10), 1.0)
    assert shards.share == 2.5
    assert isinstance(shards.source, ShardSource)


def test_a_plus_in_a_path_is_part_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "mine + yours"
    folder.mkdir()
    assert parse_mixture(f"folder:{folder}") == (MixturePart(FolderSource(folder), 1.0),)
    assert [part.source for part in parse_mixture(f"folder:{folder} + scenes:3")] == [
        FolderSource(folder),
        SceneSource(3),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [("scenes:8 + 0*scenes:9", "above 0"), ("scenes:8 + 2*photos", "scenes:8"), ("nan*scenes:8", "data reference")],
)
def test_what_is_no_mixture(text: str, words: str) -> None:
    with pytest.raises(DatasetError, match=words.replace("*", r"\*")):
        parse_mixture(text)


def test_every_sample_of_a_batch_is_given_once() -> None:
    source = SceneSource(8)
    assert split_batch([MixturePart(source, 1), MixturePart(source, 3)], 128) == (32, 96)
    assert split_batch([MixturePart(source, 1)] * 3, 128) == (43, 43, 42)
    with pytest.raises(ConfigError, match="no sample of a batch of 8"):
        split_batch([MixturePart(source, 1), MixturePart(source, 99)], 8)
