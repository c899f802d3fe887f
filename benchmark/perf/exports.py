"""What `make perf` times and `make perf-arm64` counts.

For each runtime the plain export of a tower, ours in fp32 and ours in static int8.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from pocketclip.benchmark.perf.candidates import Candidate, candidate_of, plain_candidate
from pocketclip.benchmark.perf.plain_export import PLAIN_FILES, plain_export
from pocketclip.export.artifact.reading import Artifact, load_artifact
from pocketclip.export.commands.outcomes import one_line
from pocketclip.export.errors import ConversionError
from pocketclip.export.inputs.calibration import CalibrationRequest
from pocketclip.export.job import ExportJob
from pocketclip.export.jobs import memory
from pocketclip.export.jobs.fingerprint import inputs_sha256
from pocketclip.export.jobs.log import LOG_NAME
from pocketclip.export.jobs.planning import make_plan
from pocketclip.export.jobs.unchanged import prepare
from pocketclip.export.jobs.workers import run_jobs
from pocketclip.export.precision import InstructionSet, Precision, TargetName, Tower
from pocketclip.models import atomic
from pocketclip.models.errors import PocketClipError
from pocketclip.models.processes import end_with_parent
from pocketclip.models.registry import build_model, choose_model

COMPARED = (Precision.FP32, Precision.INT8_STATIC)
Say = Callable[[str], object]


@dataclass(frozen=True)
class Subject:
    """One model's tower, and where its artefacts and plain exports go. `isa` None means the phones' own."""

    model: str
    weights: str | None
    tower: Tower
    out: Path
    calibration: CalibrationRequest
    isa: InstructionSet | None = None


def make_candidates(
    subject: Subject, targets: Sequence[TargetName], say: Say
) -> tuple[list[Candidate], list[PocketClipError]]:
    """Exports what is not there yet, and returns the candidates by runtime, plain first, with what failed.

    Args:
        subject: what to compare.
        targets: of `PLAIN_FILES`.
        say: told in words what goes on.

    Raises:
        PocketClipError: the model, its weights or the calibration data cannot be used.
    """
    # What runs faster does not depend on the weights: a model that has none gets fresh ones.
    plan = make_plan(
        choose_model(subject.model, (), subject.weights),
        ",".join(targets),
        ",".join(COMPARED),
        subject.tower,
        subject.out,
        calibration=subject.calibration,
        isa=subject.isa,
    )
    prepared = prepare(plan.jobs, force=False)
    failures: list[PocketClipError] = []
    with atomic.storage_errors(subject.out):
        subject.out.mkdir(parents=True, exist_ok=True)
    log = subject.out / LOG_NAME
    fresh = run_jobs(
        prepared.jobs,
        workers=1,
        log=log,
        limit=memory.default_limit(),
        need=lambda job: memory.estimate(job, prepared.weights_bytes),
        on_retry=say,
    )
    for outcome in (*prepared.unchanged, *fresh):
        say(one_line(outcome))
        result = outcome[1]
        if isinstance(result, PocketClipError):
            failures.append(result)
    candidates: list[Candidate] = []
    for target in targets:
        jobs = [job for job in plan.jobs if job.target is target]
        artifacts = [load_artifact(job.folder) for job in jobs if job.folder.is_dir()]
        if artifacts:
            try:
                candidates.append(plain_candidate(_plain_file(jobs[0], artifacts[0], log, say), artifacts[0]))
            except ConversionError as error:
                failures.append(error)
        candidates += map(candidate_of, artifacts)
    return candidates, failures


def _plain_file(job: ExportJob, artifact: Artifact, log: Path, say: Say) -> Path:
    """The plain export of the job's tower, made in a process of its own where it is not there yet."""
    weights = artifact.manifest.model.weights_sha256
    key = inputs_sha256(job, weights, None)[:16]
    folder = job.out / job.config.name / f"{job.target}-plain-{key}" / job.tower
    if not folder.is_dir():
        say(f"exporting {job.config.name} {job.target} {job.tower} by the converter's plain call")
        for outdated in folder.parent.parent.glob(f"{job.target}-plain-*/{job.tower}"):
            shutil.rmtree(outdated)
        with (
            atomic.new_directory(folder) as new,
            ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_write_to, initargs=(log,)) as pool,
        ):
            try:
                pool.submit(_export_plainly, job, new).result()
            except BrokenProcessPool as error:
                raise ConversionError(f"the plain export of {job.label} died; details are in {log}") from error
    return folder / PLAIN_FILES[job.target]


def _export_plainly(job: ExportJob, folder: Path) -> None:
    plain_export(build_model(job.config, job.weights), job.tower, job.target, folder)


def _write_to(log: Path) -> None:
    end_with_parent()
    # Converters print what no user of ours needs to read.
    stream = log.open("ab")
    for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(stream.fileno(), descriptor)
