"""What readers take and leave: members of shards, rows of tables, names of files, lists of words."""

from __future__ import annotations

import io
import json
import os
import random
import tarfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pocketclip.models.data.file_names import find_file, name_key
from pocketclip.models.data.image_files import images_below, is_system_file, looks_like_image
from pocketclip.models.data.left_out import LeftOutLog
from pocketclip.models.data.pairs import read_pairs
from pocketclip.models.data.shards import CAPTIONED, LABELLED, index_shard
from pocketclip.models.data.tables import read_rows
from pocketclip.models.data.word_lists import read_words
from pocketclip.models.errors import DatasetError, LabelError, PromptError
from pocketclip.models.evaluation.prompts import read_templates
from pocketclip.models.evaluation.zero_shot import parse_labels


def write_members(path: Path, names: Sequence[str], content: bytes = b"1") -> Path:
    with tarfile.open(path, "w") as archive:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def samples_of(path: Path, names: Sequence[str], layout: Any = CAPTIONED) -> dict[str, list[str]]:
    index = index_shard(write_members(path, names), layout)
    assert index.fault is None
    return {sample.key: sorted(sample.members) for sample in index.samples}


def test_keys_with_dots(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    assert samples_of(path, ["photo.v2.jpg", "photo.v2.txt", "photo.v3.jpg", "photo.v3.txt"]) == {
        "photo.v2": ["jpg", "txt"],
        "photo.v3": ["jpg", "txt"],
    }
    # What lies beside a sample is none of its own, unless it is whole.
    beside = ["0001.jpg", "0001.txt", "0001.url.txt", "0001.json", "0001.mask.png", "0001.syn.json"]
    assert samples_of(path, beside) == {"0001": ["jpg", "syn.json", "txt"]}
    assert [str(entry) for entry in index_shard(path).left_out] == [
        "1 further images of a sample (first: s.tar/0001.mask)"
    ]
    assert samples_of(path, ["a.jpg", "a.txt", "a.b.jpg", "a.b.txt"]) == {"a": ["jpg", "txt"], "a.b": ["jpg", "txt"]}
    assert samples_of(path, ["a.b.jpg", "a.b.cls", "a.c.tif", "a.c.cls"], LABELLED) == {
        "a.b": ["cls", "jpg"],
        "a.c": ["cls", "tif"],
    }
    # Without any whole sample each is one that says what it lacks.
    assert samples_of(path, ["a.b.jpg", "a.c.jpg"]) == {"a.b": ["jpg"], "a.c": ["jpg"]}


def test_members_of_a_macs_archive(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    names = ["./._0.jpg", "./0.jpg", "./._0.txt", "./0.txt", "__MACOSX/._0.jpg", ".DS_Store", "1.jpg", "1.txt", "x.md"]
    assert samples_of(path, names) == {"0": ["jpg", "txt"], "1": ["jpg", "txt"]}
    assert {entry.reason: entry.count for entry in index_shard(path).left_out} == {
        "files that macOS or Windows keeps beside others": 4,
        "members that belong to no sample": 1,
    }


def test_members_twice_and_links(tmp_path: Path, sample_maker: Any) -> None:
    path = tmp_path / "s.tar"
    with tarfile.open(path, "w") as archive:
        for key, kinds in {"a": ["png", "txt", "txt"], "b": ["png", "txt"]}.items():
            for kind in kinds:
                data = sample_maker.plain(1)[kind]
                entry = tarfile.TarInfo(f"{key}.{kind}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo("c.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    skipped: list[str] = []
    reader = read_pairs(f"webdataset:{path}", on_skip=lambda sample: skipped.append(str(sample)))
    assert [pair.key for pair in reader] == ["b"]
    assert skipped == ["s.tar/a: it holds .txt 2 times"]
    assert [str(entry) for entry in reader.left_out] == ["1 links, devices and sparse files (first: s.tar/c.png)"]


def rows(path: Path, content: str) -> list[tuple[int, tuple[str, ...]]]:
    path.write_text(content, newline="")
    return [tuple(row) for row in read_rows(path, lambda columns: ["image", "caption"])]  # type: ignore[misc]


def test_tab_separated(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    content = (
        "\ufeffimage\tcaption\r\n"
        'a\t"no parking\r\n'
        '"b"\t"quoted ""twice"""\n'
        'c\t"one" and "two"\n'
        "\n"
        'd\t5" pipe, red\n'
        'e\tan end"\n'
    )
    assert rows(path, content) == [
        (2, ("a", '"no parking')),
        (3, ("b", 'quoted "twice"')),
        (4, ("c", '"one" and "two"')),
        (6, ("d", '5" pipe, red')),
        (7, ("e", 'an end"')),
    ]
    for bad, reason in (
        ('image\tcaption\na\t"two\nlines"\n', "line 3: 1 columns, the header has 2"),
        ("image\tcaption\na\tb\tc\n", "line 2: 3 columns"),
        ("image\tcaption\timage\na\tb\tc\n", "two columns 'image'"),
        ("image\tcaption\na\tb\0\n", "line 2: it holds a zero character"),
    ):
        with pytest.raises(DatasetError, match=reason):
            rows(path, bad)


def test_comma_separated(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    (tmp_path / "x.png").touch()
    content = 'image, caption \r\na,"one, ""two""\nthree"\r\n"b",5" pipe\r\n,\r\nc,d,,\r\n'
    assert rows(path, content) == [(2, ("a", 'one, "two"\nthree')), (4, ("b", '5" pipe')), (6, ("c", "d"))]
    for bad, reason in (
        ('image,caption\na,"no parking" sign\n', r"line 2: .*write a mark inside it twice"),
        ('image,caption\na,b\nc,"open\nd,e\n', r"lines 3 to \d: "),
        ('image,caption\na,"open\nx.png,e\nf,closed"\n', "line 2: a field in quotation marks .* contains rows"),
        ("image,caption\na,b,c\n", "line 2: 3 columns"),
        ("image,caption\na," + "x" * 200_000 + "\n", "line 2: field larger"),
    ):
        with pytest.raises(DatasetError, match=reason):
            rows(path, bad)


def test_damaged_tables_of_any_kind(tmp_path: Path) -> None:
    """Fuzzed: rows as wide as asked for, or one line of error."""
    draws = random.Random(4)
    path = tmp_path / "t.csv"
    for _ in range(500):
        text = "image,caption\n" + "".join(draws.choices('a,"\n\r\t\\ é\u2028\ufeff', k=draws.randint(0, 60)))
        for name in ("t.csv", "t.tsv"):
            path = tmp_path / name
            path.write_text(text.replace(",", "\t") if name == "t.tsv" else text, newline="")
            said = ""
            try:
                assert all(len(row.values) == 2 for row in read_rows(path, lambda columns: ["image", "caption"]))
            except DatasetError as error:
                said = str(error)
            assert not said or ("\n" not in said and name in said)


def test_files_that_tables_name(tmp_path: Path) -> None:
    folder = tmp_path / unicodedata.normalize("NFD", "crème")
    folder.mkdir()
    (folder / "a.png").touch()
    (tmp_path / "b\\c.png").touch()
    assert find_file(tmp_path, "crème/a.png") == folder / "a.png"
    assert find_file(tmp_path, "crème\\a.png") == folder / "a.png"
    assert find_file(tmp_path, "b\\c.png") == tmp_path / "b\\c.png"
    for lacking in ("", "none.png", "a\0b", "crème", "\udce9.png", "a" * 300, "b/" * 3000):
        assert find_file(tmp_path, lacking) is None
    assert name_key("caf\udce9") == "caf\\xe9"


def test_a_folder_is_listed_once_for_all_that_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[Path] = []
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: (listed.append(folder), listdir(folder))[1])
    assert not any(find_file(tmp_path, f"{number}.png") for number in range(50))
    assert len(listed) == 1
    decomposed = tmp_path / unicodedata.normalize("NFD", "crème.png")
    decomposed.touch()
    # The time tells that something was added; here it may be the same millisecond.
    os.utime(tmp_path, ns=(0, 0))
    assert find_file(tmp_path, "crème.png") == decomposed
    assert len(listed) == 2


def test_images_by_name_and_by_content(tmp_path: Path, sample_maker: Any) -> None:
    for name in ("a.JFIF", "b.tiff", "deeper/c.avif", "d.txt", "e.heic", "._f.png", "__MACOSX/g.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    for number, kind in enumerate(("png", "jpg", "webp", "gif", "bmp", "tiff", "avif")):
        (tmp_path / f"h{number}").write_bytes(sample_maker.image(1, kind))
        assert looks_like_image(sample_maker.image(1, kind)[:16])
    log = LeftOutLog()
    found = images_below(tmp_path, log, ignored=frozenset({".txt"}))
    assert [path.name for path in found] == ["a.JFIF", "b.tiff", "c.avif", *(f"h{number}" for number in range(7))]
    assert {entry.reason: entry.count for entry in log.entries} == {
        "files that macOS or Windows keeps beside others": 2,
        "files with the suffix .heic": 1,
    }
    assert is_system_file("a/Thumbs.db") and not is_system_file("a/thumbs.png")


def test_templates_of_any_form(tmp_path: Path) -> None:
    wanted = ("a photo of a {}.", "a {} in 'art'")
    forms = {
        "lines.txt": "a photo of a {}.\n\na {c} in 'art'\n",
        "list.json": json.dumps(list(wanted)),
        "list.txt": json.dumps(list(wanted)),
        "python.txt": f"[\n    {wanted[0]!r},\n    {wanted[1]!r},\n]\n",
        "openai.py": f"# prompts\nclasses = ['a', 'b']\n\ntemplates = [{wanted[0]!r}, {wanted[1]!r}]\n",
        "functions.py": "TEMPLATES = (\n    lambda c: f'a photo of a {c}.',\n    lambda c: f\"a {c} in 'art'\",\n)\n",
    }
    for name, content in forms.items():
        (tmp_path / name).write_text(content)
        assert read_templates(tmp_path / name).texts == wanted, name
    (tmp_path / "brackets.txt").write_text("{} on [paper]\n[a] {}\n")
    assert read_templates(tmp_path / "brackets.txt").texts == ("{} on [paper]", "[a] {}")
    for name, content, reason in (
        ("code.py", "import os\ntemplates = [os.getcwd()]\n", "holds 0 lists"),
        ("broken.py", "templates = [", "looks like Python but cannot be parsed"),
        ("deep.py", "x = " + "[" * 5000, "looks like Python but cannot be parsed"),
        ("deep.json", "[" * 5000, "nested deeper|is not JSON"),
        ("two.py", "a = ['{}']\nb = ['{}']\n", "holds 2 lists"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(PromptError, match=reason):
            read_templates(tmp_path / name)


def test_labels_of_any_form(tmp_path: Path) -> None:
    forms = {
        "a.txt": "\ufeffcat\r\n\r\ndog\r\n",
        "a.json": '["cat", "dog"]',
        "b.json": '{"0": "cat", "1": "dog"}',
        "c.json": '{"dog": 1, "cat": 0}',
        "d.json": '{"n02121620": "cat", "n02084071": "dog"}',
        "e.txt": "labels = ['cat', 'dog']",
    }
    for name, content in forms.items():
        (tmp_path / name).write_text(content, newline="")
        assert parse_labels(None, tmp_path / name) == ["cat", "dog"], name
    (tmp_path / "f.json").write_text('{"0": "cat", "0": "dog"}')
    with pytest.raises(LabelError, match="holds the key '0' twice"):
        parse_labels(None, tmp_path / "f.json")
    assert read_words(tmp_path / "a.txt", "labels", error=LabelError) == ["cat", "", "dog"]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ("a cat,A  Cat", "'a cat' and 'A  Cat' are the same to the model"),
        ("a cat,a cat&nbsp;", "are the same to the model"),
        ("a cat,\u200b", r"label 2 of 2 is '\\u200b', which is invisible"),
        ("a cat,\u2060\u200d", "which is invisible"),
        ("\u3164,a cat", "label 1 of 2 .* which is invisible"),
        ("a cat,&nbsp;", "no text that a model can read"),
        # They look alike, and the model would see two.
        ("a cat,a ca\u200bt", "are the same to the model"),
        ("a ca\u00adt,a ca\u2060t", "are the same to the model"),
        ("n01440764\ttench,a cat", r"the label 'n01440764\\ttench' holds a tab; write one label per line"),
    ],
)
def test_labels_that_no_model_tells_apart(labels: str, reason: str) -> None:
    with pytest.raises(LabelError, match=reason):
        parse_labels(labels, None)


def test_joined_emoji_are_labels_of_their_own() -> None:
    joined = "\U0001f469\u200d\U0001f52c"
    assert parse_labels(f"{joined},{joined.replace(chr(0x200D), '')}", None) == [joined, joined.replace("\u200d", "")]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("labels.txt", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "it is a Git LFS pointer"),
        ("labels.txt", "<!DOCTYPE html><html>", "it is a web page"),
        ("labels.yaml", "- a cat\n- a dog\n", "YAML is not read; write one per line, or JSON"),
    ],
)
def test_files_of_labels_that_are_none(tmp_path: Path, name: str, content: str, reason: str) -> None:
    """Their lines are no labels."""
    (tmp_path / name).write_text(content)
    with pytest.raises(LabelError, match=reason):
        parse_labels(None, tmp_path / name)


def test_composed_and_decomposed_labels_are_one() -> None:
    assert parse_labels("crème," + unicodedata.normalize("NFD", "crème"), None) == ["crème"]
