"""Checkpoints by path and from the hub, with hashes; the hub itself is played by the test."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from pocketclip.models.checkpoints.weights_source import HubFile, fetch_weights, parse_hub_file
from pocketclip.models.errors import CheckpointError


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "mobileclip_s0.pt"
    path.write_bytes(b"weights")
    return path


def test_paths_and_hashes(checkpoint: Path) -> None:
    digest = hashlib.sha256(b"weights").hexdigest()
    assert fetch_weights(str(checkpoint)) == checkpoint
    assert fetch_weights(f"{checkpoint}#sha256={digest.upper()}") == checkpoint
    with pytest.raises(CheckpointError, match="it is a different or incomplete file"):
        fetch_weights(f"{checkpoint}#sha256={'0' * 64}")
    with pytest.raises(CheckpointError, match="64 hexadecimal digits"):
        fetch_weights(f"{checkpoint}#md5=12")
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        fetch_weights(str(checkpoint.with_name("none.pt")))


def test_forms_of_hub_names() -> None:
    assert parse_hub_file("hf:apple/MobileCLIP-S0") == HubFile("apple/MobileCLIP-S0", None, None)
    assert parse_hub_file("hf:a/b/c/d.pt@v1") == HubFile("a/b", "c/d.pt", "v1")
    with pytest.raises(CheckpointError, match="write hf:OWNER/REPO"):
        parse_hub_file("hf:apple")


def test_only_checkpoint_of_a_repository(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    files = ["README.md", "mobileclip_s0.pt"]

    def download(repository: str, file: str, *, revision: str | None) -> str:
        asked.append((repository, file, revision))
        return str(checkpoint)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", lambda *_, **__: files)
    assert fetch_weights("hf:apple/MobileCLIP-S0@main") == checkpoint
    assert asked == [("apple/MobileCLIP-S0", "mobileclip_s0.pt", "main")]
    files.append("other.safetensors")
    with pytest.raises(CheckpointError, match=r"2 checkpoints \(mobileclip_s0.pt, other.safetensors\); name one"):
        fetch_weights("hf:apple/MobileCLIP-S0")


@pytest.mark.parametrize(
    ("error", "complaint"),
    [
        (LocalEntryNotFoundError("offline"), "cannot reach the hub"),
        (EntryNotFoundError("none"), "has no file 'x.pt'"),
        (RuntimeError("transport"), "cannot fetch hf:a/b"),
    ],
)
def test_hub_faults(monkeypatch: pytest.MonkeyPatch, error: Exception, complaint: str) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(CheckpointError, match=complaint):
        fetch_weights("hf:a/b/x.pt")
