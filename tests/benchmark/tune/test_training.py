"""Rungs of training: what a folder holds already is taken only where it is what was asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pocketclip.benchmark.errors import StudyError
from pocketclip.benchmark.tune.settings import StudySettings, TrainingSettings
from pocketclip.benchmark.tune.training import train_rung
from pocketclip.models import documents
from pocketclip.models.run_folder import CONFIG_FILE, WEIGHTS_FILE
from pocketclip.models.training import trainer
from pocketclip.models.training.config import TrainingConfig
from tests.benchmark.tune.cheap import cheap_settings, cheap_space

TRAINING = TrainingSettings(steps=(1, 1), data="scenes:8", batch_size=4)


def rung(settings: StudySettings, folder: Path, number: int = 0, parent: Path | None = None) -> None:
    train_rung(settings, ["image.activation=relu"], number, folder, parent, "cpu", 1)


def test_a_finished_training_is_taken_only_with_the_settings_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []

    def train(config: TrainingConfig, folder: Path, **options: object) -> None:
        trained.append(folder.name)
        folder.mkdir()
        documents.write(config, folder / CONFIG_FILE)
        (folder / WEIGHTS_FILE).write_bytes(b"")

    monkeypatch.setattr(trainer, "train", train)
    settings = cheap_settings(cheap_space(), training=TRAINING)
    first, second = tmp_path / "small-rung0", tmp_path / "small-rung1"
    rung(settings, first)
    rung(settings, second, 1, first)
    # The same study from another working folder, with the path to the rung before spelled otherwise.
    monkeypatch.chdir(tmp_path)
    rung(settings, Path("small-rung1"), 1, Path("small-rung0"))
    assert trained == ["small-rung0", "small-rung1"]
    longer = replace(settings, seed=9, training=replace(TRAINING, steps=(5,)))
    with pytest.raises(StudyError, match=r"steps 1, now 5; .*seed 3, now 9.*another --out"):
        rung(longer, first)
    with pytest.raises(StudyError, match=r"init_from"):
        rung(settings, second, 1, tmp_path / "other-rung0")
