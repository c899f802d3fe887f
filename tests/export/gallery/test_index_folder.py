"""The index on disk: what is appended comes back, whatever moment a process is killed at."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pocketclip.export.errors import GalleryError
from pocketclip.export.gallery import index_folder
from pocketclip.export.gallery.index_folder import IndexIdentity, open_index, writing
from pocketclip.export.gallery.searching import nearest, similar_groups
from pocketclip.models.errors import StorageError

WIDTH = 8
IDENTITY = IndexIdentity(1, "tiny", "0" * 64, "1" * 64, WIDTH, "/photos", "/artifacts/image")


def rows(count: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def fill(path: Path, count: int, *, start: int = 0, identity: IndexIdentity = IDENTITY) -> None:
    with writing(path, identity) as writer:
        for number, row in enumerate(rows(start + count)[start:], start):
            writer.add(f"{number:05}.jpg", "1", row)


def test_what_was_added_is_there(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    fill(tmp_path, 3, start=5)
    index = open_index(tmp_path)
    assert sorted(index.photos) == [f"{number:05}.jpg" for number in range(8)]
    matrix = index.matrix()
    for number, row in enumerate(rows(8)):
        np.testing.assert_allclose(matrix[index.photos[f"{number:05}.jpg"].row], row, atol=1e-3)


def test_replaced_and_forgotten(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    with writing(tmp_path, IDENTITY) as writer:
        writer.add("00001.jpg", "2", rows(1, seed=7)[0])
        writer.forget("00002.jpg")
    index = open_index(tmp_path)
    assert set(index.photos) == {"00000.jpg", "00001.jpg"}
    assert index.photos["00001.jpg"].version == "2" and index.photos["00001.jpg"].row == 3
    assert [hit.photo for hit in nearest(index, rows(1, seed=7)[0], 1)] == ["00001.jpg"]


def test_folder_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(tmp_path / ".lock"))

    monkeypatch.setattr(index_folder.FileLock, "acquire", refuse)
    with pytest.raises(StorageError, match=r"cannot write .*: Permission denied"):
        fill(tmp_path, 1)


def test_cut_anywhere_it_keeps_a_beginning(tmp_path: Path) -> None:
    """As if the process ended there: no row under another's name, and the next run completes it."""
    whole = tmp_path / "whole"
    fill(whole, 20)
    draws = random.Random(0)
    for trial in range(60):
        cut = tmp_path / f"cut{trial}"
        shutil.copytree(whole, cut)
        for name in ("rows-0.f16", "photos-0.jsonl"):
            file = cut / name
            os.truncate(file, draws.randrange(file.stat().st_size + 1))
        found = open_index(cut)
        matrix = found.matrix()
        for photo, entry in found.photos.items():
            np.testing.assert_allclose(matrix[entry.row], rows(20)[int(photo[:5])], atol=1e-3)
        with writing(cut, IDENTITY) as writer:
            for number, row in enumerate(rows(20)):
                if f"{number:05}.jpg" not in writer.index.photos:
                    writer.add(f"{number:05}.jpg", "1", row)
        completed = open_index(cut)
        matrix = completed.matrix()
        assert len(completed.photos) == 20
        for photo, entry in completed.photos.items():
            np.testing.assert_allclose(matrix[entry.row], rows(20)[int(photo[:5])], atol=1e-3)


def test_no_row_comes_under_the_name_of_one_that_was_lost(tmp_path: Path) -> None:
    fill(tmp_path, 4)
    rows_file = tmp_path / "rows-0.f16"
    os.truncate(rows_file, 2 * 2 * WIDTH)
    assert set(open_index(tmp_path).photos) == {"00000.jpg", "00001.jpg"}
    with writing(tmp_path, IDENTITY) as writer:
        writer.add("new.jpg", "1", rows(1, seed=9)[0])
    index = open_index(tmp_path)
    assert set(index.photos) == {"00000.jpg", "00001.jpg", "new.jpg"}
    np.testing.assert_allclose(index.matrix()[index.photos["new.jpg"].row], rows(1, seed=9)[0], atol=1e-3)
    np.testing.assert_allclose(index.matrix()[index.photos["00001.jpg"].row], rows(2)[1], atol=1e-3)


def test_rows_of_an_index_without_its_identity_are_not_taken_over(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    (tmp_path / "index.json").unlink()
    with writing(tmp_path, IDENTITY) as writer:
        writer.add("new.jpg", "1", rows(1, seed=9)[0])
    index = open_index(tmp_path)
    assert set(index.photos) == {"new.jpg"} and index.row_count == 1


def test_forgotten_rows_go_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_folder, "_LEAST_FORGOTTEN", 4)
    fill(tmp_path, 10)
    with writing(tmp_path, IDENTITY) as writer:
        for number in range(6):
            writer.forget(f"{number:05}.jpg")
    index = open_index(tmp_path)
    assert index.row_count == len(index.photos) == 4 and index.identity.generation == 1
    assert sorted(path.name for path in tmp_path.glob("*-*")) == ["photos-1.jsonl", "rows-1.f16"]
    np.testing.assert_allclose(index.matrix()[index.photos["00007.jpg"].row], rows(10)[7], atol=1e-3)
    fill(tmp_path, 2, start=10)
    assert len(open_index(tmp_path).photos) == 6


def test_another_artefact_or_folder_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    with pytest.raises(GalleryError, match="by another artefact"):
        fill(tmp_path, 1, identity=replace(IDENTITY, image_sha256="2" * 64))
    with pytest.raises(GalleryError, match="of the folder /photos"):
        fill(tmp_path, 1, identity=replace(IDENTITY, folder="/elsewhere"))


def test_two_writers_exclude_each_other(tmp_path: Path) -> None:
    with writing(tmp_path, IDENTITY), pytest.raises(GalleryError, match="another process writes"):
        fill(tmp_path, 1)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("index.json", b"{", "index.json"),
        ("index.json", json.dumps({"schema_version": 9}).encode(), "index.json"),
        ("photos-0.jsonl", b"not json\n", "line 1"),
        ("photos-0.jsonl", b'{"photo": "../../etc/passwd", "version": "1", "row": 0}\n', "not below the folder"),
        ("photos-0.jsonl", b'{"photo": "/etc/passwd", "version": "1", "row": 0}\n', "not below the folder"),
        ("photos-0.jsonl", b'{"photo": "a.jpg", "version": "1", "row": -1}\n', "line 1"),
        ("photos-0.jsonl", b'{"photo": "' + b"a" * 100_000 + b'"}\n', "line 1"),
    ],
)
def test_damage_is_named(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    fill(tmp_path, 2)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(GalleryError, match=words):
        open_index(tmp_path)


def test_values_that_are_not_finite_fail_first(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    values = np.fromfile(tmp_path / "rows-0.f16", "<f2")
    values[3] = np.nan
    values.tofile(tmp_path / "rows-0.f16")
    with pytest.raises(GalleryError, match="NaN or infinite"):
        nearest(open_index(tmp_path), rows(1)[0], 1)


def test_a_later_version_is_named(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    content = json.loads((tmp_path / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps({**content, "schema_version": 2}))
    with pytest.raises(GalleryError, match="of version 2"):
        open_index(tmp_path)


@pytest.mark.parametrize("most", [1, 7, 100, 20_000])
def test_nearest_are_those_of_a_whole_sort(most: int, tmp_path: Path) -> None:
    fill(tmp_path, 10_000)
    with writing(tmp_path, IDENTITY) as writer:
        for number in range(0, 3000, 3):
            writer.forget(f"{number:05}.jpg")
    index, query = open_index(tmp_path), rows(1, seed=3)[0]
    expected = {
        photo: float(index.matrix()[entry.row].astype(np.float32) @ query) for photo, entry in index.photos.items()
    }
    hits = nearest(index, query, most)
    assert len(hits) == min(most, 9000)
    best = sorted(expected.values(), reverse=True)[: len(hits)]
    assert [hit.cosine for hit in hits] == pytest.approx(best, abs=1e-5)
    assert all(hit.cosine == pytest.approx(expected[hit.photo], abs=1e-5) for hit in hits)


def test_equal_ones_come_by_path(tmp_path: Path) -> None:
    with writing(tmp_path, IDENTITY) as writer:
        for name in ("b.jpg", "a.jpg", "c.jpg"):
            writer.add(name, "1", rows(1)[0])
    assert [hit.photo for hit in nearest(open_index(tmp_path), rows(1)[0], 2)] == ["a.jpg", "b.jpg"]


def test_groups_are_joined_by_any_pair(tmp_path: Path) -> None:
    first, second = rows(2)
    with writing(tmp_path, IDENTITY) as writer:
        writer.add("alone.jpg", "1", second)
        for name, share in (("one.jpg", 0.0), ("two.jpg", 0.1), ("three.jpg", 0.2)):
            mixed = first + share * second
            writer.add(name, "1", mixed / np.linalg.norm(mixed))
    (group,) = similar_groups(open_index(tmp_path), 0.994)
    assert group.photos == ("one.jpg", "three.jpg", "two.jpg")
    assert 0.994 <= group.cosine < 1
    assert similar_groups(open_index(tmp_path), 1.0) == []
