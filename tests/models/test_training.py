"""The trainer learns, resumes exactly, and refuses what would spoil a run."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from models.checkpoint import read_state_dict
from models.errors import CheckpointError, ConfigError, NonFiniteError
from models.training.config import TrainingConfig
from models.training.losses import contrastive_loss
from models.training.trainer import LOG_FILE, STATE_FILE, StepReport, learning_rate, train

TINY = TrainingConfig(
    model="pocketclip_nano",
    steps=6,
    batch_size=8,
    scenes=32,
    warmup_steps=2,
    checkpoint_every=2,
    learning_rate=1e-3,
)


class Stopped(Exception):
    """Ends a run from inside."""


def test_loss_of_perfect_pairs_is_near_zero_and_duplicates_are_no_negatives() -> None:
    eye = torch.eye(4)
    ids = torch.arange(4)
    assert contrastive_loss(eye, eye, torch.tensor(100.0), ids) < 1e-6
    twins = eye.clone()
    twins[1] = twins[0]
    same = torch.tensor([0, 0, 2, 3])
    assert contrastive_loss(twins, twins, torch.tensor(100.0), same) < 1e-6
    assert contrastive_loss(twins, twins, torch.tensor(100.0), ids) > 0.3


def test_schedule() -> None:
    rates = [learning_rate(TINY, step) for step in range(TINY.steps)]
    assert rates[:2] == pytest.approx([5e-4, 1e-3])
    assert rates[2] == pytest.approx(1e-3)
    assert all(late < early for early, late in itertools.pairwise(rates[2:]))


@pytest.mark.slow
def test_resumed_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole = train(TINY, tmp_path / "whole", workers=1)

    def stop(report: StepReport) -> None:
        if report.step == 5:
            raise Stopped

    with pytest.raises(Stopped):
        train(TINY, tmp_path / "cut", workers=1, report=stop)
    resumed = train(TINY, tmp_path / "cut", resume=True, workers=1)
    first, second = read_state_dict(whole), read_state_dict(resumed)
    assert all(torch.equal(first[key], second[key]) for key in first)
    steps = [json.loads(line)["step"] for line in (tmp_path / "cut" / LOG_FILE).read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 5, 5, 6]


@pytest.mark.slow
def test_killed_run_resumes(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "pocketclip",
        "train",
        "--out",
        str(out),
        "--steps",
        "40",
        "--batch-size",
        "8",
    ]
    command += ["--scenes", "32", "--checkpoint-every", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (out / STATE_FILE).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "weights.safetensors").exists()
    finished = subprocess.run([*command, "--resume"], capture_output=True, text=True, timeout=180)
    assert finished.returncode == 0, finished.stderr
    assert (out / "weights.safetensors").is_file()


@pytest.mark.slow
def test_training_lowers_the_loss(tmp_path: Path) -> None:
    losses: list[float] = []
    config = TrainingConfig(
        model="pocketclip_nano", steps=30, batch_size=16, scenes=32, warmup_steps=5, learning_rate=2e-3
    )
    train(config, tmp_path, workers=1, report=lambda report: losses.append(report.loss))
    assert sum(losses[-5:]) / 5 < 0.8 * sum(losses[:5]) / 5


def test_runs_are_not_mixed_up(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run to resume"):
        train(TINY, tmp_path, resume=True)
    (tmp_path / "training.json").write_text(
        '{"model": "pocketclip_nano", "steps": 7, "batch_size": 8, "scenes": 32, "warmup_steps": 2}'
    )
    with pytest.raises(ConfigError, match="already holds a run"):
        train(TINY, tmp_path)
    with pytest.raises(ConfigError, match=r"other settings \(steps, learning_rate, checkpoint_every\)"):
        train(TINY, tmp_path, resume=True)


def test_damaged_state_is_refused(tmp_path: Path) -> None:
    from models import documents

    documents.write(TINY, tmp_path / "training.json")
    (tmp_path / STATE_FILE).write_bytes(b"\0" * 100)
    with pytest.raises(CheckpointError, match="damaged"):
        train(TINY, tmp_path, resume=True)


def test_diverged_loss_stops_the_run(tmp_path: Path) -> None:
    config = TrainingConfig(
        model="pocketclip_nano", steps=20, batch_size=8, scenes=32, warmup_steps=0, learning_rate=1e30
    )
    with pytest.raises(NonFiniteError, match="lower the learning rate"):
        train(config, tmp_path, workers=1)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"steps": 0}, "steps must be positive"),
        ({"batch_size": 64}, "exceeds the 32 scenes"),
        ({"warmup_steps": 9}, "warmup_steps must lie"),
    ],
)
def test_bad_settings(changes: dict[str, int], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        TrainingConfig(**{**vars(TINY), **changes})
