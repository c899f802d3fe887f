"""Checkpoints: strict loading, and a clear word on every way a file can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pocketclip.models import create_model
from pocketclip.models.checkpoints.checkpoint import load_weights, read_state_dict, save_weights, weights_sha256
from pocketclip.models.errors import CheckpointError, NonFiniteError, StorageError
from pocketclip.models.registry import load_config
from pocketclip.models.towers.clip import ClipModel


@pytest.fixture
def model() -> ClipModel:
    torch.manual_seed(3)
    return ClipModel(load_config("pocketclip_nano"))


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_round_trip(model: ClipModel, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights.{suffix}"
    if suffix == "pt":
        torch.save({"state_dict": model.state_dict()}, path)
    else:
        save_weights(model, path)
    loaded = create_model("pocketclip_nano", path)
    assert not loaded.training
    assert weights_sha256(loaded) == weights_sha256(model)


def test_shipped_weights_are_small_and_trained(tmp_path: Path) -> None:
    from pocketclip.models.registry import find_model

    path = find_model("pocketclip_nano").weights_path
    assert path is not None
    assert path.stat().st_size < 10 * 2**20
    assert create_model("pocketclip_nano").scale().item() > 14.3  # more than the start of 1 / 0.07


def test_misfits_are_named(model: ClipModel, tmp_path: Path) -> None:
    state = model.state_dict()
    state["logit_scales"] = state.pop("logit_scale")
    state["image_encoder.model.head.proj"] = torch.zeros(3, 3)
    torch.save(state, tmp_path / "bad.pt")
    with pytest.raises(CheckpointError) as caught:
        load_weights(model, tmp_path / "bad.pt")
    message = str(caught.value)
    assert "1 missing keys (logit_scale)" in message
    assert "1 unknown keys (logit_scales)" in message
    assert "image_encoder.model.head.proj is (3, 3), the model has (512, 128)" in message


def test_unusable_files(model: ClipModel, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        read_state_dict(tmp_path / "missing.safetensors")
    save_weights(model, tmp_path / "whole.safetensors")
    content = (tmp_path / "whole.safetensors").read_bytes()
    for name, damaged in (
        ("cut.safetensors", content[:1000]),
        ("cut.pt", b"PK\x03\x04 half a download"),
        ("e.pt", b""),
        ("text.pt", b"# Not a checkpoint"),
    ):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(CheckpointError, match="cannot read the checkpoint") as caught:
            read_state_dict(tmp_path / name)
        # Torch proposes to load such a file without this protection.
        assert "weights_only" not in str(caught.value)
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(CheckpointError, match="no state dict"):
        read_state_dict(tmp_path / "list.pt")


def test_pickled_code_is_not_run(tmp_path: Path) -> None:
    class Exploit:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (str(tmp_path / "ran"),))

    torch.save({"state_dict": Exploit()}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError):
        read_state_dict(tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()


def test_non_finite_weights_fail(model: ClipModel, tmp_path: Path) -> None:
    state = model.state_dict()
    state["text_encoder.projection_layer"][0, 0] = torch.nan
    torch.save(state, tmp_path / "nan.pt")
    with pytest.raises(NonFiniteError, match="projection_layer"):
        load_weights(model, tmp_path / "nan.pt")


def test_unwritable_folder(model: ClipModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        save_weights(model, tmp_path / "file" / "weights.safetensors")
