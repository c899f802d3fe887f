"""A run's folder stands for a model with its own weights, and never for other weights."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
import torch

from pocketclip.models import documents
from pocketclip.models.checkpoints.checkpoint import save_weights, weights_sha256
from pocketclip.models.checkpoints.weights_source import fetch_weights
from pocketclip.models.errors import ConfigError, UnknownModelError
from pocketclip.models.registry import MODELS, build_trained_model, choose_model, create_model, load_config
from pocketclip.models.run_folder import CONFIG_FILE, MODEL_FILE, WEIGHTS_FILE
from pocketclip.models.towers.clip import ClipModel

NANO = load_config("pocketclip_nano")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run of pocketclip_nano whose weights are not those that we ship."""
    folder = tmp_path / "run"
    folder.mkdir()
    documents.write(NANO, folder / MODEL_FILE)
    (folder / CONFIG_FILE).write_text("{}")
    model = create_model("pocketclip_nano")
    assert isinstance(model, ClipModel)
    with torch.no_grad():
        model.logit_scale.fill_(1.25)
    save_weights(model, folder / WEIGHTS_FILE)
    return folder


@pytest.mark.parametrize("form", ["{}", "{}/model.json"])
def test_run_brings_its_own_weights(run: Path, form: str) -> None:
    reference = form.format(run)
    model = create_model(reference)
    assert model.scale().item() == pytest.approx(math.exp(1.25))
    assert choose_model(reference).trained
    assert weights_sha256(build_trained_model(reference)) == weights_sha256(model)


def test_folder_is_a_checkpoint_too(run: Path) -> None:
    assert fetch_weights(str(run)) == run / WEIGHTS_FILE
    assert create_model("pocketclip_nano", run).scale().item() == pytest.approx(math.exp(1.25))


def test_model_file_of_a_user_with_weights_beside_it(run: Path) -> None:
    (run / CONFIG_FILE).unlink()
    assert choose_model(str(run)).trained and choose_model(str(run / MODEL_FILE)).trained


def test_unfinished_run_does_not_take_the_weights_that_we_ship(run: Path) -> None:
    (run / WEIGHTS_FILE).unlink()
    chosen = choose_model(str(run))
    assert not chosen.trained
    assert chosen.untrained is not None and "is not finished" in chosen.untrained and "--resume" in chosen.untrained
    assert weights_sha256(create_model(str(run))) != weights_sha256(create_model("pocketclip_nano"))
    with pytest.raises(ConfigError, match="has no weights"):
        build_trained_model(str(run))


def test_a_folder_may_have_an_equals_sign_in_its_name(run: Path) -> None:
    named = run.rename(run.parent / "lr=0.1")
    expected = weights_sha256(create_model(str(named)))
    for reference in (named, named / MODEL_FILE, f"{named}={named / WEIGHTS_FILE}", f"pocketclip_nano={named}"):
        assert weights_sha256(build_trained_model(str(reference))) == expected
    with pytest.raises(ConfigError, match="write a checkpoint after ="):
        build_trained_model(f"{named}=")


def test_changed_model_does_not_take_the_weights_of_the_unchanged_one(run: Path) -> None:
    chosen = choose_model(str(run), ["image.activation=relu"])
    assert not chosen.trained
    assert chosen.untrained is not None and f"--weights {run / WEIGHTS_FILE}" in chosen.untrained
    assert choose_model(str(run), ["image.activation=relu"], str(run)).trained


def test_models_without_weights_say_so() -> None:
    assert choose_model("pocketclip_nano").trained
    for reference, changes in (("mobileclip_s0", []), ("pocketclip_nano", ["image.activation=relu"])):
        chosen = choose_model(reference, changes)
        assert not chosen.trained and chosen.untrained is not None and "--weights CHECKPOINT" in chosen.untrained


def test_other_folders_are_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match="is a folder, but not of a training run"):
        create_model(str(tmp_path))


def test_folder_does_not_hide_a_registered_model(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(run, tmp_path / "pocketclip_nano")
    monkeypatch.chdir(tmp_path)
    assert choose_model("pocketclip_nano").weights == str(MODELS["pocketclip_nano"].weights_path)
