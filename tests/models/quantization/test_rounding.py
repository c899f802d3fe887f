"""Weights end on grids that a converter finds again; activations in ranges that learn."""

from __future__ import annotations

import pytest
import torch

from pocketclip.models.quantization.rounding import STEPS, InRange, OnGrid, WeightGrid


def rows(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("shape", "grid"),
    [
        ((6, 64), WeightGrid(4, 0)),
        ((6, 64), WeightGrid(4, 0, block=32)),
        ((64, 6), WeightGrid(4, 1, block=32, summed=0)),
        ((6, 64, 1, 1), WeightGrid(4, 0, block=32)),
        ((8, 3, 5, 5), WeightGrid(8, 0)),
        ((40, 24), WeightGrid(8, 1, summed=0)),
    ],
)
def test_grouping_is_undone(shape: tuple[int, ...], grid: WeightGrid) -> None:
    weight = rows(0, *shape)
    groups = grid.grouped(weight)
    assert groups.shape[1] == (grid.block or weight.numel() // weight.shape[grid.channels])
    assert torch.equal(grid.restored(groups, weight), weight)


@pytest.mark.parametrize("grid", [WeightGrid(4, 0), WeightGrid(4, 0, block=32), WeightGrid(8, 0)])
@pytest.mark.parametrize("moved", [0.0, -1.0, 1.0])
def test_the_largest_weight_tells_the_scale(grid: WeightGrid, moved: float) -> None:
    """What a converter does: the largest weight of a group becomes the last level. Nothing may change by it."""
    weight = rows(1, 6, 64)
    on_grid = OnGrid(weight, grid)
    with torch.no_grad():
        # As if training had made the scales smaller or larger.
        on_grid.log_scale += moved
        rounded = grid.grouped(on_grid(weight))
    scale = rounded.abs().amax(1, keepdim=True) / grid.levels
    again = (rounded / scale).round().clamp(-grid.levels, grid.levels) * scale
    assert torch.allclose(again, rounded, rtol=1e-5, atol=0)
    assert len((rounded / scale).round().unique()) <= 2 * grid.levels + 1


def test_scales_start_where_the_error_is_least() -> None:
    weight = rows(2, 4, 256)
    weight[:, 0] = 20
    grid = WeightGrid(4, 0)
    fitted = OnGrid(weight, grid)(weight)
    largest = weight.abs().amax(1, keepdim=True) / grid.levels
    plain = (weight / largest).round() * largest
    assert (fitted - weight).square().sum() < 0.9 * (plain - weight).square().sum()


def test_a_group_of_zeros_stays_zero() -> None:
    weight = torch.zeros(2, 32)
    rounded = OnGrid(weight, WeightGrid(4, 0, block=32))(weight)
    assert torch.equal(rounded, weight)


def test_gradients_reach_weights_and_scales() -> None:
    weight = rows(3, 6, 64).requires_grad_()
    on_grid = OnGrid(weight, WeightGrid(4, 0))
    (on_grid(weight) - rows(4, 6, 64)).square().sum().backward()
    assert weight.grad is not None and weight.grad.abs().sum() > 0
    assert on_grid.log_scale.grad is not None and on_grid.log_scale.grad.abs().sum() > 0


def test_a_range_is_observed_first_and_leaves_outliers_out() -> None:
    rounding, values = InRange(), rows(5, 100, 20).clamp(-2, 2)
    values[0, 0], values[1, 0] = -50, 90
    assert torch.equal(rounding(values), values)
    rounding.start(2)
    assert -3 < rounding.low.item() < 0 < rounding.high.item() < 3
    rounded = rounding(values)
    assert len(rounded.unique()) <= STEPS + 1
    assert 0.0 in rounded.unique().tolist()
    inside = values.abs() < 1.5
    step = (rounding.high - rounding.low).item() / STEPS
    assert (rounded - values)[inside].abs().max().item() <= 0.51 * step


def test_a_range_learns_from_what_it_clips() -> None:
    rounding = InRange()
    rounding(torch.tensor([[-1.0, 1.0]]))
    rounding.start(0)
    optimizer = torch.optim.Adam(rounding.parameters(), lr=0.05)
    values = torch.linspace(-1, 4, 500)[None]
    for _ in range(200):
        optimizer.zero_grad()
        (rounding(values) - values).square().mean().backward()
        optimizer.step()
    assert rounding.high.item() > 3


def test_values_that_are_never_negative_keep_all_steps() -> None:
    rounding, values = InRange(), torch.linspace(0, 3, 1500).reshape(50, 30)
    rounding(values)
    rounding.start(0)
    assert rounding.low.item() == 0
    assert len(rounding(values).unique()) == STEPS + 1
