"""Journals of made-up runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pocketclip.models.evaluation.journal import Journal, JournalHeader, open_journal


@pytest.fixture
def journal(tmp_path: Path) -> Callable[..., Journal]:
    """Opens a journal of a made-up run."""

    def opened(*, resume: bool = False, **changes: object) -> Journal:
        values: dict[str, object] = dict.fromkeys(
            ("model", "image", "text", "inputs", "executed_by", "dataset", "split", "dataset_sha256", "prompts_sha256"),
            "x",
        )
        header = JournalHeader(**{**values, "skip_corrupt": False, **changes})  # type: ignore[arg-type]
        return open_journal(tmp_path / "journals", header, resume=resume)

    return opened
