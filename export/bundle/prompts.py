"""Prompt templates and label embeddings of a bundle."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketclip.export.bundle.manifest import Articles, PromptTemplates
from pocketclip.models.evaluation.prompts import SceneTemplates, Templates, TextTemplates, load_templates, prompt_set
from pocketclip.models.evaluation.text_cache import class_embeddings
from pocketclip.models.evaluation.zero_shot import checked_labels, list_labels
from pocketclip.models.scenes import CLASS_TEMPLATES
from pocketclip.models.text.tokenizer import Tokenizer
from pocketclip.models.text.vocabulary import load_vocabulary

Embeddings = NDArray[np.float32]
# What models of these vocabularies were trained on, by the templates that fit.
_TEMPLATES = {"scenes": "scenes", "pictures": "pictures", "pictures_frequent": "pictures"}
_DEFAULT = "openai"


def read_labels(text: str | None, file: Path | None) -> tuple[str, ...]:
    """Labels that a user gave as a list or a file; none at all where neither is given.

    Raises:
        LabelError: both are given, the file cannot be read, a label occurs twice or is another's
            equal to the model, or none is left.
    """
    if text is None and file is None:
        return ()
    return checked_labels(list_labels(text, file))


def choose_templates(reference: str | None, tokenizer: Tokenizer) -> Templates:
    """The templates that a user names, else those of what the model's vocabulary is for, else OpenAI's.

    Raises:
        PromptError: as `models.evaluation.prompts.load_templates`.
    """
    if reference is not None:
        return load_templates(reference)
    kept = None if tokenizer.vocabulary is None else tokenizer.vocabulary.kept_ids
    fitting = (templates for name, templates in _TEMPLATES.items() if kept == load_vocabulary(name).kept_ids)
    return load_templates(next(fitting, _DEFAULT))


def store_templates(templates: Templates) -> PromptTemplates:
    """Templates as a manifest has them."""
    if isinstance(templates, SceneTemplates):
        return PromptTemplates(templates.name, CLASS_TEMPLATES, Articles.ENGLISH)
    assert isinstance(templates, TextTemplates)
    return PromptTemplates(templates.name, templates.texts, Articles.AS_WRITTEN)


@dataclass(frozen=True)
class StoredTemplates:
    """A manifest's templates as `models.evaluation` takes them."""

    stored: PromptTemplates

    @property
    def name(self) -> str:
        return self.stored.name

    def prompts(self, class_name: str) -> list[str]:
        filled = [text.replace("{}", class_name) for text in self.stored.texts]
        if self.stored.articles is Articles.ENGLISH:
            filled = [re.sub(r"\ba (?=[aeiou])", "an ", text) for text in filled]
        return filled


@dataclass(frozen=True)
class OneByOne:
    """A text tower of batch 1 as an encoder of many sentences."""

    encode: Callable[[str], Embeddings]

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        return np.concatenate([self.encode(text) for text in texts])


def embed_labels(
    labels: Sequence[str],
    templates: PromptTemplates,
    encode: Callable[[str], Embeddings],
    advance: Callable[[int], object] = lambda count: None,
) -> Embeddings:
    """`(K, D)`: for each label the normalised mean of its prompts' embeddings.

    Args:
        labels: K labels.
        templates: what each is put into.
        encode: one sentence to a normalised `(1, D)`.
        advance: called with the number of prompts done.

    Raises:
        NonFiniteError: as `models.evaluation.text_cache.class_embeddings`.
    """
    return class_embeddings(prompt_set(labels, StoredTemplates(templates)), OneByOne(encode), advance)
