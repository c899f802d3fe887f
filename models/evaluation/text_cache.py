"""Class embeddings on disk: 80,000 prompts of ImageNet are encoded once per model, not once per data set or run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from pocketclip.models.errors import NonFiniteError
from pocketclip.models.evaluation.embedding_file import DamagedEmbeddingsError, read_embeddings, write_embeddings
from pocketclip.models.evaluation.encoders import Embeddings, Encoder, TextEncoder
from pocketclip.models.evaluation.prompts import PromptSet

Advance = Callable[[int], object]
# Few templates a class would leave most of a batch empty.
_PROMPTS_AT_ONCE = 256


def class_embeddings(prompts: PromptSet, encoder: TextEncoder, advance: Advance = lambda count: None) -> Embeddings:
    """One row per class: the mean of its prompts' normalised embeddings, normalised again (CLIP, section 3.1.4).

    Args:
        prompts: K classes.
        encoder: what embeds them, some hundred at a time.
        advance: called with the number of prompts done.

    Returns:
        `(K, D)` float32.

    Raises:
        NonFiniteError: an embedding is NaN or infinite, or a class's prompts cancel each other out.
    """
    rows: list[Embeddings] = []
    for group in _groups(prompts):
        encoded = encoder.encode_texts([sentence for sentences in group for sentence in sentences])
        ends = np.cumsum([len(sentences) for sentences in group])
        for sentences, embeddings in zip(group, np.split(encoded, ends[:-1]), strict=True):
            mean = embeddings.mean(0)
            norm = np.linalg.norm(mean)
            if not norm > 0:
                raise NonFiniteError(f"the prompts of {sentences[0]!r} cancel each other out: their mean is zero")
            rows.append((mean / norm).astype(np.float32))
            advance(len(sentences))
    return np.stack(rows)


def _groups(prompts: PromptSet) -> Iterator[list[tuple[str, ...]]]:
    """Classes in their order, so many together that an encoder gets its batches full."""
    group: list[tuple[str, ...]] = []
    for sentences in prompts.prompts:
        group.append(sentences)
        if sum(map(len, group)) >= _PROMPTS_AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def cached_class_embeddings(
    folder: Path,
    prompts: PromptSet,
    encoder: Encoder,
    advance: Advance = lambda count: None,
    warn: Callable[[str], object] = lambda message: None,
) -> Embeddings:
    """`class_embeddings` from the cache, or made and put there.

    An entry that is damaged is told by `warn` and made anew.

    Raises:
        NonFiniteError: as `class_embeddings`.
        StorageError: the folder cannot be written.
    """
    key = cache_key(prompts, encoder)
    path = folder / f"{key}.safetensors"
    if path.is_file():
        try:
            found = read_embeddings(path, key, len(prompts.prompts))
        except DamagedEmbeddingsError as error:
            warn(f"the cached text embeddings {path} are damaged ({error}) and will be computed again")
        else:
            advance(prompts.count)
            return found
    made = class_embeddings(prompts, encoder, advance)
    write_embeddings(path, key, made)
    return made


def cache_key(prompts: PromptSet, encoder: Encoder) -> str:
    """What decides the embeddings: text tower or weights, tokenizer, what executes it, and every prompt."""
    identity = encoder.identity
    words = (identity.text_sha256, identity.inputs, identity.executed_by, prompts.sha256)
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()
