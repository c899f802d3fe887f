"""MobileCLIP's published architecture, to the value: keys, embeddings, folded form."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketclip import models

TOLERANCE = 1e-4
FOLDED_PARAMETERS_M = {
    "mobileclip_s0": (11.4, 42.4),
    "mobileclip_s1": (21.5, 63.4),
    "mobileclip_s2": (35.7, 63.4),
    "mobileclip_b": (86.3, 63.4),
}


@pytest.mark.parametrize("name", FOLDED_PARAMETERS_M)
def test_state_dict_has_the_official_entries_in_order(name: str, reference_data: Path) -> None:
    expected = json.loads((reference_data / f"{name}.keys.json").read_text())
    with torch.device("meta"):
        state = models.ClipModel(models.load_config(name)).state_dict()
    found = [[key, list(value.shape), str(value.dtype).removeprefix("torch.")] for key, value in state.items()]
    assert found == [[key, shape, dtype.removeprefix("torch.")] for key, shape, dtype in expected]


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDED_PARAMETERS_M)
def test_embeddings_match_in_both_forms(name: str, reference_data: Path, golden_inputs) -> None:
    golden = np.load(reference_data / f"{name}.golden.npz")
    model = models.create_model(name)
    golden_inputs.fill(model)
    images = golden_inputs.images(model.config.preprocess.image_size)
    tokens = golden_inputs.tokens()
    np.testing.assert_array_equal(tokens.numpy(), golden["tokens"])
    folded = models.reparameterize(model)
    with torch.inference_mode():
        for form, suffix in ((model, ""), (folded, "_reparameterized")):
            for tower, found in (("image", form.encode_image(images)), ("text", form.encode_text(tokens))):
                difference = np.abs(found.numpy() - golden[f"{tower}_embedding{suffix}"]).max()
                assert difference <= TOLERANCE, (form, tower)
    sizes = [
        sum(parameter.numel() for parameter in tower.parameters()) / 1e6
        for tower in (folded.image_encoder, folded.text_encoder)
    ]
    assert sizes == pytest.approx(FOLDED_PARAMETERS_M[name], abs=0.06)
