"""Towers before conversion: each fault that a converter would carry on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pocketclip.export.lint.run import lint, lint_model, module_subject
from pocketclip.export.passes.tower_module import ImageTowerModule, TextTowerModule, example_input, tower_module
from pocketclip.export.precision import Tower
from pocketclip.models.registry import create_model, load_config, resolve_config
from pocketclip.models.towers.clip import ClipModel

CONFIG = load_config("pocketclip_nano")


@pytest.fixture(scope="module")
def nano() -> ClipModel:
    model = create_model("pocketclip_nano")
    assert isinstance(model, ClipModel)
    return model


def codes(module: nn.Module, tower: Tower, example: Tensor) -> set[str]:
    return {finding.code for finding in lint(module_subject(module.eval(), CONFIG, tower, example))}


class WithoutNorm(nn.Module):
    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, inputs: Tensor) -> Tensor:
        return self.tower(inputs)


class Masked(nn.Module):
    """A text tower's attention scores with a causal mask."""

    def __init__(self, masked: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(16, 8)
        self.register_buffer("mask", torch.full((4, 4), masked).triu(1))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        mixed = torch.softmax(x @ x.transpose(1, 2) + self.mask, -1) @ x
        return torch.nn.functional.normalize(mixed.sum(1), dim=-1)


class FloatIds(nn.Module):
    def forward(self, ids: Tensor) -> Tensor:
        found = (ids.float() * 0.5 == 8.0).float()
        return torch.nn.functional.normalize(found, dim=-1)


def test_nano_is_clean() -> None:
    assert [(subject.label, findings) for subject, findings in lint_model(CONFIG, None)] == [
        ("pocketclip_nano image", ()),
        ("pocketclip_nano text", ()),
    ]


def test_unfolded_towers(nano: ClipModel) -> None:
    image = lint(
        module_subject(ImageTowerModule(nano.image_encoder), CONFIG, Tower.IMAGE, example_input(nano, Tower.IMAGE))
    )
    by_code = {finding.code: finding for finding in image}
    assert {"PC001", "PC002"} == set(by_code)
    assert (
        "blocks keep their training branches: encoder.model.patch_embed.0 (MobileOneBlock)" in by_code["PC001"].message
    )
    text = codes(TextTowerModule(nano.text_encoder), Tower.TEXT, example_input(nano, Tower.TEXT))
    assert {"PC001", "PC002"} == text


def test_one_block_left_unfolded_is_named(nano: ClipModel) -> None:
    tower = tower_module(nano, Tower.IMAGE)
    path = "encoder.model.patch_embed.1"
    tower.set_submodule(path, nano.image_encoder.get_submodule(path.removeprefix("encoder.")))
    found = lint(module_subject(tower, CONFIG, Tower.IMAGE, example_input(nano, Tower.IMAGE)))
    assert {finding.where for finding in found if finding.code == "PC001"} >= {path}


def test_argmax_over_ids_and_no_norm(nano: ClipModel) -> None:
    """The trained tower pools with argmax, and leaves the norm to its caller."""
    tower = tower_module(nano, Tower.TEXT)
    assert isinstance(tower, TextTowerModule)
    found = codes(WithoutNorm(tower.encoder), Tower.TEXT, example_input(nano, Tower.TEXT))
    assert found == {"PC003", "PC007"}


def test_float_ids() -> None:
    assert codes(FloatIds(), Tower.TEXT, torch.zeros(1, 4, dtype=torch.int32)) == {"PC003"}


def test_int64_ids(nano: ClipModel) -> None:
    assert codes(tower_module(nano, Tower.TEXT), Tower.TEXT, example_input(nano, Tower.TEXT).long()) == {"PC004"}


@pytest.mark.parametrize(("masked", "expected"), [(float("-inf"), {"PC005"}), (-3.4e38, {"PC005"}), (-1e4, set())])
def test_masks(masked: float, expected: set[str]) -> None:
    assert codes(Masked(masked), Tower.TEXT, torch.zeros(1, 4, dtype=torch.int32)) == expected


class UnreadMask(nn.Module):
    """As OpenCLIP's text towers: a causal mask stands in the module, and the forward pass makes its own."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower
        self.register_buffer("attn_mask", torch.full((4, 4), float("-inf")).triu(1))

    def forward(self, ids: Tensor) -> Tensor:
        return self.tower(ids)


def test_a_mask_that_nothing_reads_is_no_failure() -> None:
    ids = torch.zeros(1, 4, dtype=torch.int32)
    assert codes(UnreadMask(Masked(-1e4)), Tower.TEXT, ids) == codes(Masked(-1e4), Tower.TEXT, ids)
    # One that is read goes on being found, beside the one that is not.
    assert "PC005" in codes(UnreadMask(Masked(float("-inf"))), Tower.TEXT, ids)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["open_clip:ViT-B-32", "open_clip:RN50"])
def test_causal_text_towers_of_open_clip(name: str) -> None:
    found = {finding.code for _, findings in lint_model(resolve_config(name), None) for finding in findings}
    assert "PC005" not in found
