"""Weights of OpenCLIP's given as a file: what the file does not say is named, with how to take the other choice."""

from __future__ import annotations

from pathlib import Path

import open_clip
import pytest
from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model
from safetensors.torch import save_file
from typer.testing import CliRunner

from pocketclip.models.errors import CheckpointError
from pocketclip.models.open_clip_choices import unstated_choices
from pocketclip.models.registry import choose_model, resolve_config
from pocketclip.models.terminal import command_line


def cautions(name: str, *changes: str) -> str:
    reference = f"open_clip:{name}"
    return "\n".join(unstated_choices(reference, resolve_config(reference, changes), changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336", "ViT-H-14", "RN50", "RN101"])
def test_activation_is_ambiguous_where_tags_disagree(name: str) -> None:
    said = cautions(name)
    assert "GELU is taken" in said and f"open_clip:{name}-quickgelu" in said and "--weights " in said
    assert "activation" not in cautions(f"{name}-quickgelu")


def test_preprocessing_is_ambiguous_where_tags_disagree() -> None:
    assert "mean 0.5, 0.5, 0.5" in cautions("ViT-L-14") and "--weights laion2b_s32b_b82k" in cautions("ViT-L-14")
    for name in ("ViT-H-14", "ViT-H-14-quickgelu"):
        assert "resize_mode squash" in cautions(name) and "--weights dfn5b" in cautions(name)


def test_what_the_user_sets_is_not_asked_for() -> None:
    said = cautions("ViT-H-14", "preprocess.resize_mode=squash")
    assert "preprocessing" not in said and "activation" in said


def test_every_disagreement_of_the_table_is_said() -> None:
    """Derived from OpenCLIP's table, not from a list of names."""
    for name in ("ViT-B-32", "ViT-B-32-256", "ViT-bigG-14", "MobileCLIP2-S0", "coca_ViT-B-32"):
        quick = {bool(get_pretrained_cfg(name, tag).get("quick_gelu")) for tag in list_pretrained_tags_by_model(name)}
        own = bool((open_clip.get_model_config(name) or {}).get("quick_gelu"))
        if name != "coca_ViT-B-32":
            assert ("activation" in cautions(name)) == bool(quick - {own})


def test_only_files_are_ambiguous(tmp_path: Path) -> None:
    import torch

    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors")
    assert choose_model("open_clip:ViT-B-32", weights=str(tmp_path / "w.safetensors")).cautions
    assert not choose_model("open_clip:ViT-B-32").cautions
    assert not choose_model("open_clip:ViT-B-32-quickgelu", weights=str(tmp_path / "w.safetensors")).cautions


@pytest.mark.parametrize("command", ["export", "eval"])
def test_commands_say_the_choice_before_they_read_the_weights(command: str, tmp_path: Path) -> None:
    """The case quickgelu-and-preprocessing-by-file: a warning that names the choice and how to take the other."""
    import torch

    from pocketclip.benchmark.commands import evaluate as eval_cli
    from pocketclip.export.commands.export import app as export_app

    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors")
    model = ["--model", "open_clip:ViT-B-32", "--weights", str(tmp_path / "w.safetensors")]
    if command == "export":
        app, given = export_app, ["--target", "onnx", "--tower", "text", "--out", str(tmp_path / "out")]
    else:
        app = command_line.new_app("pocketclip", "")
        app.command("eval")(eval_cli.eval_command)
        given = ["--store", str(tmp_path / "s.sqlite"), "--count", "2"]
    result = CliRunner().invoke(app, [*model, *given])
    assert isinstance(result.exception, CheckpointError)
    (said,) = [line for line in result.stderr.splitlines() if "GELU" in line]
    assert said.startswith("warning: ") and "GELU is taken" in said
    assert "open_clip:ViT-B-32-quickgelu" in said and "--weights " in said
