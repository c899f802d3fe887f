"""The parts that the targets' lowering is put together from, each by itself."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pocketclip.export.errors import ArtifactCorruptError
from pocketclip.export.passes.tower_module import tower_module
from pocketclip.export.precision import Tower
from pocketclip.export.targets import TARGETS, parse_precisions, requirement
from pocketclip.export.targets.executorch import ByteEmbedding, InHalf
from pocketclip.export.targets.executorch_coreml import unpack_delegate
from pocketclip.export.targets.observed_ranges import RangeObserver
from pocketclip.export.targets.tflite import scope_pattern
from pocketclip.models import create_model
from pocketclip.models.quantization.eight_bit_modules import eight_bit_modules


def test_modules_without_a_residual_keep_eight_bits() -> None:
    model = create_model("pocketclip_nano")
    kept = eight_bit_modules(tower_module(model, Tower.IMAGE))
    assert kept == (
        "encoder.model.patch_embed",
        "encoder.model.network.1",
        "encoder.model.network.3",
        "encoder.model.network.5",
        "encoder.model.head",
    )
    assert eight_bit_modules(tower_module(model, Tower.TEXT)) == ()


def test_scopes_of_the_lite_converter() -> None:
    pattern = scope_pattern("encoder.model.network.1")
    start = "export.ImageTowerModule/models.ImageTower_encoder/models.HybridEncoder_model/torch.Sequential_network/"
    assert re.match(pattern, f"{start}models.Downsampler_1/torch.Conv2d_proj;")
    assert not re.match(pattern, f"{start}torch.Sequential_11/torch.Conv2d_0;")
    assert not re.match(pattern, f"{start}torch.Sequential_2/torch.Sequential_1/torch.Conv2d_0;")


def test_byte_embedding_is_within_half_a_step() -> None:
    torch.manual_seed(0)
    embedding = nn.Embedding(50, 16)
    with torch.no_grad():
        embedding.weight[7] = 0
    stored = ByteEmbedding(embedding)
    ids = torch.arange(50, dtype=torch.int32)[None]
    with torch.no_grad():
        error = (stored(ids) - embedding(ids)).abs()[0]
        steps = embedding.weight.abs().amax(1, keepdim=True) / 127
    assert stored.table.dtype is torch.int8
    assert (error <= steps / 2 + 1e-7).all()
    assert (stored(ids)[0, 7] == 0).all()


def test_half_tower_takes_and_gives_floats_and_leaves_the_original_alone() -> None:
    tower = tower_module(create_model("pocketclip_nano"), Tower.IMAGE)
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        half, full = InHalf(tower)(image), tower(image)
    assert half.dtype is torch.float32
    assert next(tower.parameters()).dtype is torch.float32
    assert 1e-6 < (half - full).abs().max() < 5e-3
    # The norm is computed in float: its length is right beyond half precision.
    assert abs(float(half.norm()) - 1) < 1e-6


def test_ranges_leave_out_the_most_extreme_samples() -> None:
    observer = RangeObserver(["x"])
    for sample in range(100):
        observer.observe("x", np.float32([-1, 1000 if sample == 50 else 2]))
    low, high = observer.ranges()["x"]
    assert low == -1 and 2 <= high < 30


def test_a_file_without_a_delegate(tmp_path: Path) -> None:
    from executorch.exir import to_edge_transform_and_lower

    plain = to_edge_transform_and_lower(torch.export.export(nn.ReLU(), (torch.ones(4),))).to_executorch()
    (tmp_path / "model.pte").write_bytes(plain.buffer)
    with pytest.raises(ArtifactCorruptError, match="no program for the Core ML delegate"):
        unpack_delegate(tmp_path / "model.pte", tmp_path)


def test_words_for_precisions() -> None:
    for name, entry in TARGETS.items():
        assert parse_precisions("all", name) == list(entry.precisions)
        assert parse_precisions("base,int8", name) == [entry.base, *([entry.int8] if entry.int8 else [])]
        for precision in entry.precisions:
            assert requirement(name, precision) == entry.schemes[precision].needs
