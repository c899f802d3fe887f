"""What trials are made of: exports, measurements, trainings and evaluations, each an ordinary artefact or record.

Below the study's folder: `fresh` has exports with fresh weights, `runs` the trainings, `artifacts` the exports of
trained models, `workers` locks of processes. What is there already is gone on with, or taken as it is.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import shutil
import time
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.benchmark.errors import MeasurementError, OptionError, StudyError
from pocketclip.benchmark.tune.costing import cost_of, status_of
from pocketclip.benchmark.tune.points import SearchSpace, change_words
from pocketclip.benchmark.tune.settings import StudySettings
from pocketclip.benchmark.tune.steps import Stage, Task
from pocketclip.benchmark.tune.trials import Judged, Measured, StageResult, Trained, Trial
from pocketclip.export.errors import ExportError
from pocketclip.models.errors import PocketClipError, StorageError
from pocketclip.models.registry import resolve_config
from pocketclip.models.run_folder import own_weights

if TYPE_CHECKING:
    from pocketclip.benchmark.records.accuracy import AccuracyRecord
    from pocketclip.benchmark.records.benchmark import BenchmarkRecord
    from pocketclip.export.job import ExportResult
    from pocketclip.models.api import Model

FRESH, RUNS, ARTIFACTS, WORKERS = "fresh", "runs", "artifacts", "workers"
# With less space than this, a converter that fails says nothing of its model.
_LEAST_FREE_BYTES = 64 << 20


@dataclass(frozen=True)
class Workshop:
    """The worker of a study on this computer.

    Attributes:
        name: of the study; tags of records begin with it.
        settings: of the study.
        out: the study's folder.
        store: where records go.
        data_root: the folder of published data sets and of the pictures.
        threads: of training; None takes all cores.
        allow_invalid: whether latency counts that was measured under unfit conditions.
        torch_device: where PyTorch trains and judges: `auto`, `cpu` or `cuda`.
        devices: the user's table of devices.
    """

    name: str
    settings: StudySettings
    out: Path
    store: str
    data_root: Path = Path("data")
    threads: int | None = None
    allow_invalid: bool = False
    torch_device: str = "auto"
    devices: Path | None = None

    @functools.cached_property
    def space(self) -> SearchSpace:
        """The study's space; its refusals were found before any task was made."""
        return SearchSpace(self.settings.space, resolve_config(self.settings.space.model), {})

    def carry_out(self, task: Task) -> StageResult:
        """The result of a stage; see `queueing.Worker`."""
        match task.stage:
            case Stage.MEASURE:
                return self._measure(task)
            case Stage.TRAIN:
                return self._train(task)
            case Stage.JUDGE:
                return self._judge(task)

    def _measure(self, task: Task) -> Measured:
        from pocketclip.benchmark.api import BenchOptions, bench
        from pocketclip.models.api import load_model

        started = time.monotonic()
        # Fresh weights are meant here: warnings of them, a few for each trial, would hide all else.
        logging.getLogger("pocketclip").setLevel(logging.ERROR)
        words = change_words(self.space.changes(task.point))
        model = load_model(self.settings.space.model, changes=words, fresh_weights=True)
        results = self._export(task, model, self.out / FRESH)
        records = self._kept_records(task.number, {each.manifest.sha256 for each in results})
        if len(records) != len(results):
            records = bench(
                [each.folder for each in results],
                self.settings.device,
                options=BenchOptions(
                    threads=self.space.threads(task.point),
                    launches=self.settings.launches,
                    iterations=self.settings.iterations,
                    tag=self._tag(task.number),
                    devices=self.devices,
                ),
                store=self.store,
            )
        cost = cost_of(records, self.settings.cost, allow_invalid=self.allow_invalid)
        return Measured(
            cost=cost.value,
            low=cost.low,
            high=cost.high,
            size_bytes=sum(each.manifest.model_size_bytes for each in results),
            record_ids=tuple(record.record_id for record in records),
            seconds=time.monotonic() - started,
        )

    def _train(self, task: Task) -> Trained:
        from pocketclip.benchmark.tune.training import train_rung
        from pocketclip.models.api import load_model

        started = time.monotonic()
        changes = self.space.changes(task.point)
        if changes:
            run = f"{self.space.config(task.point).name}-rung{task.rung}"
            parent = None if task.parent is None or task.parent.run is None else self.out / RUNS / task.parent.run
            folder = self.out / RUNS / run
            train_rung(self.settings, change_words(changes), task.rung, folder, parent, self.torch_device, self.threads)
            model = load_model(folder)
        else:
            # The unchanged model is what all are compared with: as it ships.
            run, model = None, load_model(self.settings.space.model)
        record = self._accuracy(model, baseline=None)
        return Trained(
            rung=task.rung,
            steps=0 if run is None else sum(self.settings.training.steps[: task.rung + 1]),
            accuracy=record.accuracy,
            samples=record.samples,
            weights_sha256=record.weights_sha256,
            run=run,
            seconds=time.monotonic() - started,
        )

    def _judge(self, task: Task) -> Judged:
        from pocketclip.models.api import load_model

        started = time.monotonic()
        assert task.parent is not None
        run = task.parent.run
        model = load_model(self.settings.space.model if run is None else self.out / RUNS / run)
        results = self._export(task, model, self.out / ARTIFACTS)
        record = self._accuracy([each.folder for each in results], baseline=self.settings.space.model)
        compared = record.comparison
        if compared is None:
            raise MeasurementError(f"{record.model} was not compared with {self.settings.space.model}")
        return Judged(
            accuracy=record.accuracy,
            low=record.accuracy_low,
            high=record.accuracy_high,
            samples=record.samples,
            drop_points=compared.drop_points,
            drop_low_points=compared.drop_low_points,
            drop_high_points=compared.drop_high_points,
            size_bytes=sum(each.manifest.model_size_bytes for each in results),
            weights_sha256=record.weights_sha256,
            failures=tuple(failure for each in results for failure in each.failures),
            record_ids=(record.record_id,),
            seconds=time.monotonic() - started,
        )

    def artifacts(self, trial: Trial) -> list[Path]:
        """The artefacts of a judged trial or of the unchanged model, image first; exported where they are gone.

        Raises:
            StudyError: the trial was not judged, or its training is gone.
        """
        run = self._run(trial)
        if run is not None and own_weights(self.out / RUNS / run) is None:
            raise StudyError(
                f"the training of trial {trial.number} is not in {self.out / RUNS / run}",
                fix="give the study's folder with --out",
            )
        task = Task(trial.number, trial.point, Stage.JUDGE)
        return [each.folder for each in self._export(task, self.trained_model(trial), self.out / ARTIFACTS)]

    def trained_model(self, trial: Trial) -> Model:
        """The model of a judged trial, with its weights, or the unchanged one. Raises as `artifacts`."""
        from pocketclip.models.api import load_model

        run = self._run(trial)
        return load_model(self.settings.space.model if run is None else self.out / RUNS / run)

    def _run(self, trial: Trial) -> str | None:
        """The training of a trial; None of the unchanged model, which is trained."""
        if self.space.is_base(trial.point):
            return None
        if trial.judged is None or not trial.trained:
            raise StudyError(f"trial {trial.number} was not judged", fix="choose one of the front")
        return trial.trained[-1].run

    def _export(self, task: Task, model: Model, out: Path) -> list[ExportResult]:
        from pocketclip.export.api import ExportOptions, export_all

        plan = self.space.plan(task.point)
        target, _ = self.space.scheme(task.point)
        options = ExportOptions(
            calibration=self.settings.calibration,
            isa=self.settings.isa,
            keep_float=plan.keep_float,
            keep_int16=plan.keep_int16,
            max_drop=plan.max_drop,
        )
        # Plans of one precision have the same name; each has a folder of its own.
        place = out / hashlib.sha256(plan.label.encode()).hexdigest()[:8]
        outcomes = export_all(model, target=target, precision=plan.precision, out=place, options=options)
        found: list[ExportResult] = []
        for _, result in outcomes:
            if isinstance(result, PocketClipError):
                self._check_space(result)
                raise result
            found.append(result)
        return found

    def _check_space(self, error: PocketClipError) -> None:
        """A converter words a full disk in many ways."""
        if isinstance(error, ExportError) and shutil.disk_usage(self.out).free < _LEAST_FREE_BYTES:
            raise StorageError(
                f"the disk of {self.out} is full: {error.what}", fix="free some space; the same command goes on"
            ) from error

    def _tag(self, number: int) -> str:
        return trial_tag(self.name, number)

    def _kept_records(self, number: int, artifacts: Set[str]) -> list[BenchmarkRecord]:
        """What an earlier try of the same task has measured already of these artefacts, as far as it counts."""
        from pocketclip.benchmark.records.benchmark import BenchmarkRecord
        from pocketclip.benchmark.store import RecordFilter, open_store

        with open_store(self.store) as store:
            found = store.read(RecordFilter(kind="benchmark", tag=self._tag(number))).records
        latest = {
            each.artifact.tower: each
            for each in found
            if isinstance(each, BenchmarkRecord)
            and each.artifact.sha256 in artifacts
            and each.status is status_of(self.settings.cost)
            and (self.allow_invalid or not each.invalid)
        }
        return [latest[tower] for tower in sorted(latest)]

    def _accuracy(self, subject: Model | Sequence[Path], baseline: str | None) -> AccuracyRecord:
        from pocketclip.benchmark.api import EvaluateOptions, evaluate
        from pocketclip.benchmark.records.accuracy import AccuracyRecord

        place = "cpu" if self.torch_device == "auto" else self.torch_device
        options = EvaluateOptions(data_root=self.data_root, baseline=baseline, device=place)
        records = evaluate(
            subject, self.settings.dataset, count=self.settings.samples, options=options, store=self.store
        )
        # The baseline's own record comes first.
        record = records[-1]
        if not isinstance(record, AccuracyRecord):
            raise MeasurementError(f"{self.settings.dataset} is no data set of classes")
        return record


def check_data(settings: StudySettings, data_root: Path) -> None:
    """Whether what trials train on and are judged on can be, before anything is measured.

    Raises:
        ConfigError, DatasetError: it is unknown, missing or of another form.
        OptionError: the data set has captions, not classes.
        UntrainedError: the base has no weights that others could begin with.
    """
    from pocketclip.models.api import load_model
    from pocketclip.models.data.mixture import parse_mixture
    from pocketclip.models.evaluation.datasets import SetOptions, open_dataset
    from pocketclip.models.evaluation.samples import ClassificationSet

    if not settings.train:
        return
    load_model(settings.space.model)
    parse_mixture(settings.training.data)
    found = open_dataset(settings.dataset, SetOptions(data_root=data_root, count=settings.samples))
    if not isinstance(found, ClassificationSet):
        raise OptionError(
            f"--dataset {settings.dataset} has captions, and trials are judged by classes",
            fix="choose one of classes, such as scenes",
        )


def trial_tag(study: str, number: int) -> str:
    """The tag of a trial's records."""
    return f"{study}-{number}"
