"""Retrieval against a calculation by hand, tables with several captions, and intervals that cover the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from pocketclip.models.errors import CorruptSamplesError, DatasetError
from pocketclip.models.evaluation import retrieval
from pocketclip.models.evaluation.comparison import bootstrap_ratio_interval
from pocketclip.models.evaluation.journal import Journal
from pocketclip.models.evaluation.retrieval import Direction, rank_pairs, read_pairs, retrieve

from .small_sets import ColourEncoder, picture, save

OpenJournal = Callable[..., Journal]


def write_pairs(root: Path, rows: Sequence[tuple[str, str]], header: str = "image,caption") -> Path:
    for name in {name for name, _ in rows}:
        save(root / name, picture(int(Path(name).stem)))
    path = root / "pairs.csv"
    path.write_text("\n".join([header, *(f'{name},"{caption}"' for name, caption in rows)]) + "\n")
    return path


def test_images_with_several_captions(tmp_path: Path, journal: OpenJournal) -> None:
    # Image 2's second caption means image 0; image 3's only caption means nothing that is shown.
    rows = [("im/0.png", "0"), ("im/1.png", "1"), ("im/0.png", "0"), ("im/2.png", "2"), ("im/2.png", "0"),
            ("im/3.png", "9")]  # fmt: skip
    pairs = read_pairs(write_pairs(tmp_path, rows))
    assert (len(pairs.paths), pairs.count) == (4, 10)
    assert pairs.captions == (("0", "0"), ("1",), ("2", "0"), ("9",))
    encoder = ColourEncoder(int, dim=10, batch_size=3)
    result = retrieve(encoder, pairs, journal())
    # Ties count against: for image 3 all captions are alike (0), so its own is the last one.
    assert result.recall(Direction.IMAGE_TO_TEXT, 1) == 3 / 4
    # The caption "0" belongs to the images 0 and 2: whosever row it is, it is right for both.
    assert result.image_hits[0].tolist() == [True, True, True, False]
    assert result.image_hits[1].tolist() == [True, True, True, False]
    # All captions find an image that they belong to but "9", which ties with all.
    assert result.caption_hits[0].tolist() == [2, 1, 2, 0]
    assert result.recall(Direction.TEXT_TO_IMAGE, 1) == 5 / 6
    assert pairs.shared_captions == 1
    assert result.recall(Direction.TEXT_TO_IMAGE, 5) == 1
    assert result.captions.tolist() == [2, 1, 2, 1]


def test_ranking_agrees_with_sorting(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    images = random.standard_normal((60, 16)).astype(np.float32)
    owners = np.repeat(np.arange(60), random.integers(1, 5, 60))
    captions = (images[owners] + 2.5 * random.standard_normal((len(owners), 16))).astype(np.float32)
    whole = rank_pairs(np.arange(60), images, owners, captions)
    scores = images @ captions.T
    for row, k in enumerate(retrieval.RECALLS_AT):
        first_captions = np.argsort(-scores, axis=1)[:, :k]
        found = [np.isin(owners[first_captions[place]], place).any() for place in range(60)]
        assert whole.image_hits[row].tolist() == found
        first_images = np.argsort(-scores.T, axis=1)[:, :k]
        assert whole.caption_hits[row].sum() == (first_images == owners[:, None]).any(1).sum()
    assert 0 < whole.recall(Direction.IMAGE_TO_TEXT, 1) < whole.recall(Direction.IMAGE_TO_TEXT, 10) < 1
    # Chunks change nothing.
    monkeypatch.setattr(retrieval, "_CHUNK", 7)
    chunked = rank_pairs(np.arange(60), images, owners, captions)
    np.testing.assert_array_equal(chunked.image_hits, whole.image_hits)
    np.testing.assert_array_equal(chunked.caption_hits, whole.caption_hits)


def test_repeated_captions_are_right_for_each_of_their_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a calculation pair by pair, with 12 captions for 40 images."""
    random = np.random.default_rng(5)
    meanings = random.standard_normal((12, 8)).astype(np.float32)
    owners = np.sort(np.concatenate([np.arange(40), random.integers(0, 40, 20)]))
    groups = random.integers(0, 12, 60)
    images = (meanings[groups[np.searchsorted(owners, np.arange(40))]] + random.standard_normal((40, 8))).astype(
        np.float32
    )
    captions = meanings[groups]
    scores = images @ captions.T
    right = np.array([[groups[c] in groups[owners == i] for c in range(60)] for i in range(40)])
    for chunk in (512, 7):
        monkeypatch.setattr(retrieval, "_CHUNK", chunk)
        result = rank_pairs(np.arange(40), images, owners, captions, groups=groups)
        for row, k in enumerate(retrieval.RECALLS_AT):
            for i in range(40):
                best = scores[i][right[i]].max()
                assert result.image_hits[row, i] == (((scores[i] >= best) & ~right[i]).sum() < k)
            found = [((scores[:, c] >= scores[right[:, c], c].max()) & ~right[:, c]).sum() < k for c in range(60)]
            assert result.caption_hits[row].sum() == sum(found)
    # Among 40 images of 12 captions, each caption's own image was one of several equals, and lost.
    alone = rank_pairs(np.arange(40), images, owners, captions)
    assert alone.recall(Direction.IMAGE_TO_TEXT, 1) == 0 < result.recall(Direction.IMAGE_TO_TEXT, 1)


def test_a_model_without_a_clue_finds_nothing() -> None:
    same = np.ones((20, 4), np.float32) / 2
    result = rank_pairs(np.arange(20), same, np.arange(20), same)
    assert {result.recall(direction, k) for direction in Direction for k in (1, 5, 10)} == {0.0}


def test_unreadable_image_goes_with_its_captions(tmp_path: Path, journal: OpenJournal) -> None:
    rows = [(f"{number}.png", str(number)) for number in range(40)] + [("7.png", "7"), ("9.png", "9")]
    path = write_pairs(tmp_path, rows)
    (tmp_path / "7.png").write_bytes(b"no image")
    encoder = ColourEncoder(int, dim=40, batch_size=16)
    with pytest.raises(CorruptSamplesError, match=r"7\.png cannot be read"):
        retrieve(encoder, read_pairs(path), journal(dataset="stops"))
    result = retrieve(encoder, read_pairs(path), journal(), skip_corrupt=True)
    assert (len(result.images), result.captions.sum()) == (39, 40)
    assert result.recall(Direction.TEXT_TO_IMAGE, 1) == 1
    assert result.skipped[0].startswith("7.png: ")


def test_retrieval_is_resumed(tmp_path: Path, journal: OpenJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "_CAPTIONS_AT_A_TIME", 4)
    path = write_pairs(tmp_path, [(f"{number}.png", str(number * 3 % 11)) for number in range(11)] * 2)
    whole = retrieve(ColourEncoder(int, dim=11), read_pairs(path), journal(dataset="whole"))

    class Interrupted(ColourEncoder):
        def encode_images(self, images: np.ndarray) -> np.ndarray:
            if self.images >= 4 and self.texts == 0 and self.dim == 11:
                raise KeyboardInterrupt
            return super().encode_images(images)

        def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
            if self.texts >= 8:
                raise KeyboardInterrupt
            return super().encode_texts(texts)

    first = journal()
    with pytest.raises(KeyboardInterrupt):
        retrieve(Interrupted(int, dim=11), read_pairs(path), first)
    first.close()
    second = journal(resume=True)
    assert second.end == 4
    encoder = Interrupted(int, dim=11)
    encoder.images = -100
    with pytest.raises(KeyboardInterrupt):
        retrieve(encoder, read_pairs(path), second)
    second.close()
    third, encoder = journal(resume=True), ColourEncoder(int, dim=11)
    assert third.end == 11 + 8
    result = retrieve(encoder, read_pairs(path), third)
    assert (encoder.images, encoder.texts) == (0, 14)
    np.testing.assert_array_equal(result.image_hits, whole.image_hits)
    np.testing.assert_array_equal(result.caption_hits, whole.caption_hits)


def test_tables(tmp_path: Path) -> None:
    rows = [("0.png", "a fox, red"), ("1.png", 'a ""big"" hare')]
    path = write_pairs(tmp_path, rows, "filepath, title")
    assert read_pairs(path).captions == (("a fox, red",), ('a "big" hare',))
    assert read_pairs(path).name == "retrieval:pairs.csv"
    (tmp_path / "pairs.tsv").write_text("caption\tnumber\timage\nun renard, né ici\t1\t0.png\n")
    assert read_pairs(tmp_path / "pairs.tsv").captions == (("un renard, né ici",),)
    drawn = read_pairs(path, 1, seed=3)
    assert (len(drawn.paths), drawn.split) == (1, "all, 1 drawn with seed 3")
    assert drawn.sha256 != read_pairs(path).sha256
    for content, message in (
        ("", r"no column for the image \(found: nothing\)"),
        ("image,words\n0.png,x\n", r"no column for the caption \(found: image, words\); .* caption, title, text"),
        ("image,caption\n", "holds no pair"),
        ("image,caption\n0.png,\n", "line 2: the caption is empty"),
        ("image,caption\n0.png\n", "line 2: 1 columns, the header has 2"),
        ("image,caption\n,x\n", "line 2: the image is empty"),
        ("image,caption\n0.png,x\n5.png,y\n", r"1 of 2 images do not exist \(first: .*5\.png\)"),
        ('image,caption\n0.png,"x\n', "pairs.csv, line"),
        # The first caption begins with a mark, the second ends with one: a row between them is none of a caption.
        ('image,caption\n0.png,"no\n1.png,a hare"\n', r"line 2: a field .* contains rows, the first on line 3"),
        ("image,caption\n0.png,a red, round ball\n", "line 2: 3 columns, the header has 2"),
        ("image,caption\nhttps://host/a.jpg,x\n", "names addresses, not files"),
    ):
        path.write_text(content)
        with pytest.raises(DatasetError, match=message):
            read_pairs(path)
    with pytest.raises(DatasetError, match="there is no table"):
        read_pairs(tmp_path / "none.csv")
    path.write_text("image,caption\n0.png,x\n")
    with pytest.raises(DatasetError, match="--count 2 is more than the 1 images"):
        read_pairs(path, 2)


def test_bootstrap_covers_the_truth() -> None:
    random = np.random.default_rng(1)

    def draw() -> tuple[np.ndarray, np.ndarray]:
        # Queries of one image share their luck: an interval that ignores that would be too narrow.
        queries = random.integers(1, 6, 150)
        return random.binomial(queries, np.where(random.random(150) < 0.5, 0.9, 0.3)), queries

    intervals = [bootstrap_ratio_interval(*draw()) for _ in range(60)]
    assert sum(each.low <= 0.6 <= each.high for each in intervals) >= 53
    drawn = draw()
    assert bootstrap_ratio_interval(*drawn) == bootstrap_ratio_interval(*drawn)


def test_bootstrap_without_a_miss_is_no_certainty() -> None:
    ones = np.ones(50, int)
    assert 0.9 < bootstrap_ratio_interval(ones, ones).low < 0.95
    drop = bootstrap_ratio_interval(ones, ones, ones)
    assert drop.low < 0 < drop.high
    worse = bootstrap_ratio_interval(np.arange(50) % 2, ones, ones)
    assert 0.3 < worse.low < 0.5 < worse.high < 0.7
    assert bootstrap_ratio_interval([0], [1]).low == 0
    with pytest.raises(ValueError, match="at least one with a query"):
        bootstrap_ratio_interval([0], [0])
