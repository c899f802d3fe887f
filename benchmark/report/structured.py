"""The report as JSON: what the page shows, as numbers with their units in the names; null is what is not known.

Raw samples stay in the store: these are statistics, derived from the records that `record_id` names.

Format history:
  1: first version.
  2: `baseline`, `comparison` and `tags`; `comparisons` is null only where nothing was to be compared; `farms`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pocketclip.benchmark.records.accuracy import AccuracyRecord, RetrievalRecord
from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.records.farm import FarmRecord
from pocketclip.benchmark.records.launch import Launch
from pocketclip.benchmark.report.changes import AccuracyChange, pair_changes
from pocketclip.benchmark.report.comparison import Baseline, BaselineComparison, BaselineKind, Compared, compare_all
from pocketclip.benchmark.report.derived import (
    share_between_ops,
    share_outside_delegates,
    summarize_minutes,
    summarize_preparation,
    top_ops,
)
from pocketclip.benchmark.report.history import histories
from pocketclip.benchmark.report.material import Material, newest
from pocketclip.benchmark.report.names import scheme
from pocketclip.benchmark.report.pairs import Standing, rank
from pocketclip.benchmark.report.pareto import pareto_fields
from pocketclip.benchmark.report.profile_tables import MOST_OPS
from pocketclip.benchmark.report.selection import ModelSelection
from pocketclip.benchmark.report.sustained import sustained_minutes
from pocketclip.benchmark.statistics.summaries import (
    delegates,
    farm_median_ns,
    median_first_inference_ns,
    median_first_load_ns,
    median_load_ns,
    median_peak_bytes,
    summarize_counts,
    summarize_latency,
)
from pocketclip.models import documents
from pocketclip.models.terminal.version import tool_version

FORMAT = "pocketclip-report"
FORMAT_VERSION = 2

Json = dict[str, Any]
Comparisons = Mapping[tuple[str, str], BaselineComparison]


def render_json(material: Material) -> str:
    """One JSON object.

    Raises:
        ReportError: there are no records, or none of the baseline.
    """
    selections = material.select()
    comparisons = compare_all(material.baseline, selections, material.benchmarks)
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "tool_version": tool_version(),
        "newest_record_at": newest(selections),
        "baseline": _baseline(material.baseline),
        "comparison": _pair_changes(material, selections, comparisons) if material.baseline else None,
        "pareto": _pareto(selections),
        "unavailable_targets": {str(target): words for target, words in material.unavailable.items()},
        "models": [_model(selection, material, comparisons) for selection in selections],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _baseline(baseline: Baseline | None) -> Json | None:
    if baseline is None:
        return None
    return {"kind": str(baseline.kind), "name": None if baseline.kind is BaselineKind.FLOAT else baseline.name}


def _pair_changes(material: Material, selections: Sequence[ModelSelection], comparisons: Comparisons) -> list[Json]:
    changes, _ = pair_changes(comparisons, selections, material.accuracies)
    return [
        {
            "model": each.model,
            "device": each.device,
            "scheme": scheme(each.candidate.artifact),
            "baseline_model": each.baseline.artifact.model,
            "baseline_scheme": scheme(each.baseline.artifact),
            "threads": each.candidate.settings.threads,
            "accuracy": _accuracy_change(each.accuracy),
            "towers": {str(tower): _comparison(compared) for tower, compared in each.towers.items()},
            "size_ratio": each.size_ratio,
        }
        for each in changes
    ]


def _accuracy_change(change: AccuracyChange | None) -> Json | None:
    if change is None:
        return None
    return {
        "accuracy_record_id": change.candidate.record_id,
        "against": change.against,
        "change_points": change.points,
        "change_interval_points": [change.low, change.high],
        "paired": change.paired,
        "judgement": str(change.judgement),
    }


def _pareto(selections: Sequence[ModelSelection]) -> list[Json]:
    return [
        {
            "device": device,
            "dataset": plotted[0].accuracy.dataset,
            "points": [
                {
                    "model": each.pair.image.artifact.model,
                    "scheme": scheme(each.pair.image.artifact),
                    "threads": each.pair.image.settings.threads,
                    "accuracy": each.share,
                    "latency_p50_ns": each.latency_ns,
                    "on_front": each.on_front,
                }
                for each in plotted
            ],
        }
        for device, plotted, _ in pareto_fields(selections)
    ]


def _tags(selection: ModelSelection, device: str, records: Sequence[BenchmarkRecord]) -> Json:
    tags, found = histories(selection, device, records)
    return {
        "in_order_of_time": list(tags),
        "artifacts": [
            {
                "record_id": time.record.record_id,
                "tag": time.tag,
                "scheme": scheme(time.record.artifact),
                "tower": str(each.tower),
                "p50_ns": time.p50_ns,
                "interval_ns": None if time.interval_ns is None else list(time.interval_ns),
            }
            for each in found
            for time in each.times
        ],
    }


def _model(selection: ModelSelection, material: Material, comparisons: Comparisons) -> Json:
    shown = {record.artifact.sha256 for record in selection.benchmarks}
    return {
        "model": selection.model,
        "older_weights_records": selection.older_weights,
        "devices": [
            _device(selection, device, material, comparisons.get((selection.model, device)))
            for device in selection.devices
        ],
        "accuracies": [_judged(record, selection) for record in selection.accuracies],
        "retrievals": [_judged(record, selection) for record in selection.retrievals],
        "farms": [_hosted(record) for record in selection.farms],
        "ladders": [documents.to_builtin(each) for each in material.ladders if each.artifact_sha256 in shown],
    }


def _hosted(record: FarmRecord) -> Json:
    content = documents.to_builtin(record)
    if record.times is not None:
        del content["times"]["inference_ns"]
        content["times"]["median_inference_ns"] = farm_median_ns(record)
    return content


def _judged(record: AccuracyRecord | RetrievalRecord, selection: ModelSelection) -> Json:
    content = documents.to_builtin(record)
    # Names of unreadable files are the store's; the page tells how many there were.
    content |= {"skipped": len(record.skipped), "scheme": selection.scheme_of(record)}
    if isinstance(record, AccuracyRecord) and record.comparison is not None:
        content["comparison"]["judgement"] = str(record.comparison.judgement)
    if isinstance(record, RetrievalRecord):
        for entry, recall in zip(content["recalls"], record.recalls, strict=True):
            entry["judgement"] = None if recall.judgement is None else str(recall.judgement)
    return content


def _device(selection: ModelSelection, device: str, material: Material, compared: BaselineComparison | None) -> Json:
    records = selection.on_device(device)
    return {
        "device": device,
        "facts": documents.to_builtin(records[-1].device),
        "artifacts": [_artifact(record) for record in records],
        "pairs": [_pair(standing) for standing in rank(selection.pairs(device))],
        "tags": _tags(selection, device, material.benchmarks),
        "sustained": [
            _identity(record) | {"minutes": _minutes(record.sustained)}
            for record in selection.latest_with(device, sustained_minutes)
        ],
        "profiles": [_profile(record) for record in selection.latest_with(device, lambda record: record.profile)],
        "preparations": [
            _preparation(record) for record in selection.latest_with(device, lambda record: record.preparation)
        ],
        "invalid_runs": [
            _identity(record)
            | {"invalid": documents.to_builtin(record)["invalid"], "latency": _latency(record.launches)}
            for record in selection.invalid_on(device)
        ],
        "comparisons": None if compared is None else [_comparison(each) for each in compared.compared],
        "without_baseline": None if compared is None else [_identity(record) for record in compared.unmatched],
    }


def _identity(record: BenchmarkRecord) -> Json:
    artifact, settings = record.artifact, record.settings
    return {
        "record_id": record.record_id,
        "created_at": record.created_at,
        "tag": record.tag,
        "scheme": scheme(artifact),
        "target": str(artifact.target),
        "precision": str(artifact.precision),
        "tower": str(artifact.tower),
        "artifact_sha256": artifact.sha256,
        "threads": settings.threads,
        "cores": None if settings.cores is None else list(settings.cores),
        "accelerator_requested": record.runtime.accelerator_requested,
        "load_mode": str(settings.load_mode),
    }


def _artifact(record: BenchmarkRecord) -> Json:
    content = documents.to_builtin(record)
    timed = record.rankable
    counts = None
    if record.instructions is not None:
        summary = summarize_counts(record.instructions.per_inference)
        counts = {"cpu": record.instructions.cpu, **asdict(summary), "repeatable": summary.repeatable}
    return _identity(record) | {
        "model_size_bytes": record.artifact.model_size_bytes,
        "runtime": content["runtime"],
        "status": str(record.status),
        "reason": record.reason,
        "ranked": timed,
        "latency": _latency(record.launches) if timed else None,
        "load_median_ns": median_load_ns(record) if timed else None,
        "first_load_median_ns": median_first_load_ns(record) if timed else None,
        "first_inference_median_ns": median_first_inference_ns(record) if timed else None,
        "peak_over_baseline_median_bytes": median_peak_bytes(record) if timed else None,
        "parity": None if record.parity is None else {**content["parity"], "passed": record.parity.passed},
        "golden_check": content["golden_check"],
        "instructions": counts,
        "npu": None if record.npu is None else {**content["npu"], "coverage": record.npu.coverage},
        "invalid": content["invalid"],
    }


def _latency(launches: Sequence[Launch]) -> Json | None:
    return asdict(summarize_latency(launches)) if launches else None


def _pair(standing: Standing) -> Json:
    pair = standing.pair
    return {
        "image_record_id": pair.image.record_id,
        "text_record_id": pair.text.record_id,
        "accuracy_record_id": None if pair.accuracy is None else pair.accuracy.record_id,
        "scheme": scheme(pair.image.artifact),
        "threads": pair.image.settings.threads,
        "accuracy": None if pair.accuracy is None else pair.accuracy.accuracy,
        "latency_p50_ns": pair.latency_ns,
        "size_bytes": pair.size_bytes,
        "sound": pair.sound,
        "place": str(standing.place),
        "beaten_by_scheme": None if standing.beaten_by is None else scheme(standing.beaten_by.image.artifact),
        "not_ranked_reason": standing.reason or None,
    }


def _minutes(launch: Launch | None) -> list[Json]:
    return [] if launch is None else [asdict(minute) for minute in summarize_minutes(launch)]


def _profile(record: BenchmarkRecord) -> Json:
    profile = record.profile
    assert profile is not None
    return _identity(record) | {
        "source": profile.source,
        "inferences": len(profile.inference_ns),
        "delegates": delegates(profile),
        "outside_delegates_share": share_outside_delegates(profile),
        "between_ops_share": share_between_ops(profile),
        "top_ops": [asdict(op) for op in top_ops(profile, MOST_OPS)],
    }


def _preparation(record: BenchmarkRecord) -> Json:
    preparation = record.preparation
    assert preparation is not None
    summary = asdict(summarize_preparation(preparation))
    return _identity(record) | {"step": str(preparation.step), "executed_by": preparation.executed_by, **summary}


def _comparison(compared: Compared) -> Json:
    outcome = compared.outcome
    return _identity(compared.candidate) | {
        "baseline_record_id": compared.baseline.record_id,
        "verdict": None if outcome is None else str(outcome.verdict),
        "ratio": None if outcome is None else outcome.ratio,
        "ratio_interval": None if outcome is None or outcome.interval is None else list(outcome.interval),
        "refusal": compared.refusal or None,
    }
