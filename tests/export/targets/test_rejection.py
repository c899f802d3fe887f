"""What a converter rejects is told in the user's terms: the module's path and the line of its code."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pocketclip.export.precision import MAKER_TARGETS, Precision, TargetName
from pocketclip.export.targets import load_target
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.rejection import explain


class Bessel(nn.Module):
    """An op that no mobile runtime has."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.special.bessel_j0(x)


class Branch(nn.Module):
    """Control flow that depends on values: torch.export itself rejects it."""

    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            return x
        return -x


class Inner(nn.Module):
    """A user's block with a layer of their own in it."""

    def __init__(self, custom: nn.Module) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.gate = custom

    def forward(self, x: Tensor) -> Tensor:
        return self.gate(self.fc(x))


class Tower(nn.Module):
    def __init__(self, custom: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Linear(8, 8)
        self.blocks = nn.Sequential(nn.ReLU(), Inner(custom))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.stem(x))


def _request(custom: nn.Module) -> LoweringRequest:
    return LoweringRequest(Tower(custom).eval(), torch.ones(1, 8), "x", "y", Precision.FP32, ())


def _rejection(request: LoweringRequest, target: TargetName, folder: Path) -> str:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - each converter has error types of its own
        load_target(target).lower(request, folder)
    return explain(raised.value, request)


@pytest.mark.slow
@pytest.mark.parametrize("target", [target for target in TargetName if target not in MAKER_TARGETS])
def test_an_op_without_conversion_is_traced_to_its_module(target: TargetName, tmp_path: Path) -> None:
    worded = _rejection(_request(Bessel()), target, tmp_path)
    assert "module blocks.1.gate (Bessel) at test_rejection.py:" in worded
    assert "\n" not in worded


def test_code_that_cannot_be_exported_is_traced_to_its_module(tmp_path: Path) -> None:
    worded = _rejection(_request(Branch()), TargetName.COREML, tmp_path)
    assert "module blocks.1.gate (Branch) at test_rejection.py:" in worded
    assert "\n" not in worded


def test_an_error_that_names_nothing_is_told_as_it_is() -> None:
    assert explain(ValueError("out of luck\nand more"), _request(Bessel())) == "out of luck"
    assert explain(KeyError(), _request(Bessel())) == "KeyError"
