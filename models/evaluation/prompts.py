"""Prompts for zero-shot classification: templates with a place for the class, and the prompts they give."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pocketclip.models.data.word_lists import read_words
from pocketclip.models.errors import PromptError
from pocketclip.models.open_clip_files import open_clip_file

_PLACES = re.compile(r"\{(?:c|classname)?\}")


class Templates(Protocol):
    """A named way to word a class."""

    @property
    def name(self) -> str:
        """How records and messages call it."""
        ...

    def prompts(self, class_name: str) -> list[str]:
        """The sentences of one class."""
        ...


@dataclass(frozen=True)
class TextTemplates:
    """Sentences in which `{}` stands for the class."""

    name: str
    texts: tuple[str, ...]

    def prompts(self, class_name: str) -> list[str]:
        return [text.replace("{}", class_name) for text in self.texts]


@dataclass(frozen=True)
class SceneTemplates:
    """The templates of the generated scenes, with the right article before each class."""

    name: str = "scenes"

    def prompts(self, class_name: str) -> list[str]:
        from pocketclip.models.scenes import class_prompts

        return class_prompts(class_name)


@dataclass(frozen=True)
class PromptSet:
    """The prompts of every class, in the order of the classes."""

    templates: str
    prompts: tuple[tuple[str, ...], ...]

    @property
    def sha256(self) -> str:
        """Identity of all prompts and of what class each belongs to."""
        return hashlib.sha256(json.dumps(self.prompts).encode()).hexdigest()

    @property
    def count(self) -> int:
        """Prompts of all classes together."""
        return sum(len(prompts) for prompts in self.prompts)


def prompt_set(class_names: Sequence[str], templates: Templates) -> PromptSet:
    """Every class in every template."""
    return PromptSet(templates.name, tuple(tuple(templates.prompts(name)) for name in class_names))


def load_templates(reference: str) -> Templates:
    """Templates by name, or from a file.

    Args:
        reference: `openai` (the 80 of CLIP's ImageNet ensemble), `simple` (the 7 best of them), `scenes`, `pictures`
            (those of the set of pictures), or the path of a file with one template a line, a JSON or a Python list of
            them, in which `{}`, `{c}` or `{classname}` stands for the class.

    Raises:
        PromptError: the file cannot be read, is empty, or has lines without a place for the class.
    """
    if reference == "scenes":
        return SceneTemplates()
    if reference == "pictures":
        from pocketclip.models.pictures.captions import EVALUATION_TEMPLATES, PHOTOGRAPH_TEMPLATES

        return TextTemplates(reference, tuple(dict.fromkeys((*EVALUATION_TEMPLATES, *PHOTOGRAPH_TEMPLATES))))
    if reference in ("openai", "simple"):
        texts = open_clip_file("zero_shot_metadata")
        packaged = texts.OPENAI_IMAGENET_TEMPLATES if reference == "openai" else texts.SIMPLE_IMAGENET_TEMPLATES
        return TextTemplates(reference, tuple(template("{}") for template in packaged))
    return read_templates(Path(reference))


def read_templates(path: Path) -> TextTemplates:
    """Templates from a file: one a line, JSON or a Python list (`models.data.word_lists`); see `load_templates`."""
    try:
        lines = read_words(path, "templates", error=PromptError)
    except PromptError as error:
        raise PromptError(f"{error}", fix="name openai, simple, scenes, pictures or a file of templates") from error
    texts = list(dict.fromkeys(line for line in lines if line))
    if not texts:
        raise PromptError(f"{path} holds no template", fix="write one per line, with {} in place of the class")
    without = [text for text in texts if not _PLACES.search(text)]
    if without:
        raise PromptError(
            f"{path}: {len(without)} of {len(texts)} templates have no {{}} for the class (first: {without[0]!r})",
            fix="write {} in place of the class",
        )
    return TextTemplates(path.name, tuple(_PLACES.sub("{}", text) for text in texts))
