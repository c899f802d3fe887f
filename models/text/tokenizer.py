"""The CLIP byte-pair tokenizer, with OpenCLIP's vocabulary and, where a model has one, a pruned vocabulary.

Ids are laid out as in CLIP: start (49406), text, end (49407, the highest id of any vocabulary), zeros.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pocketclip.models.documents import document
from pocketclip.models.errors import ConfigError
from pocketclip.models.open_clip_files import open_clip_file
from pocketclip.models.text.vocabulary import FULL_VOCABULARY_SIZE, Vocabulary, load_vocabulary

if TYPE_CHECKING:
    from open_clip.tokenizer import SimpleTokenizer

# Far above every published CLIP; positions beyond it would be built until the memory ends.
MOST_CONTEXT = 4096


@document
class TokenizerSpec:
    """How text becomes ids.

    `vocabulary` is None for CLIP's own 49,408 ids, else the name of a shipped vocabulary or the path of a
    vocabulary file relative to the document that names it.
    """

    context_length: int = 77
    vocabulary: str | None = None

    def __post_init__(self) -> None:
        if not 3 <= self.context_length <= MOST_CONTEXT:
            raise ConfigError(
                f"context_length must lie in 3 (start, one token, end) to {MOST_CONTEXT}, got {self.context_length}"
            )


class Tokenizer:
    """Turns texts into `(N, context_length)` int32 ids.

    Text that does not fit is cut and still ends with the end token, as in CLIP.
    """

    def __init__(self, context_length: int, vocabulary: Vocabulary | None = None) -> None:
        self.context_length = context_length
        self.vocabulary = vocabulary

    @property
    def size(self) -> int:
        """Number of ids, i.e. rows of the embedding table."""
        return FULL_VOCABULARY_SIZE if self.vocabulary is None else len(self.vocabulary)

    def encode(self, text: str) -> list[int]:
        """Ids of the text alone, neither framed nor cut."""
        ids: list[int] = clip_bpe().encode(text)
        return ids if self.vocabulary is None else self.vocabulary.remap(ids, merge_parts())

    def __call__(self, texts: str | Sequence[str]) -> np.ndarray:
        texts = [texts] if isinstance(texts, str) else texts
        start, end = self.size - 2, self.size - 1
        rows = np.zeros((len(texts), self.context_length), np.int32)
        for row, text in zip(rows, texts, strict=True):
            ids = [start, *self.encode(text), end][: self.context_length]
            ids[-1] = end
            row[: len(ids)] = ids
        return rows


def load_tokenizer(spec: TokenizerSpec, folder: Path | None = None) -> Tokenizer:
    """The tokenizer of a spec; relative vocabulary paths start at `folder`.

    Raises:
        VocabularyError: the vocabulary file is missing or malformed.
    """
    vocabulary = None if spec.vocabulary is None else load_vocabulary(spec.vocabulary, folder)
    return Tokenizer(spec.context_length, vocabulary)


@functools.cache
def clip_bpe() -> SimpleTokenizer:
    """OpenCLIP's tokenizer, loaded once."""
    return open_clip_file("tokenizer").SimpleTokenizer()


@functools.cache
def merge_parts() -> dict[int, tuple[int, int]]:
    """For every id that a merge made, the ids of its two parts."""
    bpe = clip_bpe()
    return {bpe.encoder["".join(pair)]: (bpe.encoder[pair[0]], bpe.encoder[pair[1]]) for pair in bpe.bpe_ranks}
