"""Faults that others found on phones, planted in Core AI assets and Core ML packages: found, and ended by passes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from pocketclip.export.lint.run import lint_file
from pocketclip.export.passes.four_axes import products_in_four_axes, stable_softplus
from pocketclip.export.passes.tower_module import example_input, tower_module
from pocketclip.export.precision import TargetName, Tower
from pocketclip.export.targets import probe
from pocketclip.models.registry import build_model, resolve_config
from tests.export.coreai.conftest import Convert, convert

__all__ = ["convert"]

X = torch.linspace(-3, 3, 32).reshape(4, 8)


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Classifier(nn.Module):
    """The end of MobileNetV3, as in the report: a product of two axes in front of hardswish."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.activation, self.last = nn.Linear(8, 2048), nn.Hardswish(), nn.Linear(2048, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.activation(self.first(x)))


def codes(path: Path) -> list[str]:
    return [finding.code for finding in lint_file(path)[1]]


@pytest.mark.parametrize(
    ("planted", "expected"),
    [
        (lambda x: x.argmax(1), ["PC023"]),
        (lambda x: x.gather(1, x.topk(3, dim=1)[1]), ["PC023", "PC023"]),
        (lambda x: x[torch.arange(4), x.argmax(1)], ["PC023", "PC023"]),
        (functional.softplus, ["PC025"]),
        (functional.mish, ["PC025"]),
        (torch.exp, ["PC025"]),
        (lambda x: x.split([8, 0], 1)[0] + 1, ["PC026"]),
    ],
)
def test_a_planted_fault_is_found(planted: Callable[[Tensor], Tensor], expected: list[str], convert: Convert) -> None:
    assert codes(convert(Function(planted), X)) == expected


@pytest.mark.parametrize(
    "sound",
    [
        lambda x: torch.softmax(x, 1),
        lambda x: torch.logsumexp(x, 1),
        lambda x: torch.log_softmax(x, 1),
        lambda x: torch.exp(-x.abs()),
        lambda x: x.split([4, 4], 1)[0],
    ],
)
def test_a_sound_form_is_not(sound: Callable[[Tensor], Tensor], convert: Convert) -> None:
    assert codes(convert(Function(sound), X)) == []


def test_an_exponential_in_single_precision_is_no_fault(convert: Convert) -> None:
    assert codes(convert(Function(torch.exp), X, half=False)) == []


def test_a_flat_product_before_hardswish_is_found_and_a_pass_ends_it(convert: Convert) -> None:
    module = Classifier().eval()
    assert codes(convert(module, X)) == ["PC024"]
    rewritten = products_in_four_axes(module.float(), X)
    assert rewritten.sites == ("first", "last")
    torch.testing.assert_close(rewritten.module(X), module(X))
    assert codes(convert(rewritten.module, X)) == []


@pytest.mark.parametrize("activation", [nn.Softplus(), nn.Softplus(beta=2), nn.Mish()])
def test_a_pass_ends_the_overflow(activation: nn.Module, convert: Convert) -> None:
    module = nn.Sequential(activation)
    assert codes(convert(module, X)) == ["PC025"]
    rewritten = stable_softplus(module.float(), X)
    wide = torch.linspace(-100, 100, 999).double()
    torch.testing.assert_close(rewritten.module(wide), module(wide), atol=1e-8, rtol=0)
    assert codes(convert(rewritten.module, X)) == []


def test_our_towers_pick_the_end_of_text_without_argmax(convert: Convert) -> None:
    model = build_model(resolve_config("pocketclip_nano"), None)
    ids = example_input(model, Tower.TEXT)
    assert "PC023" in codes(convert(model.text_encoder, ids, half=False))
    assert codes(convert(tower_module(model, Tower.TEXT), ids, half=False)) == []


@pytest.mark.parametrize("function", [functional.softplus, lambda x: torch.logsumexp(x, 1)])
@pytest.mark.skipif(not probe(TargetName.COREML).available, reason=str(probe(TargetName.COREML).reason or "available"))
def test_core_ml_has_the_overflow_too(function: Callable[[Tensor], Tensor], tmp_path: Path) -> None:
    from pocketclip.export.lean_coremltools import import_coremltools

    import_coremltools()
    import coremltools

    program = torch.export.export(Function(function).eval(), (X,)).run_decompositions({})
    with contextlib.redirect_stderr(io.StringIO()):
        model = coremltools.convert(
            program, convert_to="mlprogram", minimum_deployment_target=coremltools.target.iOS16, skip_model_load=True
        )
    model.save(str(tmp_path / "model.mlpackage"))
    assert codes(tmp_path / "model.mlpackage") == ["PC025"]
