"""The folder inside ExecuTorch's Core ML payload: what hostile names, places and trees of it come to."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketclip.export.targets.delegate_payload import PayloadFault, files_of, write_files


def payload(nodes: object, content: bytes = b"0123456789") -> bytes:
    return content + json.dumps({"nodes": nodes}).encode()[::-1]


def file(name: str, offset: int = 0, size: int = 4) -> dict[str, Any]:
    return {"name": name, "kind": 0, "dataRegion": {"offset": offset, "size": size}, "children": {}}


def folder(name: str, **children: int) -> dict[str, Any]:
    return {"name": name, "kind": 1, "dataRegion": {"offset": 0, "size": 0}, "children": children}


def test_files(tmp_path: Path) -> None:
    nodes = [file("a.bin"), file("b.bin", 4, 6), folder("inner", **{"b.bin": 1}), folder("", **{"a.bin": 0, "in": 2})]
    files = files_of(payload(nodes))
    assert files == {PurePosixPath("a.bin"): b"0123", PurePosixPath("in/b.bin"): b"456789"}
    write_files(files, tmp_path)
    assert (tmp_path / "in" / "b.bin").read_bytes() == b"456789"


HOSTILE = ["..", ".", "", "../x", "/etc/x", "a/b", "a\\b", "C:x", "a\0b", ".hidden", "~", "x" * 101, "a\nb", "-rf", "é"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_are_not_plain(name: str) -> None:
    for nodes in (
        [file(name), folder("", **{name: 0})],
        [file("x"), folder(name, x=0), folder("", **{name: 1})],
    ):
        with pytest.raises(PayloadFault, match="a name of a file that must be a plain name"):
            files_of(payload(nodes))


@pytest.mark.parametrize(
    ("nodes", "complaint"),
    [
        ([], "without files"),
        ({}, "without files"),
        ([1], "without files"),
        ([file("x")], "as a folder, which it is not"),
        ([folder("", x=0)], "no entry of its own for x"),
        ([file("x"), folder("", x=5)], "no entry of its own"),
        ([file("x"), folder("", x=-1)], "no entry of its own"),
        ([file("x"), folder("", x=True)], "no entry of its own"),
        ([file("x"), folder("", x=0, y=0)], "no entry of its own for y"),
        ([folder("", a=1), folder("a", b=0), folder("", a=1)], "no entry of its own"),
        ([file("x", 0, 10**6), folder("", x=0)], "names 1000000 bytes"),
        ([file("x", -1), folder("", x=0)], "without the place"),
        ([file("x", 0, 2**62), folder("", x=0)], "names"),
        ([{**file("x"), "dataRegion": None}, folder("", x=0)], "without the place"),
        ([file("x"), file("X"), folder("", x=0, X=1)], "the name X twice"),
        ([*(file(f"f{n}", 0, 200) for n in range(40)), folder("", **{f"f{n}": n for n in range(40)})], "larger toget"),
        ([file("x")] * 1001, "1001 files"),
        ([folder("", a=n - 1) if n else file("a") for n in range(40)], "deeper than"),
    ],
)
def test_trees_that_are_refused(nodes: object, complaint: str) -> None:
    with pytest.raises(PayloadFault, match=complaint):
        files_of(payload(nodes))


@pytest.mark.parametrize("content", [b"", b"}", b"words", b"[" * 5000, b'{"nodes": ['[::-1], b'{"a": 1, "a": 2}'[::-1]])
def test_no_index(content: bytes) -> None:
    with pytest.raises(PayloadFault, match=r"no readable index|without files"):
        files_of(content)


NAMES = st.text(max_size=12) | st.sampled_from(["..", "../../x", "/x", "a", "A", "model.mlpackage"])
NUMBERS = st.integers(-2, 12) | st.sampled_from([2**31, 2**63, 2**64 - 1])
NODES = st.fixed_dictionaries(
    {
        "name": NAMES,
        "kind": st.integers(-1, 2),
        "dataRegion": st.none() | st.fixed_dictionaries({"offset": NUMBERS, "size": NUMBERS}),
        "children": st.none() | st.dictionaries(NAMES, NUMBERS, max_size=3),
    }
)


@given(st.lists(NODES, max_size=6))
def test_any_tree_is_refused_or_stays_below_its_folder(nodes: list[dict[str, Any]]) -> None:
    content = payload(nodes)
    try:
        files = files_of(content)
    except PayloadFault:
        return
    for path in files:
        assert not path.is_absolute() and ".." not in path.parts and all(part.isascii() for part in path.parts)
    assert sum(map(len, files.values())) <= len(content)


def test_a_link_that_lies_there_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "x").symlink_to(outside)
    with pytest.raises(FileExistsError):
        write_files({PurePosixPath("x"): b"new"}, tmp_path / "inside")
    assert outside.read_text() == "precious"
