"""However a batch is computed, its gradients are the same: in parts, with less memory, by several processes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from pocketclip.models.training.config import Recipe
from pocketclip.models.training.distributed import Processes

PROGRAM = Path(__file__).with_name("gradients.py")
ALONE = Processes(0, 1, torch.device("cpu"))


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("training_gradients", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gradients = _load()


@pytest.mark.parametrize("recipe", [Recipe.CONTRASTIVE, Recipe.SIGMOID, Recipe.REINFORCED])
def test_a_batch_in_parts_has_the_gradients_of_the_whole(recipe: Recipe) -> None:
    whole = gradients.step_gradients(ALONE, recipe, frozen=True)
    parts = gradients.step_gradients(ALONE, recipe, accumulation=4, frozen=True)
    off, name = gradients.difference(parts, whole)
    assert off < 1e-5, name


def test_parts_move_the_running_statistics_once_each() -> None:
    parts = gradients.step_gradients(ALONE, Recipe.CONTRASTIVE, accumulation=4)
    counts = {int(value) for name, value in parts.items() if name.endswith("num_batches_tracked")}
    assert counts == {4}


def test_recomputed_activations_change_neither_gradients_nor_statistics() -> None:
    kept = gradients.step_gradients(ALONE, Recipe.CONTRASTIVE)
    recomputed = gradients.step_gradients(ALONE, Recipe.CONTRASTIVE, checkpointing=True)
    renamed = {name.replace("_checkpoint_wrapped_module.", ""): value for name, value in recomputed.items()}
    off, name = gradients.difference(renamed, kept)
    assert off < 1e-9, name


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "accumulation"), [(Recipe.CONTRASTIVE, 1), (Recipe.REINFORCED, 1)])
def test_two_processes_have_the_gradients_of_one(recipe: Recipe, accumulation: int, tmp_path: Path) -> None:
    _in_two_processes(recipe, accumulation, tmp_path)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    off, name = gradients.difference(first, second)
    assert off == 0, name
    off, name = gradients.difference(first, gradients.step_gradients(ALONE, recipe))
    assert off < 1e-5, name


@pytest.mark.slow
def test_two_processes_in_parts_agree_with_each_other(tmp_path: Path) -> None:
    _in_two_processes(Recipe.SIGMOID, 2, tmp_path)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    off, name = gradients.difference(first, second)
    assert off == 0, name


def _in_two_processes(recipe: Recipe, accumulation: int, out: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(PROGRAM)]
    run = subprocess.run(
        [*command, recipe, str(accumulation), str(out)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr[-3000:]
