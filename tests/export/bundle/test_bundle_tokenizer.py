"""The tokenizer as plain numbers gives OpenCLIP's ids."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketclip.export.bundle.golden import SENTENCES
from pocketclip.export.bundle.prompts import choose_templates
from pocketclip.export.bundle.tokenizer import BundleTokenizer, write_tokenizer
from pocketclip.models import get_tokenizer
from pocketclip.models.text.tokenizer import Tokenizer, TokenizerSpec, load_tokenizer
from pocketclip.models.text.vocabulary import prune_vocabulary


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> BundleTokenizer:
    return stored(get_tokenizer("mobileclip_s0"), tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> BundleTokenizer:
    return stored(get_tokenizer("pocketclip_nano"), tmp_path_factory.mktemp("pruned"))


def stored(tokenizer: Tokenizer, folder: Path) -> BundleTokenizer:
    return BundleTokenizer(write_tokenizer(folder, tokenizer), folder)


def test_reference_ids(full: BundleTokenizer, reference_data: Path) -> None:
    for entry in json.loads((reference_data / "tokenizer.golden.json").read_text()):
        np.testing.assert_array_equal(full(entry["text"])[0], entry["ids"], entry["text"])


@pytest.mark.parametrize("sentence", SENTENCES)
def test_golden_sentences(full: BundleTokenizer, pruned: BundleTokenizer, sentence: str) -> None:
    np.testing.assert_array_equal(full(sentence), get_tokenizer("mobileclip_s0")(sentence))
    np.testing.assert_array_equal(pruned(sentence), get_tokenizer("pocketclip_nano")(sentence))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_any_text(full: BundleTokenizer, pruned: BundleTokenizer, text: str) -> None:
    assert full.encode(text) == get_tokenizer("mobileclip_s0").encode(text)
    assert pruned.encode(text) == get_tokenizer("pocketclip_nano").encode(text)


def test_vocabulary_of_bytes_alone(tmp_path: Path) -> None:
    """Every merge is taken back."""
    bare = Tokenizer(40, prune_vocabulary([]))
    assert stored(bare, tmp_path).encode("A red circle!") == bare.encode("A red circle!")
    assert len(bare.encode("red")) == 3


@pytest.mark.parametrize(
    ("vocabulary", "templates"), [("scenes", "scenes"), ("pictures", "pictures"), ("pictures_frequent", "pictures")]
)
def test_templates_follow_the_vocabulary(vocabulary: str, templates: str) -> None:
    tokenizer = load_tokenizer(TokenizerSpec(context_length=32, vocabulary=vocabulary))
    assert choose_templates(None, tokenizer).name == templates
    assert choose_templates("simple", tokenizer).name == "simple"


def test_templates_of_the_whole_vocabulary_are_openais() -> None:
    assert choose_templates(None, load_tokenizer(TokenizerSpec(context_length=77))).name == "openai"
