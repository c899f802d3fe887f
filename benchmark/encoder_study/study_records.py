"""What the study keeps: a file for each finished run, and one for the speed of each variant's towers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pocketclip.benchmark.errors import RecordError
from pocketclip.export.precision import Precision, Tower
from pocketclip.models.documents import document
from pocketclip.models.untrusted.names import PlainName, Sha256
from pocketclip.models.untrusted.numbers import Count, FileSize

_HEX = Annotated[str, Field(pattern=r"^([0-9a-f]{2})*$", max_length=100_000)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Start(StrEnum):
    """What a run begins with."""

    FRESH = "fresh"
    INHERITED = "inherited"


@document
class TrainingBudget:
    """What every run of a study with the same start has in common."""

    steps: Count
    batch_size: Count
    learning_rate: _Positive
    scenes: Count
    # Of a batch, how many pictures come on one scene.
    picture_share: Count
    token_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    rand_augment: bool


SpeedKey = tuple[str, Tower, str, Precision]
"""Variant, tower, target and precision of an artefact."""


@dataclass(frozen=True)
class RunKey:
    """Which run: of one variant, seed and start."""

    variant: str
    seed: int
    start: Start

    @property
    def name(self) -> str:
        """For files and messages."""
        return f"{self.variant}-{self.start}-{self.seed}"


@document
class SplitAnswers:
    """Which samples of a split one form of a model classified correctly: bits in file order, as hexadecimal digits.

    `top5_correct` is None where there are no more than five classes.
    """

    split: PlainName
    precision: Precision
    sha256: Sha256
    samples: Count
    right_bits: _HEX
    top5_correct: Count | None

    def __post_init__(self) -> None:
        if len(self.right_bits) != 2 * ((self.samples + 7) // 8) or (self.top5_correct or 0) > self.samples:
            raise RecordError(f"{self.split}: {self.samples} samples do not fit the answers that are stored")

    @property
    def right(self) -> NDArray[np.bool_]:
        """`(samples,)`."""
        packed = np.frombuffer(bytes.fromhex(self.right_bits), np.uint8)
        return np.unpackbits(packed, count=self.samples).astype(bool)

    @classmethod
    def of(
        cls, split: str, precision: Precision, sha256: str, right: NDArray[np.bool_], top5_correct: int | None
    ) -> SplitAnswers:
        """Packs the answers."""
        return cls(split, precision, sha256, len(right), np.packbits(right).tobytes().hex(), top5_correct)


@document
class StudyRun:
    """A finished run; `training_seconds` is what its steps take at the rate of its last sitting."""

    variant: PlainName
    seed: Count
    start: Start
    config_sha256: Sha256
    weights_sha256: Sha256
    budget: TrainingBudget
    training_seconds: _Positive
    answers: tuple[SplitAnswers, ...]
    schema_version: int = 1

    @property
    def key(self) -> RunKey:
        """Which run it is."""
        return RunKey(self.variant, self.seed, self.start)

    def of(self, split: str, precision: Precision) -> SplitAnswers | None:
        """The answers on a split; None where it was not judged."""
        return next((each for each in self.answers if (each.split, each.precision) == (split, precision)), None)


@document
class TowerSpeed:
    """One artefact of a variant's tower: its size, the medians of its launches, instructions on the emulated phone."""

    variant: PlainName
    tower: Tower
    target: PlainName
    precision: Precision
    parameters: Count
    flops: Count
    size_bytes: FileSize
    launch_medians_ns: tuple[_Positive, ...]
    instructions: _Positive | None = None
    cpu: str | None = None

    @property
    def key(self) -> SpeedKey:
        """Which artefact it is."""
        return self.variant, self.tower, self.target, self.precision


@document
class StudySpeed:
    """The speeds of all variants, measured in one session: `host` says on what."""

    host: str
    speeds: tuple[TowerSpeed, ...]
    schema_version: int = 1

    def of(self, variant: str, tower: Tower, target: str, precision: Precision) -> TowerSpeed | None:
        """A tower's speed; None where it was not measured."""
        wanted = (variant, tower, target, precision)
        return next((each for each in self.speeds if each.key == wanted), None)
