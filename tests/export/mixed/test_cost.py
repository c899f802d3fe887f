"""What plans are predicted to cost: the work that is counted, the borders, and what a user is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from pocketclip.export.artifact.precision_plan import (
    SCHEMA_VERSION,
    KeptPrecision,
    PrecisionPlan,
    PredictedCost,
    planned,
)
from pocketclip.export.commands.outcomes import cost_lines
from pocketclip.export.mixed.cost import CostGraph, Factors, predicted
from pocketclip.export.mixed.cost_factors import factors_for
from pocketclip.export.mixed.work import MULTIPLYING, Op, Work, work_of
from pocketclip.export.passes.tower_module import example_input, tower_module
from pocketclip.export.precision import InstructionSet, Precision, TargetName, Tower
from pocketclip.models.complexity import measure
from pocketclip.models.registry import build_model, load_config

TARGETS = (TargetName.ONNX, TargetName.EXECUTORCH, TargetName.TFLITE)
# One for each multiply-accumulate in float, a quarter in int8, ten for each element that is converted.
PLAIN = Factors(dict.fromkeys(Work, 1.0), dict.fromkeys(Work, 0.25), 10.0, 10.0, 0.0)


@pytest.fixture(scope="module")
def nano() -> dict[Tower, tuple[Op, ...]]:
    model = build_model(load_config("pocketclip_nano"), None)
    return {tower: work_of(tower_module(model, tower), example_input(model, tower)) for tower in Tower}


class Layers(nn.Module):
    """Three 1x1 convolutions in a row, of 4 channels on 2x2 pixels: 64 multiply-accumulates each, 16 elements."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = (nn.Conv2d(4, 4, 1) for _ in range(3))

    def forward(self, image: Tensor) -> Tensor:
        return self.three(self.two(self.one(image))).flatten(1)


@pytest.fixture(scope="module")
def chain() -> CostGraph:
    ops = work_of(Layers().eval(), torch.zeros(1, 4, 2, 2))
    return CostGraph(ops, TargetName.ONNX, InstructionSet.ARM64)


@pytest.mark.parametrize("tower", Tower)
def test_multiply_accumulates_are_those_that_torch_counts(nano: dict[Tower, tuple[Op, ...]], tower: Tower) -> None:
    counted = measure(load_config("pocketclip_nano"))
    wanted = counted.image.flops if tower is Tower.IMAGE else counted.text.flops
    found = 2 * sum(op.amount for op in nano[tower] if op.work in MULTIPLYING)
    # The exported tower takes the end of text by products, and sums the L2 norm.
    assert wanted <= found <= 1.01 * wanted


def test_borders_of_one_module_in_float(chain: CostGraph) -> None:
    cost = {paths: chain.cost(PLAIN, chain.in_float(paths)) for paths in ((), ("two",), ("one", "two"), ("",))}
    # The input is float: it is quantised once.
    assert cost[()] == 3 * 16 + 160
    assert cost[("two",)] == 2 * 16 + 64 + 160 + 2 * 160
    assert cost[("one", "two")] == 16 + 2 * 64 + 160
    assert cost[("",)] == 3 * 64


def test_shares_of_the_two_uniform_towers(chain: CostGraph) -> None:
    assert _predicted(chain, ("",)) == PredictedCost(InstructionSet.ARM64, 1.0, round(192 / 208, 3))
    # Uniform int8 costs more than fp32 here, and the plan's record says so.
    uniform = PredictedCost(InstructionSet.ARM64, round(208 / 192, 3), 1.0, (Precision.FP32,))
    assert _predicted(chain, ()) == uniform
    # The module between two borders: dearer than both.
    assert _predicted(chain, ("two",)).cheaper == (Precision.FP32, Precision.INT8_STATIC)


def _predicted(graph: CostGraph, paths: tuple[str, ...]) -> PredictedCost:
    (found,) = predicted(graph, {InstructionSet.ARM64: PLAIN}, paths, Precision.INT8_STATIC)
    return found


def test_units_that_a_target_leaves_in_float(nano: dict[Tower, tuple[Op, ...]]) -> None:
    """GELU, depthwise convolutions and sums with LiteRT: rounding never reaches them, so they lose nothing."""
    ops = nano[Tower.IMAGE]
    kinds = {f"{op.module}/": op.work for op in ops if op.work in (Work.SUM, Work.GELU, Work.POINTWISE)}
    left = {target: CostGraph(ops, target, InstructionSet.ARM64).never_quantised(list(kinds)) for target in TARGETS}
    by_kind = {target: {kinds[unit] for unit in units} for target, units in left.items()}
    assert by_kind[TargetName.TFLITE] == by_kind[TargetName.EXECUTORCH] == {Work.SUM, Work.GELU}
    assert by_kind[TargetName.ONNX] == {Work.GELU}
    assert "encoder.model.none" not in CostGraph(ops, TargetName.TFLITE, InstructionSet.ARM64).never_quantised(
        ["encoder.model.none"]
    )


@pytest.mark.parametrize("target", TARGETS)
def test_static_int8_is_known_on_both_processors(nano: dict[Tower, tuple[Op, ...]], target: TargetName) -> None:
    factors = factors_for(target, Precision.INT8_STATIC)
    assert set(factors) == {InstructionSet.ARM64, InstructionSet.X86_64}
    graph = CostGraph(nano[Tower.IMAGE], target, InstructionSet.ARM64)
    arm, _ = predicted(graph, factors, (), Precision.INT8_STATIC)
    # As counted on the emulated phone: 0.335, 0.538 and 0.529 of fp32 (docs/arm64.md), whose fp32 has other passes.
    assert arm.processor is InstructionSet.ARM64 and 0.25 < arm.of_fp32 < 0.75


@pytest.mark.parametrize(
    ("target", "precision"), [(TargetName.COREML, Precision.INT8_STATIC), (TargetName.ONNX, Precision.INT4_WEIGHTS)]
)
def test_what_was_never_measured_is_not_predicted(target: TargetName, precision: Precision) -> None:
    assert factors_for(target, precision) == {}


def test_user_is_told_the_costs_and_warned() -> None:
    modules = planned(["encoder.model.head"], KeptPrecision.FLOAT)
    plan = PrecisionPlan(SCHEMA_VERSION, "pocketclip_nano", Tower.IMAGE, Precision.INT8_STATIC, modules)
    costs = (
        PredictedCost(InstructionSet.ARM64, 0.62, 1.4, (Precision.INT8_STATIC,)),
        PredictedCost(InstructionSet.X86_64, 1.13, 0.9, (Precision.FP32,)),
    )
    assert cost_lines("nano image", replace(plan, costs=costs)) == [
        "nano image: predicted cost: arm64 0.62 of fp32, 1.40 of uniform int8-static; "
        "x86_64 1.13 of fp32, 0.90 of uniform int8-static",
        "note: nano image is predicted to cost more than uniform int8-static on arm64 (x1.40): "
        "what it keeps in higher precision makes it more accurate, not faster",
        "warning: nano image is predicted to cost more than fp32 on x86_64 (x1.13): "
        "for such devices export fp32 or fp16, or allow a larger drop",
    ]
    assert cost_lines("nano image", plan) == [
        "nano image: no cost predicted: cost factors are known only for int8-static with onnx, executorch and tflite; "
        "measure it on your device with `pocketclip bench`"
    ]
