"""The committed golden files are those that the sources make now."""

from __future__ import annotations

from pathlib import Path

from tests.app_golden import make


def test_the_golden_files_are_made_anew_the_same(tmp_path: Path) -> None:
    make.write_all(tmp_path)
    made, committed = make.made_files(tmp_path), make.made_files(make.FOLDER)
    assert made.keys() == committed.keys()
    assert [name for name, content in made.items() if content != committed[name]] == []
    assert sum(map(len, committed.values())) < 2_000_000
