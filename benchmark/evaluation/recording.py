"""Results of an evaluation worded as records, with intervals and paired comparisons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pocketclip.benchmark.records.accuracy import (
    NOTHING_KNOWN,
    AccuracyRecord,
    Comparison,
    Recall,
    RetrievalRecord,
    Side,
    WeightsFacts,
)
from pocketclip.benchmark.records.benchmark import utc_now
from pocketclip.models.errors import DatasetError
from pocketclip.models.evaluation.classification import ZeroShotResult
from pocketclip.models.evaluation.comparison import bootstrap_ratio_interval
from pocketclip.models.evaluation.prompts import PromptSet
from pocketclip.models.evaluation.retrieval import RECALLS_AT, Direction, RetrievalResult, RetrievalSet
from pocketclip.models.evaluation.samples import ClassificationSet
from pocketclip.models.statistics.intervals import wilson_interval
from pocketclip.models.statistics.judgement import PairedCounts
from pocketclip.models.terminal.version import tool_version


def accuracy_record(
    side: Side,
    dataset: ClassificationSet,
    prompts: PromptSet,
    result: ZeroShotResult,
    *,
    executed_by: str,
    record_id: str,
    weights: WeightsFacts = NOTHING_KNOWN,
    baseline: tuple[Side, ZeroShotResult] | None = None,
) -> AccuracyRecord:
    """The record of a classification.

    Raises:
        DatasetError: the baseline was judged on other samples.
    """
    samples = len(result.labels)
    interval = wilson_interval(result.correct, samples)
    top5 = result.correct_of_top5
    top5_interval = None if top5 is None else wilson_interval(top5, samples)
    return AccuracyRecord(
        model=side.model,
        target=side.target,
        precision=side.precision,
        image_sha256=side.image_sha256,
        text_sha256=side.text_sha256,
        weights_sha256=side.weights_sha256,
        dataset=dataset.name,
        split=dataset.split,
        dataset_sha256=dataset.sha256,
        templates=prompts.templates,
        prompts_sha256=prompts.sha256,
        samples=samples,
        skipped=result.skipped,
        classes=result.classes,
        correct=result.correct,
        accuracy=result.correct / samples,
        accuracy_low=interval.low,
        accuracy_high=interval.high,
        top5_correct=top5,
        top5_accuracy=None if top5 is None else top5 / samples,
        top5_low=None if top5_interval is None else top5_interval.low,
        top5_high=None if top5_interval is None else top5_interval.high,
        chance=1 / result.classes,
        left_out=tuple(map(str, dataset.left_out.entries)),
        ignored_profiles=len(result.ignored_profiles),
        first_ignored_profile=next(iter(result.ignored_profiles), None),
        comparison=None if baseline is None else _compare(baseline[0], baseline[1], result),
        executed_by=executed_by,
        tool_version=tool_version(),
        record_id=record_id,
        created_at=utc_now(),
        weights=weights,
    )


def _compare(baseline: Side, before: ZeroShotResult, after: ZeroShotResult) -> Comparison:
    _same_samples(before.places, after.places)
    if not np.array_equal(before.labels, after.labels):
        raise DatasetError("the labels of the data set changed between two evaluations", fix="leave --resume out")
    counts = PairedCounts.of(before.right, after.right)
    drop = counts.interval()
    return Comparison(
        baseline=baseline,
        baseline_correct=before.correct,
        lost=counts.lost,
        won=counts.won,
        mcnemar_p=counts.p_value(),
        drop_points=100 * counts.drop,
        drop_low_points=100 * drop.low,
        drop_high_points=100 * drop.high,
    )


def retrieval_record(
    side: Side,
    dataset: RetrievalSet,
    result: RetrievalResult,
    *,
    executed_by: str,
    record_id: str,
    weights: WeightsFacts = NOTHING_KNOWN,
    baseline: tuple[Side, RetrievalResult] | None = None,
) -> RetrievalRecord:
    """The record of a retrieval.

    Raises:
        DatasetError: the baseline was judged on other images.
    """
    before = None if baseline is None else baseline[1]
    if before is not None:
        _same_samples(before.images, result.images)
    return RetrievalRecord(
        model=side.model,
        target=side.target,
        precision=side.precision,
        image_sha256=side.image_sha256,
        text_sha256=side.text_sha256,
        weights_sha256=side.weights_sha256,
        dataset=dataset.name,
        split=dataset.split,
        dataset_sha256=dataset.sha256,
        images=len(result.images),
        captions=int(result.captions.sum()),
        skipped=result.skipped,
        left_out=tuple(map(str, dataset.left_out.entries)),
        ignored_profiles=len(result.ignored_profiles),
        first_ignored_profile=next(iter(result.ignored_profiles), None),
        recalls=tuple(_recall(result, before, direction, k) for direction in Direction for k in RECALLS_AT),
        baseline=None if baseline is None else baseline[0],
        executed_by=executed_by,
        tool_version=tool_version(),
        record_id=record_id,
        created_at=utc_now(),
        weights=weights,
    )


def _recall(result: RetrievalResult, before: RetrievalResult | None, direction: Direction, k: int) -> Recall:
    value, interval = result.recall(direction, k), result.interval(direction, k)
    drop = None
    if before is not None:
        hits, queries = result.counts(direction, k)
        drop = bootstrap_ratio_interval(hits, queries, before.counts(direction, k)[0])
    return Recall(
        direction=direction,
        k=k,
        recall=value,
        low=interval.low,
        high=interval.high,
        drop_points=None if before is None else 100 * (before.recall(direction, k) - value),
        drop_low_points=None if drop is None else 100 * drop.low,
        drop_high_points=None if drop is None else 100 * drop.high,
    )


def _same_samples(before: NDArray[np.int64], after: NDArray[np.int64]) -> None:
    if not np.array_equal(before, after):
        raise DatasetError(
            (
                f"baseline and model read different samples ({len(before)} and {len(after)}): "
                f"the files changed "
                "in between"
            ),
            fix="evaluate again without --resume",
        )
