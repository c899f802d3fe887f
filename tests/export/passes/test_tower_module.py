"""The exported form of a tower equals the trained model, in fp32 and where fp16 sets traps."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from pocketclip.export.inputs.samples import PARITY_PHOTOGRAPHS, label_prompts, parity_inputs, scene_calibration_inputs
from pocketclip.export.passes.tower_module import example_input, tower_module
from pocketclip.export.precision import Tower
from pocketclip.models import create_model, load_config


@pytest.mark.parametrize("tower", Tower)
def test_equals_the_trained_model(tower: Tower) -> None:
    model = create_model("pocketclip_nano")
    exported = tower_module(model, tower)
    encode = model.encode_image if tower is Tower.IMAGE else model.encode_text
    with torch.inference_mode():
        for array in parity_inputs(model.config, tower)[::6]:
            x = torch.from_numpy(array)
            torch.testing.assert_close(exported(x), functional.normalize(encode(x), dim=-1), atol=2e-6, rtol=1e-5)


def test_first_end_of_text_counts() -> None:
    model = create_model("pocketclip_nano")
    exported = tower_module(model, Tower.TEXT)
    end = model.text_encoder.vocabulary_size - 1
    ids = example_input(model, Tower.TEXT)
    ids[0, 1:4] = torch.tensor([7, end, end])
    with torch.inference_mode():
        expected = functional.normalize(model.encode_text(ids), dim=-1)
        torch.testing.assert_close(exported(ids), expected, atol=2e-6, rtol=1e-5)


def test_neighbouring_ids_are_told_apart_in_fp16() -> None:
    # With CLIP's full vocabulary, start (49406) and end (49407) are the same number in fp16.
    assert torch.tensor(49406.0).half() == torch.tensor(49407.0).half()
    model = create_model("mobileclip_s0")
    exported = tower_module(model, Tower.TEXT).half()
    ids = example_input(model, Tower.TEXT)
    with torch.inference_mode():
        expected = functional.normalize(model.encode_text(ids), dim=-1)
        assert functional.cosine_similarity(exported(ids).float(), expected).item() > 0.999


def test_samples_are_real_and_kept_apart() -> None:
    config = load_config("pocketclip_nano")
    for tower in Tower:
        parity = {array.tobytes() for array in parity_inputs(config, tower)}
        calibration = {array.tobytes() for array in scene_calibration_inputs(config, tower, 40)}
        assert len(parity) >= 32
        if tower is Tower.IMAGE:
            assert not parity & calibration
    assert len(set(label_prompts())) == 120
    assert all(caption for caption in PARITY_PHOTOGRAPHS.values())
