"""Configurations are read strictly, and the registry names what exists."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pocketclip import models
from pocketclip.models import documents
from pocketclip.models.config import ModelConfig
from pocketclip.models.errors import ConfigError, UnknownModelError
from pocketclip.models.modifications import modify
from pocketclip.models.registry import MODELS, find_model, load_config


@pytest.mark.parametrize("name", MODELS)
def test_every_registered_config_reads_and_round_trips(name: str) -> None:
    config = load_config(name)
    again = documents.parse(type(config), documents.to_json(config), source="copy", error=ConfigError)
    assert again == config
    assert again.sha256 == config.sha256


def test_unknown_model_lists_those_that_exist() -> None:
    with pytest.raises(UnknownModelError, match="mobileclip_s0"):
        models.create_model("mobileclip_s9")
    with pytest.raises(AttributeError):
        _ = models.nothing


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("embedding_dim", 0, "embedding_dim must be positive"),
        ("embedding_dim", "128", "embedding_dim"),
        ("image.stages.0.mixer_kernel", 4, "mixer_kernel must be an odd number"),
        ("image.stages.1.width", 48, "not a multiple of stage 0's 32"),
        ("image.stages.3.mixer", "convolution", "mixer"),
        ("image.head_dim", 48, "not a multiple of head_dim"),
        ("image.stages", [], "at least one stage"),
        ("text.heads", 3, "not a multiple of heads"),
        ("preprocess.image_size", 65, "not a multiple of 32"),
        ("image.stages.0.ffn_ratio", 0.001, "stage: ffn_ratio 0.001 leaves no hidden channel at width 32"),
        ("text.ffn_ratio", 0.005, "text tower: ffn_ratio 0.005 leaves no hidden channel at width 128"),
        ("text.colour", "red", "colour"),
    ],
)
def test_bad_values_are_named(path: str, value: object, complaint: str, tmp_path: Path) -> None:
    content = json.loads(find_model("pocketclip_nano").config_path.read_text())
    *parents, last = path.split(".")
    place = content
    for part in parents:
        place = place[int(part)] if part.isdigit() else place[part]
    place[int(last) if last.isdigit() else last] = value
    file = tmp_path / "config.json"
    file.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=complaint) as caught:
        documents.read(ModelConfig, file, error=ConfigError)
    assert str(file) in str(caught.value)


def test_config_file_faults(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        documents.read(ModelConfig, tmp_path / "none.json", error=ConfigError)
    (tmp_path / "cut.json").write_text('{"name": "x"')
    with pytest.raises(ConfigError, match="not a valid ModelConfig"):
        documents.read(ModelConfig, tmp_path / "cut.json", error=ConfigError)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("image.stages.0.depth", 2**63 - 1),
        ("image.stages.0.width", 10**6),
        ("image.stages.0.ffn_kernel", 10**6 + 1),
        ("text.width", 2**40),
        ("embedding_dim", 10**9),
        ("tokenizer.context_length", 10**6),
        ("preprocess.image_size", 2**20),
    ],
)
def test_a_model_that_no_memory_holds_is_refused(path: str, value: int) -> None:
    with pytest.raises(ConfigError, match=r"at most|from 1 to 255|to 4096"):
        modify(load_config("pocketclip_nano"), {path: value})
