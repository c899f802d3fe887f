"""Vocabulary pruning: a text tower that keeps a listed subset of CLIP's token ids.

MobileCLIP-S0 spends 25 of its 42 million text parameters on the embedding table; an application with a known
vocabulary needs a few thousand rows. The 512 byte tokens and the two special tokens always stay, so any text
can still be encoded: a token that was dropped is split into the parts that byte-pair merging made it from,
down to kept ones. There is no unknown token.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.errors import VocabularyError, choices
from pocketclip.models.untrusted.files import is_file

FULL_VOCABULARY_SIZE = 49408
_SHIPPED = Path(__file__).parents[1] / "vocabularies"
# Ids below are the 256 bytes and the 256 bytes that end a word; the last two ids are start and end of text.
BYTE_TOKENS = 512
SPECIAL_TOKENS = (FULL_VOCABULARY_SIZE - 2, FULL_VOCABULARY_SIZE - 1)


@document
class VocabularyFile:
    """A vocabulary as stored (schema 1): the kept ids of CLIP's vocabulary, ascending."""

    schema_version: int
    description: str
    kept_ids: tuple[int, ...]


class Vocabulary:
    """A subset of CLIP's ids; the new id of a kept token is its rank among them, so order is preserved.

    Raises:
        VocabularyError: ids are not ascending, out of range, or lack byte or special tokens.
    """

    def __init__(self, kept_ids: Iterable[int]) -> None:
        self.kept_ids = tuple(kept_ids)
        if any(first >= second for first, second in zip(self.kept_ids, self.kept_ids[1:], strict=False)):
            raise VocabularyError("kept_ids must be ascending without repeats", fix="sort them")
        needed = (*range(BYTE_TOKENS), *SPECIAL_TOKENS)
        missing = sorted(set(needed) - set(self.kept_ids))
        if missing:
            raise VocabularyError(
                f"kept_ids lack {len(missing)} required ids (first: {missing[0]}): "
                f"keep 0 to {BYTE_TOKENS - 1} and {SPECIAL_TOKENS[0]}, {SPECIAL_TOKENS[1]}"
            )
        if self.kept_ids[0] < 0 or self.kept_ids[-1] >= FULL_VOCABULARY_SIZE:
            raise VocabularyError(f"kept_ids must lie in 0 to {FULL_VOCABULARY_SIZE - 1}")
        self._new_id = {old: new for new, old in enumerate(self.kept_ids)}

    def __len__(self) -> int:
        return len(self.kept_ids)

    def remap(self, ids: Iterable[int], merge_parts: Mapping[int, tuple[int, int]]) -> list[int]:
        """CLIP ids to ids of this vocabulary; a dropped token becomes the kept parts it was merged from."""
        remapped: list[int] = []
        pending = list(ids)[::-1]
        while pending:
            old = pending.pop()
            new = self._new_id.get(old)
            if new is None:
                first, second = merge_parts[old]
                pending += (second, first)
            else:
                remapped.append(new)
        return remapped


def prune_vocabulary(ids: Iterable[int]) -> Vocabulary:
    """The smallest vocabulary that holds `ids`: byte and special tokens are added."""
    return Vocabulary(sorted({*ids, *range(BYTE_TOKENS), *SPECIAL_TOKENS}))


def load_vocabulary(reference: str, folder: Path | None = None) -> Vocabulary:
    """A shipped vocabulary by name, or one from a `.json` file relative to `folder`.

    Raises:
        VocabularyError: there is none of that name, or the file cannot be used.
    """
    if reference.endswith(".json"):
        path = (folder or Path()) / reference
    else:
        path = _SHIPPED / f"{reference}.json"
        if not is_file(path):
            known = choices(sorted(entry.stem for entry in _SHIPPED.glob("*.json")))
            raise VocabularyError(
                f"there is no vocabulary {reference!r}; choose among: {known}; or give the path of a .json file"
            )
    stored = documents.read(VocabularyFile, path, error=VocabularyError)
    if stored.schema_version != 1:
        raise VocabularyError(f"{path} has schema version {stored.schema_version}; this version reads 1")
    return Vocabulary(stored.kept_ids)


def save_vocabulary(vocabulary: Vocabulary, path: Path, *, description: str) -> None:
    """Writes a vocabulary file that `load_vocabulary` reads."""
    documents.write(VocabularyFile(1, description, vocabulary.kept_ids), path)
