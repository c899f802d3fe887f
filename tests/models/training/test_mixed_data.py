"""A run on two sources together: what it sees, and that it resumes exactly."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pocketclip.models.checkpoints.checkpoint import read_state_dict
from pocketclip.models.errors import ConfigError
from pocketclip.models.training.config import Recipe, TrainingConfig
from pocketclip.models.training.run_log import StepReport
from pocketclip.models.training.trainer import train

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def photos(tmp_path: Path) -> str:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(5)
    for number in range(12):
        Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"walrus number {number % 4}")
    return f"folder:{folder}"


def config(data: str, **changes: object) -> TrainingConfig:
    given: dict[str, object] = {
        "model": "pocketclip_nano",
        "steps": 6,
        "data": data,
        "batch_size": 8,
        "warmup_steps": 0,
        "checkpoint_every": 2,
        "validation_samples": 8,
        **changes,
    }
    return TrainingConfig(**given)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_resumed_run_on_two_sources_ends_with_the_same_bits(photos: str, tmp_path: Path) -> None:
    mixed = config(f"scenes:32 + 3*{photos}")
    whole = train(mixed, tmp_path / "whole", workers=0)

    class Stopped(Exception):
        pass

    def stop(report: StepReport) -> None:
        if report.step == 5:
            raise Stopped

    with pytest.raises(Stopped):
        train(mixed, tmp_path / "cut", workers=0, report=stop)
    resumed = train(mixed, tmp_path / "cut", workers=0, resume=True)
    one, other = read_state_dict(whole), read_state_dict(resumed)
    assert all(torch.equal(one[key], other[key]) for key in one)
    # Scenes among them: validated on other scenes.
    last = json.loads((tmp_path / "whole" / "log.jsonl").read_text().splitlines()[-1])
    assert "scenes_accuracy" in json.dumps(last)
    # Both sources count: either one gives other weights.
    for part in ("scenes:32", photos):
        single = read_state_dict(train(config(part), tmp_path / part[:6], workers=0))
        assert not all(torch.equal(one[key], single[key]) for key in one)


def test_stored_embeddings_are_not_mixed(photos: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no teachers' embeddings"):
        train(config(f"scenes:32 + {photos}", recipe=Recipe.REINFORCED), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_vocabulary_of_the_captions(photos: str, tmp_path: Path, pocketclip: Run) -> None:
    words = tmp_path / "words.json"
    made = pocketclip("data", "vocabulary", "--data", photos, "--out", words)
    assert made.returncode == 0, made.stderr
    kept = json.loads(words.read_text())["kept_ids"]
    # 512 bytes, start and end, and the tokens of: walrus number; single digits are bytes.
    assert f"{len(kept):,} token ids" in made.stdout + made.stderr
    assert 514 < len(kept) <= 518
    rare = pocketclip("data", "vocabulary", "--data", photos, "--out", words, "--min-count", "13")
    assert rare.returncode == 0 and len(json.loads(words.read_text())["kept_ids"]) == 514
    train(config(photos, changes=(f"tokenizer.vocabulary={words}",), steps=2), tmp_path / "run", workers=0)
    table = read_state_dict(tmp_path / "run" / "weights.safetensors")
    assert any(value.shape[0] == 514 for value in table.values() if value.ndim == 2)


def test_captions_that_cannot_be_had(tmp_path: Path, pocketclip: Run, error_line: Callable[..., str]) -> None:
    made = pocketclip("data", "vocabulary", "--data", "scenes", "--out", tmp_path / "words.json")
    assert made.returncode == 2
    assert "scenes:COUNT" in error_line(made)
    assert not (tmp_path / "words.json").exists()
