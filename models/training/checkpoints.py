"""Checkpoints of a run: whole or absent, the newest few and the best kept."""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pocketclip.models import atomic, documents
from pocketclip.models.checkpoints.checkpoint_file import read_archive
from pocketclip.models.documents import document
from pocketclip.models.errors import CheckpointError

FOLDER = "checkpoints"
BEST_FILE = "best.json"
_NAME = re.compile(r"step-(\d{8})\.pt")
_DIGEST_BYTES = 32


@document
class BestStep:
    """The step with the best validation so far: `metric` is what was measured, more is better."""

    step: int
    metric: str
    value: float


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints in a run's folder, `keep` of them besides the best."""

    folder: Path
    keep: int

    def save(self, step: int, state: dict[str, Any], score: BestStep | None) -> None:
        """Writes a checkpoint with its hash, then removes those no longer wanted.

        Raises:
            StorageError: the disk is full or the folder cannot be written.
        """
        buffer = io.BytesIO()
        torch.save({**state, "step": step}, buffer)
        content = buffer.getbuffer()
        atomic.write_bytes(self._path(step), hashlib.sha256(content).digest() + content)
        best = self.best()
        if score is not None and (best is None or score.value > best.value):
            documents.write(score, self.folder / BEST_FILE)
            best = score
        wanted = {*self.steps()[-self.keep :], *(() if best is None else (best.step,))}
        for other in self.steps():
            if other not in wanted:
                self._path(other).unlink(missing_ok=True)

    def steps(self) -> list[int]:
        """The steps of which there are checkpoints, rising."""
        if not self.folder.is_dir():
            return []
        return sorted(int(found[1]) for path in self.folder.iterdir() if (found := _NAME.fullmatch(path.name)))

    def best(self) -> BestStep | None:
        """The best validated step, None before the first."""
        path = self.folder / BEST_FILE
        return documents.read(BestStep, path, error=CheckpointError) if path.is_file() else None

    def newest(self) -> dict[str, Any] | None:
        """The state of the newest checkpoint, on the CPU; None where there is none.

        Raises:
            CheckpointError: it cannot be read, or its hash does not match.
        """
        steps = self.steps()
        return self.load(steps[-1]) if steps else None

    def load(self, step: int) -> dict[str, Any]:
        """The state saved after `step`; see `newest`."""
        path = self._path(step)
        try:
            content = memoryview(path.read_bytes())
        except OSError as error:
            raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
        if hashlib.sha256(content[_DIGEST_BYTES:]).digest() != bytes(content[:_DIGEST_BYTES]):
            raise CheckpointError(
                f"{path} is damaged: its hash does not match",
                fix="delete it to resume from the previous checkpoint, if there is one",
            )
        return read_archive(content[_DIGEST_BYTES:], str(path))

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}.pt"
