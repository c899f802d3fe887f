"""The tokenizer against OpenCLIP's ids, and pruned vocabularies."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketclip.models import get_tokenizer
from pocketclip.models.errors import ConfigError, VocabularyError
from pocketclip.models.scenes import all_words
from pocketclip.models.text.tokenizer import Tokenizer, TokenizerSpec, clip_bpe, load_tokenizer, merge_parts
from pocketclip.models.text.vocabulary import (
    BYTE_TOKENS,
    SPECIAL_TOKENS,
    Vocabulary,
    load_vocabulary,
    prune_vocabulary,
    save_vocabulary,
)


def test_full_vocabulary_equals_openclip(reference_data: Path) -> None:
    golden = json.loads((reference_data / "tokenizer.golden.json").read_text())
    ids = get_tokenizer("mobileclip_s0")([entry["text"] for entry in golden])
    assert ids.dtype == np.int32
    np.testing.assert_array_equal(ids, [entry["ids"] for entry in golden])


def test_long_text_is_cut_and_still_ends() -> None:
    tokenizer = Tokenizer(8)
    row = tokenizer("one two three four five six seven eight nine ten")[0]
    assert (row[0], row[-1]) == SPECIAL_TOKENS


def test_shipped_vocabulary_is_what_the_scenes_need() -> None:
    words = {token for word in all_words() for token in clip_bpe().encode(word)}
    punctuation = set(clip_bpe().encode(". , ' - !"))
    assert load_vocabulary("scenes").kept_ids == prune_vocabulary(words | punctuation).kept_ids


def test_pruned_ids_decode_to_the_same_text() -> None:
    pruned = get_tokenizer("pocketclip_nano")
    assert pruned.vocabulary is not None
    for text in (
        "a red circle on a blue background",
        "an axolotl, naïve café 日本語 🙂",
        "fjörd <b>&amp;</b>",
    ):
        kept = [pruned.vocabulary.kept_ids[new] for new in pruned.encode(text)]
        assert clip_bpe().decode(kept).split() == clip_bpe().decode(clip_bpe().encode(text)).split()


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60))
def test_any_text_encodes_within_a_pruned_vocabulary(text: str) -> None:
    row = get_tokenizer("pocketclip_nano")(text)[0]
    size = get_tokenizer("pocketclip_nano").size
    end = int(row.argmax())
    assert row[end] == size - 1 and (row[:end] < size - 1).all() and not row[end + 1 :].any()


def test_known_words_stay_one_token() -> None:
    vocabulary = prune_vocabulary(clip_bpe().encode("circle"))
    (whole,) = vocabulary.remap(clip_bpe().encode("circle"), merge_parts())
    assert vocabulary.kept_ids[whole] == clip_bpe().encode("circle")[0]
    assert len(vocabulary.remap(clip_bpe().encode("octagonal"), merge_parts())) > 1


@pytest.mark.parametrize(
    ("ids", "complaint"),
    [
        ([*range(BYTE_TOKENS), *SPECIAL_TOKENS, 49408], "0 to 49407"),
        ([*range(BYTE_TOKENS)], "lack 2 required ids"),
        ([1, 0], "ascending"),
    ],
)
def test_malformed_vocabularies_are_refused(ids: list[int], complaint: str) -> None:
    with pytest.raises(VocabularyError, match=complaint):
        Vocabulary(ids)


def test_vocabulary_files(tmp_path: Path) -> None:
    save_vocabulary(prune_vocabulary([1000]), tmp_path / "mine.json", description="test")
    spec = TokenizerSpec(context_length=16, vocabulary="mine.json")
    assert load_tokenizer(spec, tmp_path).size == BYTE_TOKENS + 3
    with pytest.raises(VocabularyError, match="choose among: pictures, pictures_frequent, scenes"):
        load_vocabulary("nonsense")
    (tmp_path / "mine.json").write_text('{"schema_version": 1}')
    with pytest.raises(VocabularyError, match="kept_ids"):
        load_tokenizer(spec, tmp_path)
    with pytest.raises(ConfigError, match=r"3 .*to 4096"):
        TokenizerSpec(context_length=2)
