"""PyTorch's embeddings are computed once for what decides them, and never believed when damaged."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketclip.export.parity.reference_cache import MOST_ENTRIES, cached_embeddings
from pocketclip.export.precision import Tower
from pocketclip.models import create_model
from pocketclip.models.errors import NonFiniteError
from pocketclip.models.towers.clip import AnyModel

INPUTS = [np.full((1, 4), float(place), np.float32) for place in range(3)]
ROWS = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture(scope="module")
def model() -> AnyModel:
    return create_model("pocketclip_nano")


class Counted:
    """Gives rows, and counts how often."""

    def __init__(self, rows: np.ndarray = ROWS) -> None:
        self.rows, self.calls = rows, 0

    def __call__(self) -> np.ndarray:
        self.calls += 1
        return self.rows


def test_computed_once_for_the_same_and_anew_for_anything_else(model: AnyModel, tmp_path: Path) -> None:
    compute = Counted()
    for _ in range(2):
        found = cached_embeddings(model, Tower.IMAGE, "eager", INPUTS, compute, folder=tmp_path)
        np.testing.assert_array_equal(found, ROWS)
    assert compute.calls == 1
    cached_embeddings(model, Tower.TEXT, "eager", INPUTS, compute, folder=tmp_path)
    cached_embeddings(model, Tower.IMAGE, "reparameterised", INPUTS, compute, folder=tmp_path)
    cached_embeddings(model, Tower.IMAGE, "eager", [*INPUTS[:2], INPUTS[2] + 1], compute, folder=tmp_path)
    other = create_model("pocketclip_nano")
    with torch.no_grad():
        other.logit_scale += 1
    cached_embeddings(other, Tower.IMAGE, "eager", INPUTS, compute, folder=tmp_path)
    assert compute.calls == 5


def test_damaged_entries_are_computed_anew(model: AnyModel, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    compute = Counted()
    cached_embeddings(model, Tower.IMAGE, "eager", INPUTS, compute, folder=tmp_path)
    (entry,) = tmp_path.glob("*.safetensors")
    content = bytearray(entry.read_bytes())
    content[-3] ^= 1
    entry.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        found = cached_embeddings(model, Tower.IMAGE, "eager", INPUTS, compute, folder=tmp_path)
    np.testing.assert_array_equal(found, ROWS)
    assert compute.calls == 2
    assert "checksum is wrong" in caplog.text


def test_what_is_not_finite_is_not_kept(model: AnyModel, tmp_path: Path) -> None:
    compute = Counted(np.full((3, 4), np.nan, np.float32))
    for _ in range(2):
        cached_embeddings(model, Tower.IMAGE, "eager", INPUTS, compute, folder=tmp_path)
    assert compute.calls == 2


def test_errors_of_the_model_are_passed_on(model: AnyModel, tmp_path: Path) -> None:
    def compute() -> np.ndarray:
        raise NonFiniteError("planted")

    with pytest.raises(NonFiniteError, match="planted"):
        cached_embeddings(model, Tower.IMAGE, "eager", INPUTS, compute, folder=tmp_path)


def test_folder_that_cannot_be_written(model: AnyModel, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        found = cached_embeddings(model, Tower.IMAGE, "eager", INPUTS, Counted(), folder=tmp_path / "file" / "below")
    np.testing.assert_array_equal(found, ROWS)
    assert "not cached" in caplog.text


def test_oldest_entries_go(model: AnyModel, tmp_path: Path) -> None:
    for place in range(MOST_ENTRIES + 2):
        (tmp_path / f"{place}.safetensors").write_bytes(b"old")
    cached_embeddings(model, Tower.IMAGE, "eager", INPUTS, Counted(), folder=tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) == MOST_ENTRIES
