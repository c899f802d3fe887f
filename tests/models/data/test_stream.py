"""The stream of batches: equal for any workers, disjoint among ranks, resumed exactly, and sound over corrupt data."""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pocketclip.models.data import decoding
from pocketclip.models.data.augmentation import CompressedAugmentation
from pocketclip.models.data.batches import Batch, BatchSource, caption_id
from pocketclip.models.data.opening import open_batches
from pocketclip.models.data.references import decode_image
from pocketclip.models.errors import ConfigError, DatasetError
from pocketclip.models.pixels.preprocess import preprocess
from pocketclip.models.registry import load_config
from pocketclip.models.text.tokenizer import load_tokenizer

CONFIG = load_config("pocketclip_nano")
SAMPLES = 6 + 7 + 8 + 9 + 10
IDS = {caption_id(f"caption {number}"): number for number in range(3000)}


def open_stream(source: str, **options: Any) -> BatchSource:
    return open_batches(source, **{"config": CONFIG, "batch_size": 7, "seed": 3, **options})


def numbers(batch: Batch) -> list[int]:
    """Which samples a batch shows."""
    return [IDS[number] for number in batch.caption_ids.tolist()]


def stream_of(source: str, samples: int, **options: Any) -> list[int]:
    with closing(open_stream(source, batch_size=1, **options)) as batches:
        return [numbers(batches.next_batch())[0] for _ in range(samples)]


def assert_equal(first: Batch, second: Batch) -> None:
    for name in ("images", "token_ids", "caption_ids", "synthetic_token_ids", "synthetic_caption_ids"):
        one, other = getattr(first, name), getattr(second, name)
        assert (one is None) == (other is None), name
        assert one is None or torch.equal(one, other), name
    if first.teachers is not None and second.teachers is not None:
        for name in ("image", "text", "synthetic_text"):
            assert torch.equal(getattr(first.teachers, name), getattr(second.teachers, name)), name


def test_shape_and_content(plain_shards: str, sample_maker: Any) -> None:
    with closing(open_stream(plain_shards, crop_scale=(1.0, 1.0))) as batches:
        batch = batches.next_batch()
    assert batch.images.shape == (7, 3, 64, 64) and batch.images.dtype == torch.float32
    assert batch.token_ids.dtype == torch.int32 and batch.caption_ids.dtype == torch.int64
    assert batch.teachers is None and batch.synthetic_token_ids is None and batch.synthetic_caption_ids is None
    tokenizer = load_tokenizer(CONFIG.tokenizer)
    for place, number in enumerate(numbers(batch)):
        image = decode_image(sample_maker.image(number, ("png", "jpg", "webp")[number % 3]))
        np.testing.assert_array_equal(batch.images[place].numpy(), preprocess(image, CONFIG.preprocess))
        np.testing.assert_array_equal(batch.token_ids[place].numpy(), tokenizer(f"caption {number}")[0])


def test_epochs_show_every_sample_once_in_another_order(plain_shards: str) -> None:
    seen = stream_of(plain_shards, 3 * SAMPLES)
    epochs = [seen[start : start + SAMPLES] for start in range(0, 3 * SAMPLES, SAMPLES)]
    assert all(sorted(epoch) == list(range(SAMPLES)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] and epochs[0] != list(range(SAMPLES))
    assert seen == stream_of(plain_shards, 3 * SAMPLES)
    assert seen[:SAMPLES] != stream_of(plain_shards, SAMPLES, seed=4)


def first_epoch(source: str, **options: Any) -> list[int]:
    seen: list[int] = []
    with closing(open_stream(source, batch_size=1, **options)) as batches:
        while True:
            batch = batches.next_batch()
            if batches.state()["cursor"][0] > 0:
                return seen
            seen += numbers(batch)


def test_ranks_are_disjoint_and_complete(plain_shards: str) -> None:
    parts = [first_epoch(plain_shards, rank=rank, world=3) for rank in range(3)]
    assert sorted(itertools.chain.from_iterable(parts)) == list(range(SAMPLES))
    assert min(map(len, parts)) >= 6


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(plain_shards: str, workers: int) -> None:
    with closing(open_stream(plain_shards)) as alone, closing(open_stream(plain_shards, workers=workers)) as helped:
        for _ in range(13):
            assert_equal(alone.next_batch(), helped.next_batch())
            assert alone.state() == helped.state()


def test_resume_at_every_position(plain_shards: str) -> None:
    with closing(open_stream(plain_shards, batch_size=3)) as batches:
        states = [json.dumps(batches.state())]
        served: list[Batch] = []
        for _ in range(2 * SAMPLES // 3 + 4):
            served.append(batches.next_batch())
            states.append(json.dumps(batches.state()))
    for at in range(len(served)):
        with closing(open_stream(plain_shards, batch_size=3)) as resumed:
            resumed.restore(json.loads(states[at]))
            assert json.dumps(resumed.state()) == states[at]
            assert_equal(resumed.next_batch(), served[at])
            assert json.dumps(resumed.state()) == states[at + 1]


def test_resume_with_workers_and_back_in_time(plain_shards: str) -> None:
    with closing(open_stream(plain_shards, workers=2)) as batches:
        batches.next_batch()
        state = batches.state()
        expected = [batches.next_batch() for _ in range(8)]
        batches.restore(state)
        for batch in expected:
            assert_equal(batches.next_batch(), batch)


def test_worker_that_is_killed(plain_shards: str, monkeypatch: pytest.MonkeyPatch) -> None:
    main = os.getpid()

    def die(data: bytes) -> Any:
        assert os.getpid() != main
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(decoding, "decode_image", die)
    with (
        closing(open_stream(plain_shards, workers=1)) as batches,
        pytest.raises(DatasetError, match="use fewer workers"),
    ):
        batches.next_batch()


@pytest.mark.parametrize("changes", [{"seed": 4}, {"rank": 1, "world": 2}])
def test_state_of_another_stream(plain_shards: str, changes: dict[str, int]) -> None:
    with closing(open_stream(plain_shards)) as batches, closing(open_stream(plain_shards, **changes)) as other:
        with pytest.raises(DatasetError, match="belongs to other data, another seed or another number of processes"):
            other.restore(batches.state())
        with pytest.raises(DatasetError, match="does not belong to shards or a table"):
            other.restore({"step": 3})
        with pytest.raises(DatasetError, match="is not a position"):
            batches.restore({**batches.state(), "cursor": [0, -1]})


def test_random_crops_follow_the_sample_and_the_epoch(plain_shards: str) -> None:
    seen: dict[int, list[torch.Tensor]] = {}
    with closing(open_stream(plain_shards, batch_size=SAMPLES, crop_scale=(0.3, 0.6))) as batches:
        for _ in range(2):
            batch = batches.next_batch()
            for number, image in zip(numbers(batch), batch.images, strict=True):
                seen.setdefault(number, []).append(image)
    assert all(not torch.equal(first, second) for first, second in seen.values())


def test_rand_augment_changes_more_than_the_crop(plain_shards: str) -> None:
    def images(**options: Any) -> dict[int, torch.Tensor]:
        with closing(open_stream(plain_shards, batch_size=SAMPLES, crop_scale=(1.0, 1.0), **options)) as batches:
            batch = batches.next_batch()
        return dict(zip(numbers(batch), batch.images, strict=True))

    plain, augmented, again = images(), images(rand_augment=True), images(rand_augment=True)
    assert all(torch.equal(augmented[number], again[number]) for number in plain), "the same draws for the same seed"
    assert sum(not torch.equal(plain[number], augmented[number]) for number in plain) > SAMPLES / 2


@pytest.fixture(params=["npz", "pth.gz"])
def reinforced(request: Any, tmp_path: Path, sample_maker: Any, shard_writer: Callable[..., Path]) -> str:
    for shard in range(2):
        samples = {f"{n}": sample_maker.reinforced(n, request.param) for n in range(shard * 8, shard * 8 + 8)}
        shard_writer(tmp_path / f"{shard}.tar", samples)
    return f"webdataset:{tmp_path}/{{0,1}}.tar"


def test_reinforced_parts_belong_together(reinforced: str, sample_maker: Any) -> None:
    drawn: Counter[tuple[str, int]] = Counter()
    options = {"reinforced": True, "teacher_dims": (4, 8), "batch_size": 16}
    with closing(open_stream(reinforced, **options)) as batches:
        for _ in range(6):
            batch = batches.next_batch()
            assert batch.teachers is not None and batch.synthetic_caption_ids is not None
            assert batch.teachers.image.shape == batch.teachers.synthetic_text.shape == (16, sample_maker.dim)
            for at, number in enumerate(numbers(batch)):
                augmentation, rest = divmod(int(batch.teachers.image[at, 0]) - number, 10)
                synthetic, other = divmod(-int(batch.teachers.synthetic_text[at, 0]) - number, 10)
                assert rest == other == 0
                assert batch.teachers.text[at].tolist() == [-number] * sample_maker.dim
                assert batch.synthetic_caption_ids[at] == caption_id(f"synthetic {number} {synthetic - 1}")
                crop = (number % 4, augmentation, 20, 24)
                stored = CompressedAugmentation(crop, ((0, 0.0), (1 + augmentation, 0.09)))
                shown = stored.apply(decode_image(sample_maker.image(number)), 64)
                np.testing.assert_array_equal(batch.images[at].numpy(), preprocess(shown, CONFIG.preprocess))
                drawn.update([("augmentation", augmentation), ("synthetic", synthetic)])
    assert {key for key, _ in drawn.items()} == {("augmentation", n) for n in range(3)} | {
        ("synthetic", n) for n in (1, 2)
    }


def test_reinforced_with_workers_and_resume(reinforced: str) -> None:
    options = {"reinforced": True, "teacher_dims": (4, 8), "batch_size": 5}
    with closing(open_stream(reinforced, **options)) as alone:
        alone.next_batch()
        state = alone.state()
        with closing(open_stream(reinforced, workers=2, **options)) as helped:
            helped.restore(state)
            for _ in range(8):
                assert_equal(helped.next_batch(), alone.next_batch())


def test_caption_stands_in_for_missing_synthetic_ones(
    tmp_path: Path, sample_maker: Any, shard_writer: Callable[..., Path]
) -> None:
    arrays = {name: array[:1] if name == "text_emb" else array for name, array in sample_maker.vectors(1).items()}
    members = {**sample_maker.reinforced(1), "syn.json": b'{"syn_text": []}', "npz": sample_maker.npz(arrays)}
    shard_writer(tmp_path / "x.tar", {"1": members})
    with closing(open_stream(f"webdataset:{tmp_path}", reinforced=True, teacher_dims=(12,), batch_size=2)) as batches:
        batch = batches.next_batch()
    assert batch.teachers is not None and batch.synthetic_token_ids is not None
    assert torch.equal(batch.synthetic_token_ids, batch.token_ids)
    assert torch.equal(batch.teachers.text, batch.teachers.synthetic_text)


def corrupted(maker: Any, number: int) -> Iterator[tuple[str, dict[str, bytes] | None]]:
    """Every kind of corrupt sample, with words of its reason; None leaves the reinforcement out of question."""
    good = maker.reinforced(number)
    vectors = maker.vectors(number)
    yield "not an image that Pillow can read", {**good, "png": b"no image"}
    yield "cannot decode the image", {**good, "png": good["png"][: len(good["png"]) // 2]}
    yield "no image; one of jpg", {kind: data for kind, data in good.items() if kind != "png"}
    yield "no caption", {kind: data for kind, data in good.items() if kind != "txt"}
    yield "the caption is empty", {**good, "txt": b" \n"}
    yield "the caption is not UTF-8", {**good, "txt": b"\xff\xfe"}
    yield "syn.json is not", {**good, "syn.json": b"{}"}
    yield "syn_text is not a list", {**good, "syn.json": b'{"syn_text": [1]}'}
    yield "no stored embeddings", {kind: data for kind, data in good.items() if kind != "npz"}
    yield "no stored embeddings", {kind: data for kind, data in good.items() if kind != "paug.json"}
    yield "paug.json is no", {**good, "paug.json": b"?"}
    yield (
        "reaches beyond the image",
        {**good, "paug.json": b'{"param_aug": ' + json.dumps([[[0, 0, 99, 9], None]] * 3).encode() + b"}"},
    )
    yield (
        "image_emb has the shape (2, 12)",
        {**good, "npz": maker.npz({**vectors, "image_emb": vectors["image_emb"][:2]})},
    )
    yield "text_emb has the shape (2, 12)", {**good, "npz": maker.npz({**vectors, "text_emb": vectors["text_emb"][:2]})}
    yield "NaN or infinite", {**good, "npz": maker.npz({**vectors, "text_emb": vectors["text_emb"] * np.inf})}
    yield "cannot read the embeddings", {**good, "npz": good["npz"][:50]}


def test_every_corrupt_sample_is_skipped_and_named(
    tmp_path: Path, sample_maker: Any, shard_writer: Callable[..., Path]
) -> None:
    bad = list(corrupted(sample_maker, 500))
    samples = {f"good{n}": sample_maker.reinforced(n) for n in range(30)}
    samples |= {f"bad{place}": members for place, (_, members) in enumerate(bad) if members is not None}
    shard_writer(tmp_path / "x.tar", samples)
    told: list[str] = []
    options = {"reinforced": True, "teacher_dims": (12,), "batch_size": 30, "max_skipped_share": 0.9}
    source = f"webdataset:{tmp_path}"
    with closing(open_stream(source, **options, on_skip=lambda sample: told.append(str(sample)))) as batches:
        batch = batches.next_batch()
        assert sorted(numbers(batch)) == list(range(30))
        # The rest of the epoch is corrupt, and the next batch goes past it.
        batches.next_batch()
        state = batches.state()
        assert batches.skipped_count >= len(bad)
        named = {skipped.name: skipped.reason for skipped in batches.skipped}
    for place, (reason, _) in enumerate(bad):
        assert reason in named[f"x.tar/bad{place}"]
    assert told[: len(named)] == [f"{name}: {reason}" for name, reason in named.items()]
    with closing(open_stream(source, **options, workers=2)) as again:
        assert_equal(again.next_batch(), batch)
        again.restore(state)
        assert again.skipped_count == state["skips"]["count"]
        assert {skipped.name: skipped.reason for skipped in again.skipped} == named


def test_too_many_corrupt_samples(tmp_path: Path, sample_maker: Any, shard_writer: Callable[..., Path]) -> None:
    samples = {f"{n}": sample_maker.plain(n) for n in range(40)}
    for n in range(0, 40, 4):
        samples[f"{n}"]["txt"] = b""
    shard_writer(tmp_path / "x.tar", samples)
    with (
        closing(open_stream(f"webdataset:{tmp_path}", batch_size=40)) as batches,
        pytest.raises(
            DatasetError, match=r"of \d+ samples cannot be used, more than the allowed share of 5%"
        ) as caught,
    ):
        batches.next_batch()
    message = str(caught.value)
    assert re.search(r"x\.tar/\d+: the caption is empty", message) and "--max-skipped" in message
    with closing(open_stream(f"webdataset:{tmp_path}", batch_size=64, max_skipped_share=0.2)) as batches:
        batches.next_batch()
        assert batches.skipped_count >= 10


def test_nothing_but_corrupt_samples_ends(tmp_path: Path, sample_maker: Any, shard_writer: Callable[..., Path]) -> None:
    shard_writer(tmp_path / "x.tar", {"a": {"png": b"x", "txt": b"y"}})
    batches = open_stream(f"webdataset:{tmp_path}")
    with pytest.raises(DatasetError, match="20 of 20 samples cannot be used"):
        batches.next_batch()


def test_one_broken_shard_is_skipped_more_are_not(plain_shards: str) -> None:
    folder = Path(plain_shards.removeprefix("webdataset:")).parent
    cut = folder / "0004.tar"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    with closing(open_stream(plain_shards, batch_size=1, max_skipped_share=0.2)) as batches:
        seen = [numbers(batches.next_batch())[0] for _ in range(120)]
        assert set(range(30)) <= set(seen) < set(range(40))
        assert all("cut or damaged after" in skipped.reason for skipped in batches.skipped)
    (folder / "0000.tar").unlink()
    (folder / "0001.tar").write_bytes(b"no tar")
    batches = open_stream(plain_shards, batch_size=30)
    with pytest.raises(DatasetError, match=r"2 of 5 shards cannot be used.*first: .*000\d\.tar"):
        batches.next_batch()


def test_empty_sources(tmp_path: Path, shard_writer: Callable[..., Path]) -> None:
    for name in ("a", "b"):
        shard_writer(tmp_path / f"{name}.tar", {})
    batches = open_stream(f"webdataset:{tmp_path}")
    with pytest.raises(DatasetError, match=r"no sample in a\.tar, b\.tar"):
        batches.next_batch()
    with pytest.raises(DatasetError, match=r"a\.tar holds no sample"):
        open_stream(f"webdataset:{tmp_path}/a.tar")
    (tmp_path / "b.tar").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"b\.tar: not a readable tar file"):
        open_stream(f"webdataset:{tmp_path}/b.tar")


def test_fewer_shards_than_ranks(plain_shards: str) -> None:
    with pytest.raises(DatasetError, match="5 shards cannot be divided among 6 processes; give at least 6"):
        open_stream(plain_shards, rank=0, world=6)


def test_single_shard_is_cut_for_ranks(tmp_path: Path, sample_maker: Any, shard_writer: Callable[..., Path]) -> None:
    shard_writer(tmp_path / "x.tar", {f"{n}": sample_maker.plain(n) for n in range(11)})
    source = f"webdataset:{tmp_path}"
    parts = [first_epoch(source, rank=rank, world=3) for rank in range(3)]
    assert sorted(itertools.chain.from_iterable(parts)) == list(range(11)) and all(parts)
    with pytest.raises(DatasetError, match=r"x\.tar holds 11 samples, fewer than the 12 processes"):
        open_stream(source, world=12)


@pytest.fixture
def table(tmp_path: Path, sample_maker: Any) -> Path:
    (tmp_path / "images").mkdir()
    for n in range(30):
        (tmp_path / "images" / f"{n}.png").write_bytes(sample_maker.image(n))
    with (tmp_path / "pairs.csv").open("w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.writer(stream)
        writer.writerow(["caption", "image", "licence"])
        writer.writerows([f"caption {n}", f"images/{n}.png", "x"] for n in range(30))
    return tmp_path / "pairs.csv"


def test_table(table: Path, sample_maker: Any) -> None:
    assert sorted(stream_of(f"csv:{table}", 30)) == list(range(30))
    with closing(open_stream(f"csv:{table}", crop_scale=(1.0, 1.0))) as batches:
        batch = batches.next_batch()
    image = decode_image(sample_maker.image(numbers(batch)[0]))
    np.testing.assert_array_equal(batch.images[0].numpy(), preprocess(image, CONFIG.preprocess))


def test_table_by_tabs_with_other_names_and_holes(table: Path) -> None:
    rows = [
        "file\ttext",
        *(f"images/{n}.png\tcaption {n}" for n in range(30)),
        "images/none.png\tcaption 30",
        "\tcaption 31",
        "images/1.png\t",
    ]
    path = table.with_name("pairs.tsv")
    path.write_text("\n".join(rows) + "\n")
    with closing(open_stream(f"csv:{path}?image=file&caption=text", batch_size=30, max_skipped_share=0.2)) as batches:
        assert sorted(numbers(batches.next_batch())) == list(range(30))
        batches.next_batch()
        named = {skipped.name: skipped.reason for skipped in batches.skipped}
    assert "cannot read" in named["pairs.tsv row 31"] and "No such file" in named["pairs.tsv row 31"]
    assert named["pairs.tsv row 32"] == "the row names no image"
    assert named["pairs.tsv row 33"] == "the caption is empty"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"picture,caption\n", r"no column image \(it has: picture, caption\)"),
        (b"", "no column image and no column caption"),
        (b"image,caption\n", "holds no sample"),
        (b"image,caption\na.png,\xff\xff\n", "not a readable UTF-8 table"),
    ],
)
def test_bad_tables(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=complaint):
        open_stream(f"csv:{tmp_path}/x.csv")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"workers": -1}, "must be 0 or more"),
        ({"seed": -1}, "seed -1 is out of range"),
        ({"rank": 2, "world": 2}, r"rank 2 is out of range: choose one of 0\.\.1"),
        ({"crop_scale": (0.9, 0.5)}, "crop_scale must be two shares"),
        ({"max_skipped_share": 1.5}, "must lie between 0 and 1"),
    ],
)
def test_bad_settings(plain_shards: str, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        open_stream(plain_shards, **options)


def test_what_cannot_be_reinforced(plain_shards: str, table: Path) -> None:
    with pytest.raises(DatasetError, match="create shards from it with pocketclip reinforce"):
        open_stream(f"csv:{table}", reinforced=True)
    with pytest.raises(DatasetError, match=r"teachers of these shards are unknown.*--teacher-dims 768,768"):
        open_stream(plain_shards, reinforced=True)
    with pytest.raises(DatasetError, match="rendered by the trainer"):
        open_stream("scenes:10")


def test_samples_of_a_class_are_marked_as_equal(tmp_path: Path, sample_maker: Any, shard_writer: Any) -> None:
    samples = {f"{number:04d}": sample_maker.plain(number, "png") for number in range(7)}
    for number, label in ((1, b"12"), (4, b"12\n"), (5, b"13")):
        samples[f"{number:04d}"] = {**samples[f"{number:04d}"], "cls": label}
    shard_writer(tmp_path / "a.tar", samples)
    with closing(open_stream(f"webdataset:{tmp_path}/a.tar")) as batches:
        batch = batches.next_batch()
    ids = dict(zip(batch.captions, batch.caption_ids.tolist(), strict=True))
    assert ids["caption 1"] == ids["caption 4"] == caption_id("anything", "12")
    assert ids["caption 5"] == caption_id("anything", "13")
    assert ids["caption 0"] == caption_id("caption 0") and len(set(ids.values())) == 6


def test_a_class_that_is_none_is_skipped(tmp_path: Path, sample_maker: Any, shard_writer: Any) -> None:
    samples = {f"{number:04d}": sample_maker.plain(number, "png") for number in range(30)}
    samples["0003"] = {**samples["0003"], "cls": b"x" * 201}
    shard_writer(tmp_path / "a.tar", samples)
    with closing(open_stream(f"webdataset:{tmp_path}/a.tar", batch_size=29, max_skipped_share=0.1)) as batches:
        batches.next_batch()
        assert "the class (cls) has 201 bytes" in batches.skipped[0].reason
