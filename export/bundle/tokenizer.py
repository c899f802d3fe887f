"""The CLIP tokenizer as plain numbers, and a reader of them that needs nothing of OpenCLIP's.

The reader is what an application writes in its own language; the self-test holds it against the golden ids.
"""

from __future__ import annotations

import html
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketclip.export.bundle.manifest import SPLITTING, BundleTokenizerSpec, Cleaning, SpecialText
from pocketclip.export.bundle.tensors import read_tensor, write_tensor
from pocketclip.export.errors import BundleCorruptError
from pocketclip.models.text.tokenizer import Tokenizer, clip_bpe, merge_parts
from pocketclip.models.text.vocabulary import BYTE_TOKENS, FULL_VOCABULARY_SIZE

if TYPE_CHECKING:
    from regex import Pattern

BYTES = 256
PAD_ID = 0
CLEANING = (Cleaning.FTFY, Cleaning.HTML_UNESCAPE, Cleaning.HTML_UNESCAPE, Cleaning.COLLAPSE_WHITESPACE, Cleaning.LOWER)


def write_tokenizer(folder: Path, tokenizer: Tokenizer) -> BundleTokenizerSpec:
    """Writes merges and kept ids below `folder/tokenizer`."""
    bpe, parts = clip_bpe(), merge_parts()
    merges = np.array([parts[made] for made in range(BYTE_TOKENS, FULL_VOCABULARY_SIZE - 2)], np.uint16)
    vocabulary = tokenizer.vocabulary
    kept = None
    if vocabulary is not None:
        kept = write_tensor(folder, "tokenizer/kept_ids.bin", np.array(vocabulary.kept_ids, np.uint16))
    specials = tuple(SpecialText(bpe.decoder[place], place) for place in bpe.all_special_ids)
    # OpenCLIP's pattern opens with the special texts.
    pattern = bpe.pat.pattern.removeprefix("|".join(special.text for special in specials)).removeprefix("|")
    return BundleTokenizerSpec(
        context_length=tokenizer.context_length,
        vocabulary_size=tokenizer.size,
        start_id=tokenizer.size - 2,
        end_id=tokenizer.size - 1,
        pad_id=PAD_ID,
        cleaning=CLEANING,
        pattern=pattern,
        special_texts=specials,
        byte_order=tuple(bpe.byte_decoder[bpe.decoder[place]] for place in range(BYTES)),
        merges=write_tensor(folder, "tokenizer/merges.bin", merges),
        kept_ids=kept,
    )


def _check_ids(merges: list[list[int]], kept: list[int] | None, specials: list[int]) -> None:
    """Whether taking tokens apart always ends, at ids that the vocabulary has."""
    late = next((row for row, parts in enumerate(merges) if max(parts) >= BYTE_TOKENS + row), None)
    if late is not None:
        raise BundleCorruptError(f"merge {late} uses an id that comes after it", fix="create the bundle again")
    if kept is None:
        return
    if any(first >= second for first, second in itertools.pairwise(kept)) or kept[-1] >= FULL_VOCABULARY_SIZE:
        raise BundleCorruptError("kept_ids are not unique CLIP ids in ascending order", fix="create the bundle again")
    missing = sorted({*range(BYTE_TOKENS), *specials} - set(kept))
    if missing:
        raise BundleCorruptError(
            f"kept_ids lack the id {missing[0]} of a byte or special token: some texts could not be encoded",
            fix="create the bundle again",
        )


def _compile(spec: BundleTokenizerSpec) -> Pattern[str]:
    """The pattern by which text is split; as in CLIP, special texts are looked for first."""
    import regex

    fault = SPLITTING.fault(spec.pattern)
    if fault is not None:
        raise BundleCorruptError(f"the tokenizer's pattern {fault}", fix="create the bundle again")
    alternatives = [*(regex.escape(special.text) for special in spec.special_texts), spec.pattern]
    try:
        return regex.compile("|".join(alternatives), regex.IGNORECASE)
    except regex.error as error:
        raise BundleCorruptError(
            f"the tokenizer's pattern is not valid: {error}", fix="create the bundle again"
        ) from error


class BundleTokenizer:
    """Turns text into ids by a bundle's data alone.

    Raises:
        BundleCorruptError: the data does not fit together.
    """

    def __init__(self, spec: BundleTokenizerSpec, folder: Path) -> None:
        merges = read_tensor(folder, spec.merges).tolist()
        kept = None if spec.kept_ids is None else read_tensor(folder, spec.kept_ids).tolist()
        self._spec = spec
        self._parts: list[list[int]] = merges
        self._ranks = {(first, second): rank for rank, (first, second) in enumerate(merges)}
        self._kept = None if kept is None else {old: new for new, old in enumerate(kept)}
        self._byte_ids = {byte: place for place, byte in enumerate(spec.byte_order)}
        self._specials = {special.text: special.id for special in spec.special_texts}
        _check_ids(merges, kept, list(self._specials.values()))
        self._pattern = _compile(spec)

    def encode(self, text: str) -> list[int]:
        """Ids of the text alone, neither framed nor cut."""
        ids: list[int] = []
        for word in self._pattern.findall(self._clean(text)):
            special = self._specials.get(word)
            ids += self._merged(word.encode()) if special is None else [special]
        return ids if self._kept is None else self._pruned(ids)

    def __call__(self, text: str) -> NDArray[np.int32]:
        """A sentence to `(1, context_length)` ids."""
        spec = self._spec
        ids = [spec.start_id, *self.encode(text), spec.end_id][: spec.context_length]
        ids[-1] = spec.end_id
        row = np.full((1, spec.context_length), spec.pad_id, np.int32)
        row[0, : len(ids)] = ids
        return row

    def _clean(self, text: str) -> str:
        for step in self._spec.cleaning:
            match step:
                case Cleaning.FTFY:
                    import ftfy

                    text = ftfy.fix_text(text)
                case Cleaning.HTML_UNESCAPE:
                    text = html.unescape(text)
                case Cleaning.COLLAPSE_WHITESPACE:
                    text = " ".join(text.split())
                case Cleaning.LOWER:
                    text = text.lower()
        return text

    def _merged(self, word: bytes) -> list[int]:
        ids = [self._byte_ids[byte] for byte in word]
        ids[-1] += BYTES
        while len(ids) > 1:
            ranks = [self._ranks.get(pair, len(self._parts)) for pair in itertools.pairwise(ids)]
            rank = min(ranks)
            if rank == len(self._parts):
                break
            merged: list[int] = []
            place = 0
            while place < len(ids):
                if place < len(ids) - 1 and [ids[place], ids[place + 1]] == self._parts[rank]:
                    merged.append(BYTE_TOKENS + rank)
                    place += 2
                else:
                    merged.append(ids[place])
                    place += 1
            ids = merged
        return ids

    def _pruned(self, ids: list[int]) -> list[int]:
        assert self._kept is not None
        pruned: list[int] = []
        pending = ids[::-1]
        while pending:
            old = pending.pop()
            new = self._kept.get(old)
            if new is None:
                pending += self._parts[old - BYTE_TOKENS][::-1]
            else:
                pruned.append(new)
        return pruned
