"""The last rung of the parity ladder: what a device gave for an artefact, from the record of its benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pocketclip.benchmark.errors import NoRecordError, StoreError
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, GoldenCheck
from pocketclip.benchmark.runners.golden_check import SAME_OUTPUTS_COSINE
from pocketclip.benchmark.store import left_out_words, open_store
from pocketclip.benchmark.store.database import location_name
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.ladder.report import Agreement, Divergence, LadderReport, Method, Rung, RungName, Status
from pocketclip.export.parity.budgets import Budget, budget_for
from pocketclip.models import documents


def read_benchmarks(location: str, say: Callable[[str], object]) -> list[BenchmarkRecord]:
    """The benchmark records of a store, as far as they can be read, or the one of a JSON file.

    `say` is told of the others.

    Raises:
        StoreError: there is no such store or file, or it cannot be read.
    """
    if not location.endswith(".json"):
        with open_store(location, create=False) as store:
            found = store.read()
        if words := left_out_words(found.unreadable, location_name(location)):
            say(words)
        return found.benchmarks
    return [documents.read(BenchmarkRecord, Path(location), error=StoreError)]


def with_device_rungs(report: LadderReport, artifact: Artifact, records: Sequence[BenchmarkRecord]) -> LadderReport:
    """The report with a rung for each device that measured the artefact, by the latest record of each.

    Raises:
        NoRecordError: no record is of this artefact.
    """
    latest = {record.device.name: record for record in records if record.artifact.sha256 == report.artifact_sha256}
    if not latest:
        raise NoRecordError(
            f"none of {len(records)} records is of {artifact.folder} ({report.artifact_sha256[:12]}...)",
            fix=f"measure it first: pocketclip bench --artifact {artifact.folder}",
        )
    climbed = report.first_failure is None
    rungs = [device_rung(artifact, record, climbed=climbed) for record in latest.values()]
    return replace(report, rungs=(*report.rungs, *rungs))


def device_rung(artifact: Artifact, record: BenchmarkRecord, *, climbed: bool = True) -> Rung:
    """Judges the outputs that a record holds by the artefact's budget; `climbed`: no rung before it failed."""
    version = f" {record.runtime.version}" if record.runtime.version else ""
    rung = Rung(RungName.DEVICE, f"{record.device.name}: {record.runtime.name}{version}", Status.NOT_REACHED, 0)
    if not climbed:
        return rung
    check = record.golden_check
    if check is None:
        return replace(rung, status=Status.FAILED, failures=(record.reason or "the record holds no outputs",))
    failures = _missed(
        check,
        budget_for(artifact.manifest.target, artifact.manifest.precision, artifact.manifest.used_passes),
        artifact,
    )
    divergence = Divergence(
        method=Method.NONE,
        detail="a device's record holds the embeddings alone; the artefact is sound where it was exported, so that "
        "the device's kernels or accelerator compute something else",
    )
    return replace(
        rung,
        status=Status.FAILED if failures else Status.PASSED,
        samples=check.samples,
        against_eager=Agreement(cosine_min=check.cosine_min, max_abs=check.max_abs),
        against_previous=Agreement(cosine_min=check.exported_cosine_min),
        failures=tuple(failures),
        divergence=divergence if failures else None,
    )


def _missed(check: GoldenCheck, budget: Budget, artifact: Artifact) -> list[str]:
    failures: list[str] = []
    if check.cosine_min < budget.cosine_min:
        failures.append(f"against eager: cosine_min {check.cosine_min:.6g} is below {budget.cosine_min:g}")
    # Raw embeddings have lengths of their own, by which a budget says nothing.
    if artifact.manifest.normalized and check.max_abs > budget.max_abs:
        failures.append(f"against eager: max_abs {check.max_abs:.6g} is above {budget.max_abs:g}")
    # Kernels of other processors round otherwise, and a rounding may become a whole step of a quantised value.
    least = max(SAME_OUTPUTS_COSINE, budget.cosine_min)
    if check.exported_cosine_min < least:
        failures.append(f"against the rung before: cosine_min {check.exported_cosine_min:.6g} is below {least:g}")
    return failures
