"""Converts towers by many plans, and measures every file: instructions on the emulated phone, times on this machine.

Beside fp32 and uniform int8, plans are random, from a seed: what is fitted to them sees each kind of work at both
precisions, and many borders between them.
"""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pocketclip.benchmark.arm64.counting import CountSettings, run_process
from pocketclip.benchmark.arm64.emulator import Counter
from pocketclip.benchmark.errors import MeasurementError
from pocketclip.benchmark.perf.candidates import Candidate
from pocketclip.benchmark.perf.measuring import TimedGroup, TimingSettings, time_group
from pocketclip.benchmark.platforms.host import host_facts
from pocketclip.benchmark.precision_costs.subjects import Subject, make_subject, random_plans
from pocketclip.export.artifact import precision_plan as plans
from pocketclip.export.artifact.precision_plan import KeptPrecision, PrecisionPlan, planned
from pocketclip.export.inputs.calibration import CalibrationRequest, load_calibration
from pocketclip.export.mixed.units import collapsed, meant
from pocketclip.export.parity.budgets import BUDGETS
from pocketclip.export.passes.tower_module import INPUT_NAMES, OUTPUT_NAME
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.targets import TARGETS, load_target
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.untrusted.numbers import Count, Positive

SEED = 19
FILE_NAMES = {
    TargetName.ONNX: "model.onnx",
    TargetName.EXECUTORCH: "model.pte",
    TargetName.TFLITE: "model.tflite",
}


@document
class MeasuredFile:
    """One converted file: the units that are kept in float (None: the whole file is fp32), and what it took.

    `instructions` are of one inference on the emulated Cortex-A76, `seconds` the least of one inference on one thread
    of the machine that the measurements name; None where it was not measured.
    """

    model: str
    tower: Tower
    target: TargetName
    kept: tuple[str, ...] | None
    instructions: Count | None = None
    seconds: Positive | None = None

    @property
    def precision(self) -> Precision:
        """What it was converted at."""
        return Precision.FP32 if self.kept is None else Precision.INT8_STATIC

    @property
    def folder_name(self) -> str:
        """One word for the file."""
        chosen = "fp32" if self.kept is None else hashlib.sha256("\n".join(self.kept).encode()).hexdigest()[:12]
        return f"{self.model}-{self.tower}-{self.target}-{chosen}"


@document
class Measurements:
    """All files that were measured; `processor` is that of the machine whose times they have."""

    schema_version: int
    processor: str | None
    files: tuple[MeasuredFile, ...]


def read_measurements(file: Path) -> Measurements:
    """What was measured so far; nothing where there is no file yet."""
    if not file.is_file():
        return Measurements(1, None, ())
    return documents.read(Measurements, file, error=MeasurementError)


def counted_files(
    file: Path,
    work: Path,
    counter: Counter,
    model: str,
    tower: Tower,
    target: TargetName,
    *,
    count: int,
    calibration: CalibrationRequest,
    own: Sequence[PrecisionPlan] = (),
) -> Iterator[str]:
    """Converts and counts what `file` lacks, and writes it there one by one; says what is done.

    `own` are plans beside the random ones: searches choose what is predicted to be cheap, which random plans may lack.
    """
    subjects = {
        precision: make_subject(model, tower, target, precision)
        for precision in (Precision.FP32, Precision.INT8_STATIC)
    }
    any_subject = subjects[Precision.FP32]
    samples = load_calibration(calibration, any_subject.model.config, tower).inputs
    given = [meant(plan.kept(KeptPrecision.FLOAT), any_subject.units) for plan in own if plan.tower is tower]
    choices: list[tuple[str, ...] | None] = [None, (), *random_plans(any_subject.units, count, SEED), *given]
    for kept in choices:
        wanted = MeasuredFile(any_subject.model.config.name, tower, target, kept)
        known = read_measurements(file)
        if wanted.folder_name in {entry.folder_name for entry in known.files}:
            continue
        subject = subjects[wanted.precision]
        inputs = [subject.passed.adapt(array) for array in samples]
        folder = work / wanted.folder_name
        folder.mkdir(parents=True, exist_ok=True)
        path = _convert(subject, kept, inputs, folder)
        found = replace(wanted, instructions=_count(subject, path, inputs, counter))
        documents.write(replace(known, files=(*known.files, found)), file)
        yield f"{wanted.folder_name}: {found.instructions}"


def _convert(subject: Subject, kept: tuple[str, ...] | None, inputs: list[np.ndarray], folder: Path) -> Path:
    plan = None
    if kept:
        modules = planned(collapsed(kept, subject.units), KeptPrecision.FLOAT)
        plan = PrecisionPlan(plans.SCHEMA_VERSION, subject.model.config.name, subject.tower, subject.precision, modules)
    request = LoweringRequest(
        module=subject.passed.module,
        example=subject.passed.example,
        input_name=INPUT_NAMES[subject.tower],
        output_name=OUTPUT_NAME,
        precision=subject.precision,
        calibration=tuple(inputs) if subject.precision.needs_calibration else (),
        plan=plan,
    )
    return folder / load_target(subject.target).lower(request, folder)


def _count(subject: Subject, path: Path, inputs: list[np.ndarray], counter: Counter) -> int:
    """Instructions of the second inference of a process."""
    name = subject.model.config.name
    candidate = Candidate(
        f"{name} {subject.tower}",
        TARGETS[subject.target].runtime,
        path.parent.name,
        (path,),
        np.concatenate(inputs[:2]),
        # What the outputs are worth is not asked here.
        np.zeros((2, subject.model.config.embedding_dim), np.float32),
        BUDGETS[subject.target, Precision.INT8_STATIC],
    )
    return run_process(candidate, counter, CountSettings(warmup=1, counted=1, processes=1)).inferences[-1]


def timed_files(file: Path, work: Path, settings: TimingSettings) -> Iterator[str]:
    """Times what `file` names and `work` holds, tower by tower in turn, and writes the least times there."""
    groups = dict.fromkeys((entry.model, entry.tower, entry.target) for entry in read_measurements(file).files)
    for model, tower, target in groups:
        known = read_measurements(file)
        mine = {
            entry.folder_name: work / entry.folder_name / FILE_NAMES[target]
            for entry in known.files
            if (entry.model, entry.tower, entry.target) == (model, tower, target)
        }
        present = {name: path for name, path in mine.items() if path.is_file()}
        if not present:
            continue
        subject = make_subject(model, tower, target, Precision.INT8_STATIC)
        sample = subject.passed.example.numpy()
        group = TimedGroup(model, tower, TARGETS[target].runtime, 0, present, dict.fromkeys(present, sample))
        record = time_group(group, settings)
        found = {
            # The least of each process, and the middle of those: other work on the machine only ever adds.
            name: statistics.median(min(process[place]) for process in record.samples_ns) / 1e9
            for place, name in enumerate(record.labels)
        }
        files = tuple(replace(each, seconds=found.get(each.folder_name, each.seconds)) for each in known.files)
        documents.write(Measurements(1, host_facts("").cpu, files), file)
        for name, seconds in found.items():
            yield f"{name}: {1e3 * seconds:.4f} ms"
