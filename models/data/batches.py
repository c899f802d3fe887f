"""Batches as the trainer takes them, and what every source of batches promises."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from pocketclip.models.data.left_out import LeftOut
from pocketclip.models.data.skips import SkippedSample

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class TeacherEmbeddings:
    """Stored teacher embeddings of a batch, each `(N, sum of teacher dims)` float32.

    The slices of the teachers lie side by side; a loss normalises each slice on its own.
    """

    image: Tensor
    text: Tensor
    synthetic_text: Tensor


@dataclass(frozen=True)
class Batch:
    """One batch of image-caption pairs.

    Attributes:
        images: `(N, 3, S, S)` float32, normalised as the student's `PreprocessSpec` says.
        token_ids: `(N, T)` int32.
        caption_ids: `(N,)` int64, equal for samples of one class, or else for equal captions (see `caption_id`).
        synthetic_token_ids, synthetic_caption_ids: the same of one synthetic caption each; None in plain data.
        teachers: the embeddings that belong to exactly these images and captions; None in plain data.
        captions: the N real captions as text, for teachers with a tokenizer of their own.
    """

    images: Tensor
    token_ids: Tensor
    caption_ids: Tensor
    synthetic_token_ids: Tensor | None = None
    synthetic_caption_ids: Tensor | None = None
    teachers: TeacherEmbeddings | None = None
    captions: tuple[str, ...] = ()


class BatchSource(Protocol):
    """An endless sequence of batches, the same ones whenever it is read, with a cursor."""

    def next_batch(self) -> Batch:
        """The next batch, always full.

        Raises:
            DatasetError: too many samples cannot be used, or the source holds none.
        """
        ...

    def state(self) -> dict[str, Any]:
        """The position behind the last batch, as a few JSON values."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes to the position of a `state`: the next batch is the one that followed it.

        Raises:
            DatasetError: the state belongs to other data, another seed or another division among processes.
        """
        ...

    @property
    def skipped(self) -> Sequence[SkippedSample]:
        """The first of the samples that were skipped, with reasons."""
        ...

    @property
    def skipped_count(self) -> int:
        """How many samples were skipped."""
        ...

    @property
    def ignored_profiles(self) -> tuple[int, str | None]:
        """How many images have a colour profile that cannot be used (taken as sRGB), and the first with the reason."""
        ...

    @property
    def left_out(self) -> Mapping[str, Sequence[LeftOut]]:
        """What was passed over in what was read so far, by shard: members and files that are no samples."""
        ...

    def close(self) -> None:
        """Ends worker processes."""
        ...


def caption_id(caption: str, label: str = "") -> int:
    """A number in 0 to 2**63 - 1 that is equal for equal labels, or else for equal captions: 8 bytes of the sha256."""
    words = f"class\0{label}" if label else caption
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big") >> 1
