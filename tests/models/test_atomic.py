"""Folders that take another's place: whole or not at all, and what stood there is never lost."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from pocketclip.models import atomic
from pocketclip.models.errors import StorageError


def _replace(path: Path) -> None:
    with atomic.new_directory(path) as folder:
        (folder / "new").touch()


@pytest.mark.parametrize("name", ["goal", "."])
def test_a_folder_takes_the_place_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    goal = tmp_path / "goal"
    goal.mkdir()
    (goal / "old").touch()
    monkeypatch.chdir(goal if name == "." else tmp_path)
    _replace(Path(name))
    assert [path.name for path in goal.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["goal"]


@pytest.mark.parametrize("failing", [1, 2])
def test_what_stood_there_stays_where_a_rename_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    goal, renamed, rename = tmp_path / "goal", [], Path.rename
    goal.mkdir()
    (goal / "old").touch()

    def refuse(path: Path, target: Path) -> Path:
        renamed.append(path)
        if len(renamed) == failing:
            raise OSError(errno.EBUSY, "Device or resource busy")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StorageError, match=r"cannot write .*: Device or resource busy"):
        _replace(goal)
    assert [path.name for path in goal.iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["goal"]
