"""Weights carried over: which entries, from where, and that an unchanged model is reproduced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pocketclip import models
from pocketclip.models.errors import CheckpointError
from pocketclip.models.inheritance import Origin, inherit_weights, origins_by_part

NANO = "pocketclip_nano"


def inherit(*changes: str, base: tuple[str, ...] = ()):
    source = models.create_model(NANO, changes=base)
    target = models.create_model(NANO, changes=(*changes, "image.head_dim=32"))
    fresh = {key: torch.full_like(value, 7) for key, value in target.state_dict().items()}
    target.load_state_dict(fresh)
    report = inherit_weights(target, source)
    return source.state_dict(), target.state_dict(), {entry.key: entry for entry in report.entries}, report


def test_same_shapes_give_the_same_model() -> None:
    source, target, entries, report = inherit()
    assert entries.keys() == target.keys()
    assert report.values(Origin.INHERITED) == sum(value.numel() for value in source.values())
    for key, value in source.items():
        torch.testing.assert_close(target[key], value, rtol=0, atol=0)


def test_fewer_blocks_are_evenly_spaced() -> None:
    source, target, entries, _ = inherit("image.stages.1.depth=2", base=("image.stages.1.depth=5",))
    block = "image_encoder.model.network.2.{}.convffn.fc1.weight"
    assert [entries[block.format(n)].source for n in (0, 1)] == [block.format(n) for n in (0, 4)]
    torch.testing.assert_close(target[block.format(1)], source[block.format(4)], rtol=0, atol=0)
    _, _, entries, _ = inherit("image.stages.1.depth=4")
    assert entries[block.format(3)].origin is Origin.FRESH


def test_parts_that_move_are_found_by_role() -> None:
    # Without the position encoding, the last stage's blocks stand one place earlier.
    _, _, entries, _ = inherit("image.stages.3.position_encoding=false")
    key = "image_encoder.model.network.6.0.token_mixer.qkv.weight"
    assert entries[key].source == "image_encoder.model.network.7.0.token_mixer.qkv.weight"
    _, _, entries, _ = inherit('text.blocks=["attention","attention"]')
    assert entries["text_encoder.transformer.1.pre_norm_ffn.1.weight"].source == (
        "text_encoder.transformer.2.pre_norm_ffn.1.weight"
    )
    _, _, entries, _ = inherit("image.stages.3.mixer=pooling")
    assert entries["image_encoder.model.network.7.0.token_mixer.layer_scale"].origin is Origin.FRESH
    assert entries["image_encoder.model.network.7.0.convffn.fc1.weight"].origin is Origin.INHERITED


def test_slices_keep_leading_channels_centres_and_heads() -> None:
    source, target, entries, _ = inherit("text.width=96", "text.heads=3", "image.stages.0.ffn_kernel=3")
    kernel = "image_encoder.model.network.0.0.convffn.conv.conv.weight"
    torch.testing.assert_close(target[kernel], source[kernel][:, :, 2:5, 2:5])
    fused = "text_encoder.transformer.1.pre_norm_mha.1.qkv_proj.weight"
    expected = source[fused].reshape(3, 128, 128)[:, :96, :96].reshape(288, 96)
    torch.testing.assert_close(target[fused], expected)
    assert entries[fused].origin is Origin.SLICED


def test_embedding_rows_follow_their_tokens() -> None:
    whole = ("tokenizer.vocabulary=null",)
    source, target, entries, _ = inherit(base=whole)
    kept = models.get_tokenizer(NANO).vocabulary.kept_ids
    key = "text_encoder.embedding_layer.weight"
    torch.testing.assert_close(target[key], source[key][list(kept)])
    assert entries[key].origin is Origin.SLICED
    _, _, entries, _ = inherit(*whole)
    assert entries[key].origin is Origin.FRESH, "the pruned table lacks rows"


def test_low_rank_embedding_is_the_nearest_of_its_rank() -> None:
    source, target, entries, _ = inherit("text.embedding_rank=32")
    prefix = "text_encoder.embedding_layer."
    assert entries[f"{prefix}table.weight"].origin is Origin.FACTORISED
    found = target[f"{prefix}table.weight"] @ target[f"{prefix}widen.weight"].T
    table = source[f"{prefix}weight"]
    left, values, right = torch.linalg.svd(table, full_matrices=False)
    torch.testing.assert_close(found, left[:, :32] * values[:32] @ right[:32], atol=1e-4, rtol=1e-3)


def test_run_starts_from_inherited_weights(pocketclip, error_line, tmp_path) -> None:
    result = pocketclip(
        "train", "--out", tmp_path / "run", "--set", "image.stages.3.mixer=pooling", "--init-from", NANO,
        "--steps", "1", "--data", "scenes:16", "--batch-size", "8",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "inherited" in result.stdout
    trained = models.create_model(str(tmp_path / "run" / "model.json"), tmp_path / "run" / "weights.safetensors")
    shipped = models.create_model(NANO).state_dict()
    key = "text_encoder.transformer.1.pre_norm_ffn.1.weight"
    torch.testing.assert_close(trained.state_dict()[key], shipped[key], atol=1e-2, rtol=0)
    refused = pocketclip("train", "--out", tmp_path / "other", "--init-from", "mobileclip_s0", "--steps", "1")
    assert refused.returncode == 2
    assert "has no weights; give its checkpoint" in error_line(refused)


@pytest.mark.slow
def test_towers_of_another_kind_stay_fresh() -> None:
    vit, hybrid = models.create_model("mobileclip_b"), models.create_model("mobileclip_s1")
    report = inherit_weights(hybrid, vit)
    assert report.values(Origin.INHERITED, "image_encoder.") == 0
    assert report.values(Origin.FRESH, "text_encoder.") == 0


def open_clip_model(tmp_path: Path, name: str, *, width: int, layers: int, patch: int = 16) -> Any:
    config = {
        "name": name,
        "description": "Two small transformers",
        "embedding_dim": 16,
        "preprocess": {"image_size": 64},
        "tokenizer": {"context_length": 24},
        "architecture": {
            "embed_dim": 16,
            "vision_cfg": {"image_size": 64, "layers": layers, "width": width, "patch_size": patch, "head_width": 16},
            "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": width, "heads": 2, "layers": layers},
        },
    }
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps(config))
    return models.create_model(str(path))


def test_open_clip_transformers_shrink_in_depth_and_width(tmp_path: Path) -> None:
    source = open_clip_model(tmp_path, "large", width=64, layers=3)
    target = open_clip_model(tmp_path, "small", width=32, layers=2)
    report = inherit_weights(target, source)
    entries = {entry.key: entry for entry in report.entries}
    fused = "clip.text.transformer.resblocks.{}.attn.in_proj_weight"
    assert entries[fused.format(1)].source == fused.format(2)
    given = source.state_dict()[fused.format(2)]
    # Of query, key and value each the leading rows.
    expected = torch.cat([given[start : start + 32, :32] for start in (0, 64, 128)])
    torch.testing.assert_close(target.state_dict()[fused.format(1)], expected, rtol=0, atol=0)
    assert report.values(Origin.FRESH) == 0
    assert set(origins_by_part(report)) >= {"image transformer", "text token_embedding", "logit_scale"}


def test_positions_of_another_grid_stay_fresh(tmp_path: Path) -> None:
    source = open_clip_model(tmp_path, "fine", width=32, layers=1, patch=8)
    target = open_clip_model(tmp_path, "coarse", width=32, layers=1, patch=16)
    entries = {entry.key: entry.origin for entry in inherit_weights(target, source).entries}
    assert entries["clip.visual.positional_embedding"] is Origin.FRESH
    assert entries["clip.text.positional_embedding"] is Origin.INHERITED


def test_ours_and_open_clips_do_not_mix(tmp_path: Path) -> None:
    other = open_clip_model(tmp_path, "other", width=32, layers=1)
    with pytest.raises(CheckpointError, match="weights can be inherited only"):
        inherit_weights(models.create_model(NANO), other)
