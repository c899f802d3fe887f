"""OpenCLIP's models in our line: preprocessing and tokenizer from the model, checkpoints, folding."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from torch import nn

from pocketclip import models
from pocketclip.models.errors import CheckpointError, ConfigError, UnknownModelError
from pocketclip.models.registry import load_config, resolve_config
from pocketclip.models.towers.open_clip_model import OpenClipModel

ARCHITECTURE = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "patch_size": 16, "head_width": 32},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    """A user's own architecture, as a configuration file."""
    path = tmp_path / "own.json"
    content = {
        "name": "own",
        "description": "Small",
        "embedding_dim": 32,
        "preprocess": {"image_size": 64, "interpolation": "bicubic", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
        "tokenizer": {"context_length": 24},
        "architecture": ARCHITECTURE,
    }
    path.write_text(json.dumps(content))
    return path


def test_own_architecture_runs_folds_and_counts(config_file: Path) -> None:
    model = models.create_model(str(config_file))
    folded = models.reparameterize(model)
    assert not any(isinstance(module, nn.MultiheadAttention) for module in folded.modules())
    assert any(isinstance(module, nn.MultiheadAttention) for module in model.modules()), "the argument is left alone"
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    ids = torch.from_numpy(models.get_tokenizer(str(config_file))(["a cat", "two dogs on a sofa"]))
    with torch.inference_mode():
        torch.testing.assert_close(folded.encode_image(images), model.encode_image(images), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(folded.encode_text(ids), model.encode_text(ids), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(folded.text_encoder(ids), model.encode_text(ids), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("layout", ["custom text", "plain", "training run", "safetensors", "model"])
def test_checkpoint_layouts(config_file: Path, tmp_path: Path, layout: str) -> None:
    torch.manual_seed(5)
    kind = open_clip.model.CLIP if layout == "plain" else open_clip.model.CustomTextCLIP
    trained = kind(**ARCHITECTURE).eval()
    state, path = trained.state_dict(), tmp_path / "trained.pt"
    if layout == "safetensors":
        from safetensors.torch import save_file

        path = tmp_path / "trained.safetensors"
        save_file(state, path)
    elif layout == "model":
        torch.save({"model": {f"_orig_mod.{key}": value for key, value in state.items()}, "epoch": 1}, path)
    elif layout == "training run":
        torch.save({"epoch": 3, "state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
    else:
        torch.save(state, path)
    model = models.create_model(str(config_file), path)
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    ids = torch.from_numpy(models.get_tokenizer(str(config_file))("a cat"))
    with torch.inference_mode():
        torch.testing.assert_close(model.encode_image(images), trained.encode_image(images))
        torch.testing.assert_close(model.encode_text(ids), trained.encode_text(ids.long()))


def test_foreign_and_broken_checkpoints(config_file: Path, tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "resnet.pt")
    with pytest.raises(CheckpointError, match="does not fit the model"):
        models.create_model(str(config_file), tmp_path / "resnet.pt")
    (tmp_path / "cut.pt").write_bytes(b"PK\x03\x04")
    with pytest.raises(CheckpointError, match="cannot read the checkpoint"):
        models.create_model(str(config_file), tmp_path / "cut.pt")
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        models.create_model(str(config_file), tmp_path / "none.pt")


@pytest.mark.parametrize("name", ["ViT-B-16", "ViT-B-32", "MobileCLIP2-S0", "MobileCLIP-S1", "RN50"])
def test_preprocessing_and_tokenizer_are_the_models(name: str) -> None:
    config = resolve_config(f"open_clip:{name}")
    tags = open_clip.list_pretrained_tags_by_model(name)
    stated = open_clip.pretrained.get_pretrained_cfg(name, tags[0])
    theirs = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(
            size=config.preprocess.image_size,
            **{key: stated[key] for key in ("mean", "std", "interpolation", "resize_mode") if key in stated},
        ),
        is_train=False,
    )
    pixels = np.random.default_rng(0).integers(0, 256, (301, 417, 3), np.uint8)
    image = Image.fromarray(pixels)
    difference = np.abs(models.get_preprocess(f"open_clip:{name}")(image) - theirs(image).numpy())
    assert difference.max() <= 1.01 / 255 / min(config.preprocess.std)
    texts = ["a photo of a cat", "naïve café, 12 dogs!", "word " * 100]
    found = models.get_tokenizer(f"open_clip:{name}")(texts)
    np.testing.assert_array_equal(found, open_clip.get_tokenizer(name)(texts).numpy())


def test_squashed_images() -> None:
    from pocketclip.models.pixels.preprocess import PreprocessSpec, ResizeMode, preprocess

    left_black = Image.new("RGB", (200, 100), "white")
    left_black.paste("black", (0, 0, 100, 100))
    squashed = preprocess(left_black, PreprocessSpec(64, resize_mode=ResizeMode.SQUASH))
    assert squashed[:, :, :30].max() < 0.05
    assert squashed[:, :, 34:].min() > 0.95


def test_tags_bring_their_settings() -> None:
    openai = resolve_config("open_clip:ViT-B-16", weights="openai")
    assert openai.name == "open_clip-ViT-B-16-openai"
    assert openai.architecture["quick_gelu"] is True
    assert openai.preprocess.mean == pytest.approx((0.4815, 0.4578, 0.4082), abs=1e-4)
    with pytest.raises(ConfigError, match="no pretrained tag 'openai9'; choose among: openai"):
        resolve_config("open_clip:ViT-B-16", weights="openai9")


def test_unknown_and_unsupported_architectures(config_file: Path) -> None:
    with pytest.raises(UnknownModelError, match="similar names: ViT-B-16"):
        resolve_config("open_clip:ViT-B-61")
    with pytest.raises(ConfigError, match="its own tokenizer"):
        resolve_config("open_clip:ViT-B-16-SigLIP")
    content = json.loads(config_file.read_text())
    content["architecture"]["vision_cfg"]["wings"] = 2
    config_file.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="OpenCLIP cannot build own"):
        models.create_model(str(config_file))


@pytest.mark.parametrize(
    ("name", "image_m", "text_m"),
    [("tinyclip_40m_32_text_19m", 39.7, 19.2), ("tinyclip_61m_32_text_29m", 61.5, 28.7)],
)
def test_tinyclip_has_the_published_sizes(name: str, image_m: float, text_m: float) -> None:
    with torch.device("meta"):
        model = OpenClipModel(load_config(name))
    embedding = model.clip.text.token_embedding.weight.numel()
    sizes = [sum(p.numel() for p in tower.parameters()) for tower in (model.clip.visual, model.clip.text)]
    # The paper's name counts the text tower without its embedding.
    assert sizes[0] / 1e6 == pytest.approx(image_m, abs=0.5)
    assert (sizes[1] - embedding) / 1e6 == pytest.approx(text_m, abs=0.5)


@pytest.mark.slow
def test_export_of_an_own_model(pocketclip, config_file: Path, tmp_path: Path) -> None:
    made = pocketclip(
        "export", "--model", config_file, "--target", "onnx,tflite,executorch,coreml", "--fresh-weights",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert made.stdout.count("passed") == 8
    scored = pocketclip("eval", "--artifact", tmp_path / "out", "--count", "24", "--store", tmp_path / "s.sqlite")
    assert scored.returncode == 0, scored.stderr
