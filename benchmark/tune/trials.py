"""What a trial is: a point of the space, the results of its stages, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from pocketclip.benchmark.errors import RecordError
from pocketclip.benchmark.records.fields import LongText, Name, Points, RecordId
from pocketclip.benchmark.records.fields import Positive as Several
from pocketclip.benchmark.tune.limits import Bounded, Limit, Limits, Violation, violations
from pocketclip.benchmark.tune.points import Point
from pocketclip.models.documents import document
from pocketclip.models.untrusted.names import PlainName, Sha256
from pocketclip.models.untrusted.numbers import Count, NotNegative, Positive, Share


class Cost(StrEnum):
    """What an inference costs: time, or instructions of the emulated phone."""

    LATENCY = "latency"
    INSTRUCTIONS = "instructions"

    @property
    def limit(self) -> Limit:
        """The limit that bounds it."""
        return Limit.LATENCY if self is Cost.LATENCY else Limit.INSTRUCTIONS


@document
class Measured:
    """Both towers with fresh weights: `cost` of one image and one text (nanoseconds, or instructions), and its 95 %
    interval; the size of the model files. `record_ids` are those of the image's and the text's record."""

    cost: Positive
    low: Positive
    high: Positive
    size_bytes: Count
    record_ids: tuple[RecordId, ...]
    seconds: NotNegative
    kind: Literal["measured"] = "measured"

    def __post_init__(self) -> None:
        if not self.low <= self.cost <= self.high:
            raise RecordError(f"the cost {self.cost} lies outside its interval, {self.low} to {self.high}")


@document
class Trained:
    """A rung of training: how many steps the weights have seen in all, and how well PyTorch classifies with them.

    `samples` were judged; `run` is the training's folder below that of the study, None of the base, which needs none.
    """

    rung: Count
    steps: Count
    accuracy: Share
    samples: Several
    weights_sha256: Sha256
    run: PlainName | None
    seconds: NotNegative
    kind: Literal["trained"] = "trained"


@document
class Judged:
    """The exported pair on the data set, against the unchanged model in PyTorch on the same samples.

    `drop_points` is the accuracy lost, with its 95 % interval; `failures` are the parity budgets that were missed.
    """

    accuracy: Share
    low: Share
    high: Share
    samples: Several
    drop_points: Points
    drop_low_points: Points
    drop_high_points: Points
    size_bytes: Count
    weights_sha256: Sha256
    failures: tuple[LongText, ...]
    record_ids: tuple[RecordId, ...]
    seconds: NotNegative
    kind: Literal["judged"] = "judged"

    def __post_init__(self) -> None:
        if not self.low <= self.accuracy <= self.high:
            raise RecordError(f"the accuracy {self.accuracy} lies outside its interval, {self.low} to {self.high}")


@document
class Failed:
    """A stage that could not be done: the trial ends there, and the study goes on."""

    stage: Name
    code: Name
    reason: LongText
    seconds: NotNegative
    kind: Literal["failed"] = "failed"


StageResult = Measured | Trained | Judged | Failed


class Ending(StrEnum):
    """How a trial ended."""

    JUDGED = "judged"
    LIMIT = "limit"
    BEATEN = "beaten"
    HALVED = "halved"
    FAILED = "failed"


_WORDS = {
    Ending.JUDGED: "judged",
    Ending.LIMIT: "beyond a limit",
    Ending.BEATEN: "cannot be on the front",
    Ending.HALVED: "behind in a short training",
    Ending.FAILED: "failed",
}


@document
class Closing:
    """How and why a trial ended."""

    ending: Ending
    reason: LongText = ""

    @property
    def words(self) -> str:
        """For tables."""
        return _WORDS[self.ending] + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True)
class Trial:
    """A trial as far as it has come. `place` is its place among the trials of its round."""

    number: int
    point: Point
    round: int
    place: int
    measured: Measured | None = None
    trained: tuple[Trained, ...] = field(default=())
    judged: Judged | None = None
    failed: Failed | None = None
    closing: Closing | None = None

    @property
    def open(self) -> bool:
        """Whether something is left to do."""
        return self.closing is None

    @property
    def complete(self) -> bool:
        """Whether it was measured and judged."""
        return self.measured is not None and self.judged is not None and self.failed is None

    @property
    def seconds(self) -> float:
        """What its stages took, those that other trials took over from it included."""
        stages = (self.measured, *self.trained, self.judged, self.failed)
        return sum(each.seconds for each in stages if each is not None)

    def figures(self, cost: Cost) -> list[Bounded]:
        """What limits may bound, as far as it is known."""
        found: list[Bounded] = []
        if self.measured is not None:
            found.append(Bounded(cost.limit, self.measured.cost, self.measured.low, self.measured.high))
            size = self.judged.size_bytes if self.judged is not None else self.measured.size_bytes
            found.append(Bounded(Limit.SIZE, size, size, size))
        if self.judged is not None:
            each = self.judged
            found.append(Bounded(Limit.DROP, each.drop_points, each.drop_low_points, each.drop_high_points))
        return found

    def violations(self, limits: Limits, cost: Cost) -> list[Violation]:
        """The limits that the trial is beyond."""
        return violations(limits, self.figures(cost))

    def feasible(self, limits: Limits, cost: Cost) -> bool:
        """Whether the trial is complete and meets every limit and every parity budget."""
        return self.complete and not self.violations(limits, cost) and not (self.judged and self.judged.failures)
