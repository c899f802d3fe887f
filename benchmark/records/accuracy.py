"""What an evaluation leaves behind: how often a model was right, how sure that is, and against what it was compared.

Schema history:
  accuracy 1: first version, scenes only.
  accuracy 2: any data set and its identity, templates, top-5, samples left out, any baseline with McNemar's test.
  accuracy 3: what the reader of the data set passed over; whether the weights were trained, and cautions about them.
  retrieval 1: first version.
  retrieval 2: the same; a caption of several images is right for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from annotated_types import MinLen

from pocketclip.benchmark.errors import RecordError
from pocketclip.benchmark.records.benchmark import check_stamp
from pocketclip.benchmark.records.fields import LongText, Moment, Name, Points, Positive, RecordId, Text
from pocketclip.export.precision import Precision, TargetName
from pocketclip.models.documents import document
from pocketclip.models.evaluation.retrieval import Direction
from pocketclip.models.statistics.judgement import Judgement, judge_drop
from pocketclip.models.untrusted.names import Sha256
from pocketclip.models.untrusted.numbers import Count, Share

ACCURACY_SCHEMA_VERSION = 3
RETRIEVAL_SCHEMA_VERSION = 2


@document
class WeightsFacts:
    """What is known of a side's weights.

    `trained` is false of fresh random ones, None where it is not known; `cautions` word what a reader of the figures
    must know, such as an activation that the checkpoint did not state.
    """

    trained: bool | None = None
    cautions: tuple[Text, ...] = ()


NOTHING_KNOWN = WeightsFacts()
UNTRAINED = "untrained random ones"


@document
class Side:
    """Who was judged: an image and a text artefact used together, or PyTorch where `target` is None."""

    model: Name
    target: TargetName | None
    precision: Precision
    image_sha256: Sha256 | None
    text_sha256: Sha256 | None
    weights_sha256: Sha256

    def __post_init__(self) -> None:
        artifacts = (self.target, self.image_sha256, self.text_sha256)
        if any(part is None for part in artifacts) and any(part is not None for part in artifacts):
            raise RecordError("an artefact pair has a target and both artefacts, PyTorch none of them")


@document
class Comparison:
    """The baseline on the same samples.

    `lost` counts samples that the baseline alone has right, `won` those that it alone has wrong; `mcnemar_p` is the
    p-value of the exact test on them. All three are None in records of schema 1. The drop is the baseline's accuracy
    minus this one's in percentage points, with an interval (95 %) that pairs the samples.
    """

    baseline: Side
    baseline_correct: Count
    lost: Count | None
    won: Count | None
    mcnemar_p: Share | None
    drop_points: Points
    drop_low_points: Points
    drop_high_points: Points

    def __post_init__(self) -> None:
        tested = (self.lost, self.won, self.mcnemar_p)
        if any(part is None for part in tested) and any(part is not None for part in tested):
            raise RecordError("lost, won and mcnemar_p belong together")
        if not self.drop_low_points <= self.drop_points <= self.drop_high_points:
            raise RecordError(
                f"the drop {self.drop_points} lies outside its interval, {self.drop_low_points} to "
                f"{self.drop_high_points}"
            )

    @property
    def judgement(self) -> Judgement:
        """What may be said by `models.statistics.judgement`; records of schema 1 have an interval, no test."""
        return judge_drop(self.drop_low_points, self.drop_high_points, self.mcnemar_p)


@document
class AccuracyRecord:
    """Zero-shot accuracy of a side on a data set.

    Shares lie in [0, 1]; intervals (95 %, Wilson) are those of the shares before them. `classes` were to choose from;
    `dataset_sha256` identifies the samples, `templates` names the prompts that `prompts_sha256` identifies (all three
    None in records of schema 1). Top-5 is None where there are no more than five classes. `skipped` names unreadable
    samples that `samples` does not count, `left_out` says what in the data set is no sample: how much, why, and the
    first by name. `comparison` is None where there was nothing to compare with.

    Raises:
        RecordError: the counts contradict each other.
    """

    model: Name
    target: TargetName | None
    precision: Precision
    image_sha256: Sha256 | None
    text_sha256: Sha256 | None
    weights_sha256: Sha256
    dataset: Text
    split: Text
    dataset_sha256: Sha256 | None
    templates: Text | None
    prompts_sha256: Sha256 | None
    samples: Positive
    skipped: tuple[LongText, ...]
    classes: Positive
    correct: Count
    accuracy: Share
    accuracy_low: Share
    accuracy_high: Share
    top5_correct: Count | None
    top5_accuracy: Share | None
    top5_low: Share | None
    top5_high: Share | None
    chance: Share
    comparison: Comparison | None
    executed_by: Text
    tool_version: Name
    record_id: RecordId
    created_at: Moment
    weights: WeightsFacts = NOTHING_KNOWN
    left_out: tuple[LongText, ...] = ()
    ignored_profiles: Count = 0
    first_ignored_profile: LongText | None = None
    kind: Literal["accuracy"] = "accuracy"
    schema_version: Literal[3] = ACCURACY_SCHEMA_VERSION

    def __post_init__(self) -> None:
        check_stamp(self.record_id, self.created_at)
        _check_share("accuracy", self.samples, self.correct, self.accuracy, self.accuracy_low, self.accuracy_high)
        top5 = (self.top5_correct, self.top5_accuracy, self.top5_low, self.top5_high)
        match top5:
            case (None, None, None, None):
                pass
            case (int() as correct, float() as share, float() as low, float() as high):
                _check_share("top5_accuracy", self.samples, correct, share, low, high)
                if correct < self.correct:
                    raise RecordError(f"fewer right among five ({correct}) than at first ({self.correct})")
            case _:
                raise RecordError("the fields of top-5 belong together")
        if self.comparison is not None:
            self._check_comparison(self.comparison)
        # Its checks are those of any side.
        _ = self.side

    def _check_comparison(self, compared: Comparison) -> None:
        if compared.baseline == self.side:
            raise RecordError("nothing is compared with itself")
        if compared.baseline_correct > self.samples:
            raise RecordError(
                f"the baseline has more right ({compared.baseline_correct}) than samples ({self.samples})"
            )
        lost = compared.baseline_correct - self.correct
        if abs(compared.drop_points - 100 * lost / self.samples) > 1e-9:
            raise RecordError(f"a drop of {compared.drop_points} points is not {lost} of {self.samples} samples")
        if compared.lost is not None and compared.won is not None and compared.lost - compared.won != lost:
            raise RecordError(f"{compared.lost} lost and {compared.won} won samples make no difference of {lost}")

    @property
    def side(self) -> Side:
        """Who was judged."""
        return Side(self.model, self.target, self.precision, self.image_sha256, self.text_sha256, self.weights_sha256)

    @property
    def cost(self) -> Comparison | None:
        """The comparison with PyTorch on the same weights: what export and quantisation cost. Else None."""
        compared = self.comparison
        if compared is None or compared.baseline.target is not None:
            return None
        return compared if compared.baseline.weights_sha256 == self.weights_sha256 else None


@document
class Recall:
    """How often the right one is among the `k` most similar, with an interval (95 %, bootstrap over images).

    The drop is the baseline's recall minus this one in percentage points, paired by image; None without a baseline.
    """

    direction: Direction
    k: Positive
    recall: Share
    low: Share
    high: Share
    drop_points: Points | None
    drop_low_points: Points | None
    drop_high_points: Points | None

    def __post_init__(self) -> None:
        drop = (self.drop_points, self.drop_low_points, self.drop_high_points)
        if any(part is None for part in drop) and any(part is not None for part in drop):
            raise RecordError("a drop and its interval belong together")

    @property
    def judgement(self) -> Judgement | None:
        """What may be said by the rule of `models.statistics.judgement`, None without a baseline."""
        if self.drop_low_points is None or self.drop_high_points is None:
            return None
        return judge_drop(self.drop_low_points, self.drop_high_points, None)


@document
class RetrievalRecord:
    """Recall of a side on image-caption pairs, all images against all captions.

    Raises:
        RecordError: a direction is listed twice at the same k.
    """

    model: Name
    target: TargetName | None
    precision: Precision
    image_sha256: Sha256 | None
    text_sha256: Sha256 | None
    weights_sha256: Sha256
    dataset: Text
    split: Text
    dataset_sha256: Sha256
    images: Positive
    captions: Positive
    skipped: tuple[LongText, ...]
    recalls: Annotated[tuple[Recall, ...], MinLen(1)]
    baseline: Side | None
    executed_by: Text
    tool_version: Name
    record_id: RecordId
    created_at: Moment
    weights: WeightsFacts = NOTHING_KNOWN
    left_out: tuple[LongText, ...] = ()
    ignored_profiles: Count = 0
    first_ignored_profile: LongText | None = None
    kind: Literal["retrieval"] = "retrieval"
    schema_version: Literal[2] = RETRIEVAL_SCHEMA_VERSION

    def __post_init__(self) -> None:
        check_stamp(self.record_id, self.created_at)
        if len({(entry.direction, entry.k) for entry in self.recalls}) != len(self.recalls):
            raise RecordError("a recall is listed twice")
        if self.baseline == self.side:
            raise RecordError("nothing is compared with itself")

    @property
    def side(self) -> Side:
        """Who was judged."""
        return Side(self.model, self.target, self.precision, self.image_sha256, self.text_sha256, self.weights_sha256)


def upgrade_weights(content: Mapping[str, Any]) -> dict[str, Any]:
    """A record of the schema before weights and what is no sample were spoken of, accuracy 2 or retrieval 1, as one of
    the next."""
    return {**content, "schema_version": content["schema_version"] + 1}


def upgrade_accuracy_v1(content: Mapping[str, Any]) -> dict[str, Any]:
    """A record of schema 1 as one of schema 2; what schema 1 did not keep is None.

    Raises:
        RecordError: a field of schema 1 is missing.
    """
    old = dict(content)
    try:
        compared = {
            "baseline_correct": old.pop("baseline_correct"),
            **{name: old.pop(name) for name in ("drop_points", "drop_low_points", "drop_high_points")},
        }
        baseline = {
            "model": old["model"],
            "target": None,
            "precision": Precision.FP32.value,
            "image_sha256": None,
            "text_sha256": None,
            "weights_sha256": old["weights_sha256"],
        }
    except KeyError as error:
        raise RecordError(f"a record of schema 1 lacks the field {error}") from error
    tested = {"lost": None, "won": None, "mcnemar_p": None}
    exported = compared["baseline_correct"] is not None
    unknown = ("dataset_sha256", "templates", "prompts_sha256")
    top5 = ("top5_correct", "top5_accuracy", "top5_low", "top5_high")
    return old | {
        "schema_version": 2,
        "skipped": [],
        "comparison": {"baseline": baseline, **compared, **tested} if exported else None,
        **dict.fromkeys((*unknown, *top5)),
    }


def _check_share(name: str, samples: int, correct: int, share: float, low: float, high: float) -> None:
    if correct > samples:
        raise RecordError(f"{name}: more correct answers ({correct}) than samples ({samples})")
    if abs(share - correct / samples) > 1e-9:
        raise RecordError(f"{name} {share} is not correct / samples ({correct} / {samples})")
    if not low <= share <= high:
        raise RecordError(f"{name} {share} lies outside its interval, {low} to {high}")
