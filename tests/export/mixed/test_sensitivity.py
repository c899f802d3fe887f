"""Sensitivities: they find a layer that was made sensitive, and nothing is measured twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pocketclip.export.errors import PlanError
from pocketclip.export.inputs.samples import scene_calibration_inputs
from pocketclip.export.mixed.rounding import Rounding, round_activation, round_weight, rounding_of
from pocketclip.export.mixed.sensitivity import Subject, measure
from pocketclip.export.mixed.units import units
from pocketclip.export.passes.tower_module import tower_module
from pocketclip.export.precision import Precision, Tower
from pocketclip.models import create_model, load_config

PLANTED = "encoder.transformer.2.pre_norm_ffn.4"
WEIGHTS = rounding_of(Precision.INT8_WEIGHTS)


@pytest.fixture(scope="module")
def inputs() -> list[np.ndarray]:
    return scene_calibration_inputs(load_config("pocketclip_nano"), Tower.TEXT, 16)


@pytest.fixture
def planted() -> Subject:
    """A text tower one of whose layers has a weight a thousand times the others in each row: 8 bits drop the others."""
    tower = tower_module(create_model("pocketclip_nano"), Tower.TEXT)
    before, layer = (tower.get_submodule(path) for path in ("encoder.transformer.2.pre_norm_ffn.1", PLANTED))
    assert isinstance(before, nn.Linear) and isinstance(layer, nn.Linear)
    with torch.no_grad():
        before.weight[7] /= 1000
        before.bias[7] /= 1000
        layer.weight[:, 7] *= 1000
    return Subject("planted", Tower.TEXT, "config", "weights", tower)


def test_the_planted_layer_is_found(planted: Subject, inputs: list[np.ndarray], tmp_path: Path) -> None:
    state = {name: value.clone() for name, value in planted.module.state_dict().items()}
    ranked = measure(planted, WEIGHTS, inputs, tmp_path).ranked()
    assert ranked[0].path == PLANTED
    assert ranked[0].drop > 20 * ranked[1].drop
    # What was tried on the tower is undone, and no hook is left behind.
    assert all(torch.equal(value, state[name]) for name, value in planted.module.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in planted.module.modules())


def test_activations_count_too(planted: Subject, inputs: list[np.ndarray], tmp_path: Path) -> None:
    both = measure(planted, rounding_of(Precision.INT8_STATIC), inputs, tmp_path)
    drops = {unit.path: unit.drop for unit in both.units}
    assert set(drops) == set(units(planted.module))
    # An activation function has no weights: what it costs is its values.
    assert drops["encoder.transformer.2.pre_norm_ffn.2"] > 0
    assert {path.name.split("-")[1] for path in tmp_path.iterdir()} == {"w8a8"}


def test_an_interrupted_measurement_goes_on(planted: Subject, inputs: list[np.ndarray], tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise StopError

    with pytest.raises(StopError):
        measure(planted, WEIGHTS, inputs, tmp_path, advance=stop)
    seen: list[int] = []
    resumed = measure(planted, WEIGHTS, inputs, tmp_path, advance=lambda done, total: seen.append(done))
    assert seen[0] == 3 and seen[-1] == len(resumed.units)
    again: list[int] = []
    assert measure(planted, WEIGHTS, inputs, tmp_path, advance=lambda done, total: again.append(done)) == resumed
    assert again == [len(resumed.units)]


def test_a_damaged_file_is_named(planted: Subject, inputs: list[np.ndarray], tmp_path: Path) -> None:
    measure(planted, WEIGHTS, inputs, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(PlanError, match="delete the file") as caught:
        measure(planted, WEIGHTS, inputs, tmp_path)
    assert path.name in str(caught.value)


def test_rounding_has_the_steps_it_is_named_after() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(8, 64, generator=generator)
    for bits, groups in ((8, weight), (6, weight), (4, weight.reshape(-1, 32))):
        rounded = round_weight(weight, 0, Rounding(bits, activations=False, sparse=False)).reshape(groups.shape)
        step = groups.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
        assert ((rounded - groups).abs() <= step / 2 + 1e-6).all()
        assert torch.allclose(rounded / step, (rounded / step).round(), atol=1e-3)
    dropped = round_weight(weight, 0, Rounding(8, activations=False, sparse=True))
    assert 0.29 < (dropped == 0).float().mean() < 0.33
    values = torch.linspace(-1, 3, 101)
    assert (round_activation(values, -1, 3) - values).abs().max() <= 4 / 255 / 2 + 1e-6
    # Beyond the range they saturate, and zero is exact.
    assert round_activation(torch.tensor([0.0, 9.0]), -1, 3).tolist() == pytest.approx([0, 3], abs=4 / 255)
    assert round_activation(torch.tensor([0.0]), 1, 3).item() == 0


def test_units_cover_all_that_is_quantised() -> None:
    """Every weight with two axes is in a unit, but for the text tower's projection, which its root has."""
    model = create_model("pocketclip_nano")
    for tower in Tower:
        module = tower_module(model, tower)
        found = units(module)
        assert len(set(found)) == len(found)
        left = [
            key
            for key, value in module.named_parameters()
            if value.ndim >= 2 and not any(key.startswith(f"{unit}.") for unit in found)
        ]
        assert left == ([] if tower is Tower.IMAGE else ["encoder.projection_layer"])
