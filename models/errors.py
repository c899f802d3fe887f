"""The errors of `models`, and the root that every package's errors share.

Each error carries the exit code of the command line: 2 if you can fix the cause, 1 if the work itself
failed. A message says what failed, the given value, what is allowed and what to do next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


class PocketClipError(Exception):
    """Root of all errors that PocketCLIP raises on purpose.

    `fix` says what to do about it; it is the end of the message. `code` names the kind of error for programs and stays
    the same between versions: by default the class's name, e.g. `unknown-model` of `UnknownModelError`.
    """

    exit_code: int = 1
    code: str = "pocket-clip"
    fix: str | None = None

    def __init__(self, message: str = "", *, fix: str | None = None, code: str | None = None) -> None:
        super().__init__(f"{message}; {fix}" if fix else message)
        self.fix = fix
        if code is not None:
            self.code = code

    @property
    def what(self) -> str:
        """The message without the fix."""
        return str(self).removesuffix(f"; {self.fix}") if self.fix else str(self)

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        if "code" not in vars(cls):
            cls.code = "-".join(re.findall(r"[A-Z][a-z0-9]*", cls.__name__.removesuffix("Error"))).lower()


class ModelsError(PocketClipError):
    """Root of the errors of `models`."""

    exit_code = 2


class UnknownModelError(ModelsError):
    """No model of that name is registered."""


class ConfigError(ModelsError):
    """A model or training configuration is malformed or contradicts itself."""


class CheckpointError(ModelsError):
    """A checkpoint cannot be read, or its keys or shapes do not fit the model."""


class UntrainedError(ModelsError):
    """A model has fresh random weights where trained ones are needed."""


class VocabularyError(ModelsError):
    """A vocabulary names token ids that do not exist or leaves out ones that must stay."""


class ImageError(ModelsError):
    """A file is no image, or an image cannot be used as input."""


class LabelError(ModelsError):
    """A label list is empty or holds a label without text."""


class DatasetError(ModelsError):
    """A data set is missing, empty or does not have what was asked of it."""


class PromptError(ModelsError):
    """A set of prompt templates is unknown, empty, or has a template without a place for the class."""


class CorruptSamplesError(DatasetError):
    """Samples of a data set cannot be read: one where none may be skipped, or too many."""


class ResumeError(ModelsError):
    """An interrupted evaluation cannot be gone on with: what it was about has changed."""


class MissingPackageError(ModelsError):
    """A package that only some installations have is needed."""


class StorageError(ModelsError):
    """A file or folder cannot be written: full disk, missing permission, wrong kind of path."""


class NonFiniteError(ModelsError):
    """A value that must be finite is NaN or infinite."""

    exit_code = 1


class WorkerEndedError(ModelsError):
    """A process that did a part of the work was ended from outside."""

    exit_code = 1


def choices(allowed: Iterable[object]) -> str:
    """Words the allowed values of a message, in the order given."""
    listed = ", ".join(str(value) for value in allowed)
    return listed or "(none)"


def did_you_mean(wanted: str, known: Iterable[str], *, most: int = 3) -> str:
    """Asks whether one of the nearest known names was meant, with a space behind it; empty where none is near."""
    import difflib

    nearest = difflib.get_close_matches(wanted, list(known), n=most)
    return f"did you mean {' or '.join(nearest)}? " if nearest else ""


def extra_command(extra: str) -> str:
    """The command that adds an extra's packages. You run it in PocketCLIP's folder (the one with pyproject.toml)."""
    # Without constraints.txt: with hashes there, pip refuses a folder. And PyPI has no PocketCLIP that could be named.
    return f"pip install -e '.[{extra}]'"


def first_line(error: BaseException, longest: int = 300) -> str:
    """What a library's exception says, in one line; its class where it says nothing."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line if len(line) <= longest else f"{line[:longest]}..."
