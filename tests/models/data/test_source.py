"""Data references: every form, and words for every mistake."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pocketclip.models.data.source import CsvSource, SceneSource, ShardSource, parse_source
from pocketclip.models.errors import DatasetError


def test_scenes() -> None:
    assert parse_source("scenes") == SceneSource(None)
    assert parse_source("scenes:400") == SceneSource(400)


def test_shards_by_braces_globs_folders_and_urls(tmp_path: Path) -> None:
    for name in ("a-00.tar", "a-01.tar", "b-00.tar", "notes.txt"):
        (tmp_path / name).touch()
    place = str(tmp_path)
    assert parse_source(f"webdataset:{place}/a-{{00..01}}.tar") == ShardSource(
        (f"{place}/a-00.tar", f"{place}/a-01.tar")
    )
    assert parse_source(f"webdataset:{place}/{{b,a}}-00.tar") == ShardSource((f"{place}/b-00.tar", f"{place}/a-00.tar"))
    everything = (f"{place}/a-00.tar", f"{place}/a-01.tar", f"{place}/b-00.tar")
    assert parse_source(f"webdataset:{place}/*.tar") == ShardSource(everything)
    assert parse_source(f"webdataset:{place}") == ShardSource(everything)
    listed = parse_source(f"webdataset:{place}/b-00.tar, https://host/x/{{0..1}}.tar,{place}/b-00.tar")
    assert listed == ShardSource((f"{place}/b-00.tar", "https://host/x/0.tar", "https://host/x/1.tar"))
    # A hole in a range is for the reader to skip and to name.
    assert len(parse_source(f"webdataset:{place}/a-{{00..04}}.tar").shards) == 5  # type: ignore[union-attr]


def test_tables(tmp_path: Path) -> None:
    (tmp_path / "p.csv").touch()
    (tmp_path / "p.tsv").touch()
    assert parse_source(f"csv:{tmp_path}/p.csv") == CsvSource(tmp_path / "p.csv")
    named = parse_source(f"csv:{tmp_path}/p.tsv?image=file%20name&caption=text")
    assert named == CsvSource(tmp_path / "p.tsv", "file name", "text")
    assert isinstance(named, CsvSource) and named.delimiter == "\t"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("imagenet", r"valid forms: scenes\[:COUNT\], webdataset:PATTERN"),
        ("webdataset:", "valid forms"),
        ("scenes:", "a whole number of at least 1"),
        ("scenes:0", "a whole number of at least 1"),
        ("scenes:many", "a whole number of at least 1"),
        ("webdataset:nowhere/x.tar", "there is no shard nowhere/x.tar"),
        ("webdataset:nowhere/*.tar", "no file matches"),
        ("webdataset:x{0..1.tar", "braces do not pair up"),
        ("csv:nowhere.csv", "there is no table nowhere.csv"),
        ("csv:x.csv?picture=a", "image=COLUMN&caption=COLUMN"),
        ("csv:x.csv?image=", "image=COLUMN&caption=COLUMN"),
    ],
)
def test_mistakes(text: str, complaint: str) -> None:
    with pytest.raises(DatasetError, match=complaint):
        parse_source(text)


def test_folder_without_shards(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no \.tar file"):
        parse_source(f"webdataset:{tmp_path}")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "braceexpand", None)
    with pytest.raises(DatasetError, match=r"pip install -e '\.\[train\]'"):
        parse_source("webdataset:x.tar")
