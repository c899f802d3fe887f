"""The vocabulary file of the user's own that a run was trained with: kept in the run's folder, which can be moved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pocketclip.models.config import AnyConfig
from pocketclip.models.errors import ConfigError
from pocketclip.models.run_folder import VOCABULARY_FILE
from pocketclip.models.text.vocabulary import load_vocabulary, save_vocabulary
from pocketclip.models.untrusted.printable import printable_path


def keep_vocabulary(config: AnyConfig, folder: Path) -> AnyConfig:
    """Copies the file of a vocabulary into a run's folder.

    Returns:
        The configuration as it is stored there, with the copy's name; unchanged where it names no file.
    """
    reference = _file_of(config)
    if reference is None:
        return config
    save_vocabulary(load_vocabulary(reference), folder / VOCABULARY_FILE, description=f"Kept ids of {config.name}")
    return replace(config, tokenizer=replace(config.tokenizer, vocabulary=VOCABULARY_FILE))


def check_vocabulary(config: AnyConfig, folder: Path) -> None:
    """Refuses to go on with a run whose vocabulary file was changed.

    Raises:
        ConfigError: the file holds other ids than those that the run keeps.
        VocabularyError: one of both cannot be read.
    """
    reference, kept = _file_of(config), folder / VOCABULARY_FILE
    if reference is None or not kept.is_file():
        return
    if load_vocabulary(reference).kept_ids != load_vocabulary(str(kept)).kept_ids:
        raise ConfigError(
            f"{printable_path(reference)} holds other token ids than the run in {printable_path(folder)} was begun "
            "with",
            fix=f"resume with a copy of {printable_path(kept)} at that path, or choose another folder",
        )


def _file_of(config: AnyConfig) -> str | None:
    vocabulary = config.tokenizer.vocabulary
    return vocabulary if vocabulary is not None and vocabulary.endswith(".json") else None
