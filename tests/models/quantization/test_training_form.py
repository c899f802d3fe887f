"""What is rounded, that it learns, and that what comes out is an ordinary model."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pocketclip.models.checkpoints.checkpoint import save_weights
from pocketclip.models.config import ModelConfig
from pocketclip.models.errors import CheckpointError, NonFiniteError
from pocketclip.models.quantization.loading import load_any_form
from pocketclip.models.quantization.schemes import QatScheme
from pocketclip.models.quantization.sites import activation_sites, weight_sites
from pocketclip.models.quantization.trained import PREFIX, SCHEME_ENTRY, Side, TrainedQuantization
from pocketclip.models.quantization.training_form import plain_form, quantized_form, start_ranges
from pocketclip.models.registry import create_model, load_config
from pocketclip.models.towers.clip import ClipModel, reparameterize


def nano() -> ClipModel:
    model = create_model("pocketclip_nano")
    assert isinstance(model, ClipModel)
    return model


def embeddings(model: ClipModel) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    ids = torch.randint(1, 500, (4, model.config.tokenizer.context_length), generator=torch.Generator().manual_seed(1))
    ids[:, 7] = model.text_encoder.vocabulary_size - 1
    with torch.inference_mode():
        image, text, _ = model(images, ids)
    return image, text


def trained(scheme: QatScheme) -> ClipModel:
    model = quantized_form(nano(), scheme).eval()
    embeddings(model)
    start_ranges(model)
    return plain_form(model, scheme)


@pytest.mark.parametrize("scheme", QatScheme)
def test_before_rounding_the_form_computes_the_same(scheme: QatScheme) -> None:
    model = quantized_form(nano(), scheme).eval()
    for _, module in model.named_modules():
        if hasattr(module, "log_scale"):
            # A scale of next to nothing rounds to everything.
            module.grid = type(module.grid)(24, module.grid.channels, module.grid.block, module.grid.summed)
            with torch.no_grad():
                module.log_scale -= 8
    for found, expected in zip(embeddings(model), embeddings(nano()), strict=True):
        assert torch.allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("scheme", QatScheme)
def test_rounding_shows_and_stays_near(scheme: QatScheme) -> None:
    for found, expected in zip(embeddings(trained(scheme)), embeddings(nano()), strict=True):
        cosines = (found * expected).sum(-1)
        assert 0.9 < cosines.min() < 0.99999


def test_sensitive_weights_and_spatial_kernels_keep_eight_bits() -> None:
    folded = reparameterize(nano())
    bits = {
        f"{site.module}.{site.name}": site.grid.bits for site in weight_sites(folded, QatScheme.INT4_WEIGHTS.traits)
    }
    assert bits["image_encoder.model.network.1.proj.1.reparam_conv.weight"] == 8
    assert bits["image_encoder.model.head.proj"] == 8
    assert bits["image_encoder.model.network.2.0.1.module.conv.weight"] == 8
    assert bits["image_encoder.model.network.2.0.1.module.fc1.weight"] == 4
    assert bits["text_encoder.embedding_layer.weight"] == 4
    assert bits["text_encoder.projection_layer"] == 4
    assert not any("pos_embed" in name or "bias" in name for name in bits)


def test_activations_are_those_of_dense_products() -> None:
    folded = reparameterize(nano())
    sites = activation_sites(folded)
    assert "image_encoder.model.network.2.0.1.module.fc1" in sites
    assert "text_encoder.transformer.1.pre_norm_ffn.4" in sites
    # Depthwise convolutions stay in float.
    assert "image_encoder.model.network.2.0.1.module.conv" not in sites


def test_copies_learn_apart() -> None:
    """An average of weights is a copy: it must not share its scales with what it averages."""
    model = quantized_form(nano(), QatScheme.INT8_STATIC)
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert any(parameter.abs().sum() > 0 for parameter in model.parameters())


@pytest.mark.parametrize("scheme", QatScheme)
def test_saved_and_loaded_it_is_the_same_model(scheme: QatScheme, tmp_path: Path) -> None:
    model, path = trained(scheme), tmp_path / "weights.safetensors"
    save_weights(model, path)
    loaded = load_any_form(nano(), path).eval()
    assert isinstance(loaded.quantization, TrainedQuantization) and isinstance(model.quantization, TrainedQuantization)
    assert loaded.quantization.scheme is scheme
    assert set(loaded.quantization.ranges()) == set(model.quantization.ranges())
    assert bool(loaded.quantization.ranges()) is scheme.traits.activations
    for found, expected in zip(embeddings(loaded), embeddings(model), strict=True):
        assert torch.equal(found, expected)


def test_ordinary_weights_make_an_ordinary_model(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(nano(), path)
    assert load_any_form(nano(), path).quantization is None


RANGE = f"{PREFIX}text_encoder/transformer/1/pre_norm_ffn/4:{Side.INPUT}"


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({SCHEME_ENTRY: torch.tensor(list(b"int3"), dtype=torch.uint8)}, CheckpointError, "int3"),
        ({SCHEME_ENTRY: torch.zeros(3, 3)}, CheckpointError, "no scheme"),
        ({SCHEME_ENTRY: torch.zeros(10_000)}, CheckpointError, "no scheme"),
        ({RANGE: torch.tensor([1.0, 2.0])}, CheckpointError, "without zero"),
        ({RANGE: torch.tensor([0.0, 0.0])}, CheckpointError, "without zero"),
        ({RANGE: torch.tensor([0.0, torch.nan])}, NonFiniteError, "NaN"),
        ({RANGE: torch.tensor([0.0])}, CheckpointError, "shape"),
        ({f"{PREFIX}no/such\x1b[31m:input": torch.tensor([0.0, 1.0])}, CheckpointError, "does not have"),
    ],
)
def test_damaged_files_are_refused(
    changed: dict[str, torch.Tensor], error: type[Exception], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(trained(QatScheme.INT8_STATIC), path)
    save_file({**load_file(path), **changed}, path)
    with pytest.raises(error, match=words) as caught:
        load_any_form(nano(), path)
    assert "\x1b" not in str(caught.value)


def test_keys_that_are_no_text_are_passed_over_as_in_other_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(trained(QatScheme.INT8_STATIC), path)
    torch.save({**load_file(path), 5: torch.zeros(1)}, tmp_path / "weights.pt")
    loaded = load_any_form(nano(), tmp_path / "weights.pt")
    assert isinstance(loaded.quantization, TrainedQuantization)


def test_a_config_of_another_name_is_kept() -> None:
    config = load_config("pocketclip_nano")
    assert isinstance(config, ModelConfig)
    assert trained(QatScheme.INT4_WEIGHTS).config == config
