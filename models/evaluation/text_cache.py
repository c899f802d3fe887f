"""Class embeddings on disk: 80,000 prompts of ImageNet are encoded once per model, not once per data set or run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pocketclip.models.errors import NonFiniteError
from pocketclip.models.evaluation.embedding_file import DamagedEmbeddingsError, read_embeddings, write_embeddings
from pocketclip.models.evaluation.encoders import Embeddings, Encoder, TextEncoder
from pocketclip.models.evaluation.prompts import PromptSet

Advance = Callable[[int], object]


def class_embeddings(prompts: PromptSet, encoder: TextEncoder, advance: Advance = lambda count: None) -> Embeddings:
    """One row per class: the mean of its prompts' normalised embeddings, normalised again (CLIP, section 3.1.4).

    Args:
        prompts: K classes.
        encoder: what embeds them, a class at a time.
        advance: called with the number of prompts done.

    Returns:
        `(K, D)` float32.

    Raises:
        NonFiniteError: an embedding is NaN or infinite, or a class's prompts cancel each other out.
    """
    rows: list[Embeddings] = []
    for sentences in prompts.prompts:
        mean = encoder.encode_texts(sentences).mean(0)
        norm = np.linalg.norm(mean)
        if not norm > 0:
            raise NonFiniteError(f"the prompts of {sentences[0]!r} cancel each other out: their mean is zero")
        rows.append((mean / norm).astype(np.float32))
        advance(len(sentences))
    return np.stack(rows)


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
