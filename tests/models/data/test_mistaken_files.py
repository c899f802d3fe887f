"""What is no table, shard or image, said in words: pointers, pages, other formats; captions that nobody can see."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from pocketclip.models.checkpoints.checkpoint import read_state_dict
from pocketclip.models.data.pairs import read_pairs
from pocketclip.models.data.shards import index_shard
from pocketclip.models.data.source import parse_source
from pocketclip.models.errors import CheckpointError, DatasetError, ImageError, ModelsError
from pocketclip.models.evaluation.datasets import SetOptions, open_dataset
from pocketclip.models.evaluation.retrieval import read_pairs as read_retrieval
from pocketclip.models.pixels.images import load_image
from pocketclip.models.registry import choose_model, resolve_config
from pocketclip.models.text.vocabulary import load_vocabulary

POINTER = b"version https://git-lfs.github.com/spec/v1\r\noid sha256:" + b"a" * 64 + b"\r\nsize 1234\r\n"
PAGE = b"\xef\xbb\xbf<!DOCTYPE html><html>sign in</html>"
TABLE = "image,caption\na.png,a red circle\n"


@pytest.mark.parametrize(
    ("content", "what"), [(POINTER, r"Git LFS pointer to a file of 1,234 bytes"), (PAGE, "a web page")]
)
def test_what_stands_in_for_a_file(tmp_path: Path, content: bytes, what: str) -> None:
    for name in ("pairs.csv", "0.tar", "photo.png", "weights.safetensors"):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=f"pairs.csv is .*{what}"):
        read_pairs(f"csv:{tmp_path}/pairs.csv")
    assert what.split(" to ")[0] in (index_shard(tmp_path / "0.tar").fault or "")
    with pytest.raises(ImageError, match=f"photo.png is .*{what}"):
        load_image(tmp_path / "photo.png")
    with pytest.raises(CheckpointError, match=f"weights.safetensors: it is .*{what}"):
        read_state_dict(tmp_path / "weights.safetensors")


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.csv", gzip.compress(TABLE.encode(), mtime=0), "it is compressed with gzip; unpack it"),
        ("a.csv", b"PK\x03\x04rest", "it is a zip archive or a spreadsheet; .* save the spreadsheet as CSV"),
        ("a.csv", TABLE.encode("utf-16"), "it is UTF-16 text; save it as UTF-8"),
        ("a.csv", json.dumps({"image": "a.png", "caption": "x"}).encode(), "it is JSON; write it as CSV"),
        ("a.csv", json.dumps([{"image": "a.png"}], indent=1).encode(), "it is JSON; write it as CSV"),
        ("a.csv", TABLE.replace(",", "\t").encode(), r"separates its columns with tabs; .* name it \.tsv"),
        ("a.csv", TABLE.replace(",", ";").encode(), r"separates its columns with semicolons; commas separate"),
        ("a.tsv", TABLE.encode(), r"separates its columns with commas; tabs separate .* name it \.csv"),
    ],
)
def test_what_is_no_table(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    (tmp_path / name).write_bytes(content)
    for read in (lambda: read_pairs(f"csv:{tmp_path / name}"), lambda: read_retrieval(tmp_path / name)):
        with pytest.raises(DatasetError, match=complaint):
            read()


def test_captions_that_nobody_can_see(tmp_path: Path) -> None:
    """A zero-width space is no caption: a model would learn that the picture is nothing."""
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    rows = [f"a.png,caption {place}" for place in range(30)]
    table = tmp_path / "pairs.csv"
    table.write_text("\n".join(["image,caption", *rows, "a.png,\u200b\ufeff", "a.png,\u2800"]) + "\n", encoding="utf-8")
    skipped: list[str] = []
    assert len(list(read_pairs(f"csv:{table}", on_skip=lambda sample: skipped.append(str(sample))))) == 30
    assert skipped == ["pairs.csv row 31: the caption is invisible", "pairs.csv row 32: the caption is invisible"]
    with pytest.raises(DatasetError, match="line 32: the caption is invisible"):
        read_retrieval(table)


def test_captions_beside_images_by_large_suffixes_and_decomposed_letters(tmp_path: Path) -> None:
    """As cameras and macOS write them: the caption belongs to its image all the same."""
    for image, caption, words in (("A.JPG", "A.TXT", "one"), ("caf\u00e9.png", "cafe\u0301.txt", "two")):
        Image.new("RGB", (8, 8)).save(tmp_path / image)
        (tmp_path / caption).write_text(words)
    (tmp_path / "B.TXT").write_text("of no image")
    reader = read_pairs(f"folder:{tmp_path}")
    assert sorted(pair.caption for pair in reader) == ["one", "two"]
    assert [str(entry) for entry in reader.left_out] == ["1 captions without an image (first: B.TXT)"]


def test_a_shard_compressed_otherwise_is_not_passed_over(tmp_path: Path, plain_shards: str) -> None:
    """In a folder of shards, one that cannot be read is named, not overlooked."""
    folder = Path(plain_shards.removeprefix("webdataset:")).parent
    for shard in sorted(folder.glob("*.tar")):
        (tmp_path / shard.name).write_bytes(shard.read_bytes())
    (tmp_path / "9.tar.zst").write_bytes(b"\x28\xb5\x2f\xfd rest")
    skipped: list[str] = []
    assert list(read_pairs(f"webdataset:{tmp_path}", on_skip=lambda sample: skipped.append(str(sample))))
    assert any("9.tar.zst" in each and "compressed with zstd" in each for each in skipped)


def test_an_image_under_two_names_is_one(tmp_path: Path) -> None:
    """In retrieval both captions are right for it."""
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "pairs.csv").write_text("image,caption\na.png,one\n./a.png,two\n")
    assert read_retrieval(tmp_path / "pairs.csv").captions == (("one", "two"),)


@pytest.mark.parametrize(
    "read",
    [
        lambda name: resolve_config(name),
        lambda name: choose_model("pocketclip_nano", weights=name),
        lambda name: load_vocabulary(name),
        lambda name: parse_source(f"csv:{name}"),
        lambda name: parse_source(f"folder:{name}"),
        lambda name: parse_source(f"webdataset:{name}"),
        lambda name: parse_source(f"webdataset:{name}[1].tar"),
        lambda name: open_dataset(f"csv:{name}", SetOptions()),
        lambda name: open_dataset(f"folder:{name}", SetOptions()),
        lambda name: open_dataset(f"webdataset:{name}", SetOptions()),
        lambda name: open_dataset(f"retrieval:{name}", SetOptions()),
        lambda name: open_dataset("imagenet", SetOptions(data_root=Path(name))),
        lambda name: open_dataset("pictures-design", SetOptions(data_root=Path(name))),
    ],
)
def test_a_name_that_no_file_system_takes_is_a_name_of_nothing(read: Callable[[str], object]) -> None:
    with pytest.raises(ModelsError, match="aaaaaaaa"):
        read("a" * 300)


def test_a_name_that_no_file_system_takes_is_one_missing_image(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    table = tmp_path / "a.csv"
    table.write_text(f"image,caption,label\na.png,one,x\n{'a' * 300}.png,two,y\n")
    # Of retrieval, captions count, too.
    for reference, count in ((f"retrieval:{table}", 4), (f"csv:{table}", 2)):
        with pytest.raises(DatasetError, match=r"1 of 2 images do not exist"):
            open_dataset(reference, SetOptions())
        assert open_dataset(reference, SetOptions(missing_allowed=True)).count == count
