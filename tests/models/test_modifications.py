"""Models changed by configuration: what is built, what is refused, and the family that ships."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from pocketclip import models
from pocketclip.models.blocks.embedding import LowRankEmbedding
from pocketclip.models.errors import ConfigError, UnknownModelError
from pocketclip.models.registry import MODELS, load_config, resolve_config, shipped_weights
from pocketclip.models.text.tokenizer import load_tokenizer
from pocketclip.models.towers.clip import ClipModel

NANO = "pocketclip_nano"


@pytest.mark.parametrize(
    "changes",
    [
        ["image.stages.0.mixer=attention"],
        ["image.stages.3.mixer=repmixer", "image.stages.3.mixer_kernel=5"],
        ["image.stages.1.mixer=large_kernel"],
        ["image.stages.2.mixer=pooling"],
        ["image.stages.1.ffn_kernel=3", "image.stages.1.downsample_kernel=5", "image.position_kernel=3"],
        ["image.stages.1.depth=3", "image.stages.3.width=384", "image.stages.0.ffn_ratio=2.0"],
        ["image.activation=gelu_tanh", "text.activation=hardswish"],
        ["image.expansion_squeeze_excite=false", "image.stages.3.downsample_squeeze_excite=false"],
        ["preprocess.image_size=96"],
        ['text.blocks=["attention","repmixer"]', "text.mixer_kernel=5"],
        ["text.width=96", "text.heads=3", "text.ffn_ratio=2.0", "tokenizer.context_length=16"],
        ["tokenizer.vocabulary=null", "text.embedding_rank=16"],
    ],
    ids=lambda changes: changes[0],
)
def test_changed_models_run_and_fold(changes: list[str]) -> None:
    model = models.create_model(NANO, changes=changes)
    size, length = model.config.preprocess.image_size, model.config.tokenizer.context_length
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    ids = torch.from_numpy(load_tokenizer(model.config.tokenizer)(["a red circle", "two"]))
    folded = models.reparameterize(model)
    with torch.inference_mode():
        for form in (model, folded):
            assert form.encode_image(images).shape == (2, 128)
            assert ids.shape == (2, length)
        torch.testing.assert_close(folded.encode_image(images), model.encode_image(images), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(folded.encode_text(ids), model.encode_text(ids), atol=1e-4, rtol=1e-4)


def test_changes_reach_the_modules() -> None:
    model = models.create_model(NANO, changes=["image.activation=relu", "text.embedding_rank=16"])
    kinds = {type(module) for module in model.image_encoder.modules()}
    assert nn.ReLU in kinds
    assert nn.GELU not in kinds
    assert isinstance(model.text_encoder.embedding_layer, LowRankEmbedding)
    assert shipped_weights(model.config) is None


def test_fresh_weights_are_the_same_each_time() -> None:
    first, second = (models.create_model(NANO, changes=["text.embedding_rank=16"]).state_dict() for _ in range(2))
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("image.stages.4.depth=1", "image.stages has the indices 0 to 3, not '4'"),
        ("image.stages.².depth=1", "image.stages has the indices 0 to 3, not '²'"),
        (f"image.stages.{'9' * 5000}.depth=1", "image.stages has the indices 0 to 3, not"),
        ("image.stage=1", "image has no 'stage'; it has: stages"),
        ("text.width.half=1", "text.width is 128, a single value"),
        ("image.stages.3.mixer=conv", "image.stages.3.mixer: Input should be 'repmixer', 'attention'"),
        ("image.stages.3.mixer_kernel=3", "no effect on attention"),
        ("text.embedding_rank=128", "must lie between 0 and the width 128"),
        ("text.blocks=[]", "at least one block"),
        ("image.stages.2.width=100", "not a multiple of stage 1's 64"),
        ("preprocess.image_size=NaN", "image_size"),
        ("mixer", "write PATH=VALUE"),
    ],
)
def test_bad_changes_are_named(change: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_config(NANO, [change])
    assert complaint in str(caught.value)
    with pytest.raises(ConfigError, match="set twice"):
        resolve_config(NANO, ["embedding_dim=64", "embedding_dim=96"])


def test_names_follow_the_result() -> None:
    one = resolve_config(NANO, ["embedding_dim=64", "image.expansion=1"])
    other = resolve_config(NANO, ["image.expansion=1", "embedding_dim=64"])
    assert one.name == other.name
    assert one.name.startswith(f"{NANO}-")
    assert one.name != resolve_config(NANO, ["embedding_dim=64"]).name
    assert one.description == f"{NANO} with embedding_dim=64, image.expansion=1"


def test_file_that_names_its_base(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    content = {"name": "mine", "description": "A test", "base": NANO, "changes": {"embedding_dim": 64}}
    file.write_text(json.dumps(content))
    config = resolve_config(str(file), ["image.expansion=1"])
    assert (config.embedding_dim, resolve_config(str(file)).name) == (64, "mine")
    file.write_text(json.dumps(content | {"base": "mobileclip_s9"}))
    with pytest.raises(UnknownModelError, match="mobileclip_s0"):
        resolve_config(str(file))
    file.write_text(json.dumps(content | {"changes": {"embedding": 64}}))
    with pytest.raises(ConfigError, match="has no 'embedding'"):
        resolve_config(str(file))
    with pytest.raises(ConfigError, match="cannot read"):
        resolve_config(str(tmp_path / "none.json"))


def test_vocabulary_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pocketclip.models.text.vocabulary import load_vocabulary, save_vocabulary

    save_vocabulary(load_vocabulary("pictures"), tmp_path / "words.json", description="A copy")
    content = {"name": "mine", "description": "", "base": NANO, "changes": {"tokenizer.vocabulary": "words.json"}}
    (tmp_path / "mine.json").write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path.parent)
    config = resolve_config(f"{tmp_path.name}/mine.json")
    assert load_tokenizer(config.tokenizer).size == models.get_tokenizer(NANO).size


# The tuned one is smaller than what it was made from.
FAMILY = [name for name in MODELS if name.startswith("pocketclip_") and name != "pocketclip_nano_tuned"]


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILY)
def test_family_is_between_nano_and_s0(name: str) -> None:
    config = load_config(name)
    with torch.device("meta"):
        parameters = {
            each: sum(p.numel() for p in ClipModel(load_config(each)).parameters())
            for each in (NANO, name, "mobileclip_s0")
        }
    assert parameters[NANO] <= parameters[name] <= parameters["mobileclip_s0"]
    assert len(config.description) > 40, "each member says what it is for"
    assert len(FAMILY) >= 7
