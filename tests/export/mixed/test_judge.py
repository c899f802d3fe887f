"""What a budget is judged on, with PyTorch itself and with something worse in the artefact's place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pocketclip.export.artifact.drop_budget import parse_max_drop
from pocketclip.export.errors import PlanError
from pocketclip.export.inputs.samples import parity_inputs, scene_calibration_inputs
from pocketclip.export.mixed.judge import make_judge, planning_inputs
from pocketclip.export.passes.tower_module import tower_module
from pocketclip.export.precision import Tower
from pocketclip.models import create_model, load_config
from pocketclip.models.scenes import SceneDataset, Split
from pocketclip.models.towers.clip import AnyModel


class TowerSession:
    """A PyTorch tower behind the session interface, its embeddings changed by a function."""

    def __init__(self, model: AnyModel, tower: Tower, change: Callable[[np.ndarray], np.ndarray]) -> None:
        self._module, self._change = tower_module(model, tower), change

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        with torch.inference_mode():
            return [self._change(self._module(torch.from_numpy(inputs[0])).numpy())]

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def model() -> AnyModel:
    return create_model("pocketclip_nano")


@pytest.mark.parametrize("tower", list(Tower))
def test_samples_serve_one_purpose(tower: Tower) -> None:
    config = load_config("pocketclip_nano")
    chosen = {array.tobytes() for array in planning_inputs(config, tower)}
    assert len(chosen) >= 64
    for others in (parity_inputs(config, tower), scene_calibration_inputs(config, tower)):
        assert chosen.isdisjoint(array.tobytes() for array in others)


@pytest.mark.parametrize("tower", list(Tower))
def test_accuracy_that_is_lost(model: AnyModel, tower: Tower) -> None:
    judge = make_judge(parse_max_drop("accuracy=1.0"), model, tower)
    assert judge.samples > 200
    same = judge.judge(TowerSession(model, tower, lambda values: values))
    assert same.met and same.lost == 0
    worse = judge.judge(TowerSession(model, tower, lambda values: np.roll(values, 1, axis=1)))
    assert not worse.met and worse.lost > 20


def test_cosine_is_held_against_the_budget_with_its_error(model: AnyModel) -> None:
    judge = make_judge(parse_max_drop("cosine=0.99"), model, Tower.TEXT)
    same = judge.judge(TowerSession(model, Tower.TEXT, lambda values: values))
    assert same.met and same.safe == pytest.approx(1, abs=1e-5)
    rng = np.random.default_rng(0)

    def noisy(values: np.ndarray) -> np.ndarray:
        return values + rng.normal(scale=rng.choice([0.001, 0.05]), size=values.shape).astype(np.float32)

    worse = judge.judge(TowerSession(model, Tower.TEXT, noisy))
    assert not worse.met and worse.safe < worse.value < 0.99


def test_labelled_folder_of_evaluation_samples_is_refused(model: AnyModel, tmp_path: Path) -> None:
    dataset = SceneDataset(Split.HELDOUT, 2, seed=0, size=64)
    for place in range(2):
        folder = tmp_path / f"class {place}"
        folder.mkdir()
        Image.fromarray(dataset.image(place)).save(folder / "scene.png")
    named = r"1 of 3 samples .* cannot be used \(class 0/scene\.png: artefacts are judged on it \(the evaluation\)"
    own = SceneDataset(Split.TRAIN, 2, seed=3, size=64)
    for place in range(2):
        Image.fromarray(own.image(place)).save(tmp_path / f"class {place}" / "own.png")
    (tmp_path / "class 1" / "scene.png").unlink()
    budget = parse_max_drop("accuracy=1.0", f"folder:{tmp_path}")
    with pytest.raises(PlanError, match=named):
        make_judge(budget, model, Tower.IMAGE)
    allowed = make_judge(budget, model, Tower.IMAGE, max_skipped=0.4)
    assert allowed.samples == 2 and [name.split(":")[0] for name in allowed.skipped] == ["class 0/scene.png"]


def test_labelled_folder_of_ones_own(model: AnyModel, tmp_path: Path) -> None:
    dataset = SceneDataset(Split.TRAIN, 12, seed=3, size=80)
    for place in range(12):
        folder = tmp_path / ("odd" if place % 2 else "even")
        folder.mkdir(exist_ok=True)
        Image.fromarray(dataset.image(place)).save(folder / f"{place}.png")
    rows = [f"{path.relative_to(tmp_path)},{path.parent.name}" for path in sorted(tmp_path.rglob("*.png"))]
    (tmp_path / "set.csv").write_text("\n".join(["image,label", *rows]))
    (tmp_path / "odd" / "notes.docx").write_text("no image")
    damaged = Image.open(tmp_path / "even" / "0.png")
    damaged.save(tmp_path / "even" / "0.png", icc_profile=b"no profile")
    table = make_judge(parse_max_drop("accuracy=0", f"csv:{tmp_path}/set.csv"), model, Tower.IMAGE)
    judge = make_judge(parse_max_drop("accuracy=0", f"folder:{tmp_path}"), model, Tower.IMAGE)
    assert judge.samples == table.samples == 12
    assert judge.samples_sha256 == table.samples_sha256
    assert [entry.count for entry in judge.left_out] == [1] and "notes.docx" in str(judge.left_out[0])
    assert [name.split(":")[0] for name in judge.ignored_profiles] == ["even/0.png"]
    assert judge.judge(TowerSession(model, Tower.IMAGE, lambda values: values)).met
