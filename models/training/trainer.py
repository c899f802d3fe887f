"""The training loop: one process or many, exact resume from the newest checkpoint."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from pocketclip.models import atomic, documents
from pocketclip.models.checkpoints.checkpoint import save_weights
from pocketclip.models.config import AnyConfig
from pocketclip.models.data.batches import BatchSource
from pocketclip.models.data.mixture import parse_mixture, split_batch
from pocketclip.models.data.opening import open_batches
from pocketclip.models.data.source import DataSource, SceneSource
from pocketclip.models.errors import CheckpointError, ConfigError, NonFiniteError
from pocketclip.models.inheritance import InheritanceReport
from pocketclip.models.quantization.schemes import QatScheme
from pocketclip.models.quantization.training_form import plain_form, resume_ranges
from pocketclip.models.registry import resolve_config
from pocketclip.models.run_folder import BEST_WEIGHTS_FILE, CONFIG_FILE, LAST_WEIGHTS_FILE, MODEL_FILE, WEIGHTS_FILE
from pocketclip.models.scenes.dataset import MAX_WORKERS
from pocketclip.models.text.tokenizer import load_tokenizer
from pocketclip.models.towers.clip import AnyModel
from pocketclip.models.towers.open_clip_model import OpenClipModel
from pocketclip.models.training.checkpoints import FOLDER as CHECKPOINT_FOLDER
from pocketclip.models.training.checkpoints import BestStep, Checkpoints
from pocketclip.models.training.config import Autocast, TrainingConfig
from pocketclip.models.training.data_notes import ReadNotes, notes_of, write_data_notes
from pocketclip.models.training.distributed import Processes, joined_processes, share_batch_statistics
from pocketclip.models.training.mixed_batches import MixedBatches
from pocketclip.models.training.optimization import learning_rate, new_average, new_optimizer, set_learning_rate
from pocketclip.models.training.recipes import Terms, objective
from pocketclip.models.training.run_log import RunLog, StepReport, open_log
from pocketclip.models.training.run_vocabulary import check_vocabulary, keep_vocabulary
from pocketclip.models.training.scene_batches import SceneBatches
from pocketclip.models.training.start import observe_ranges, starting_model
from pocketclip.models.training.step import GradientPass, inputs_of
from pocketclip.models.training.student import Student, checkpoint_activations
from pocketclip.models.training.teachers import Teachers, gathered_goals, load_teachers
from pocketclip.models.training.validation import Validation, wants_validation

# Of `scenes` without a count.
DEFAULT_SCENES = 40_000


@dataclass(frozen=True)
class Machinery:
    """What a run is made of besides its settings; all but `batches` is the same in every process."""

    student: Student
    trained: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    average: AveragedModel | None
    batches: BatchSource
    teachers: Teachers
    gradients: GradientPass

    @property
    def result(self) -> AnyModel:
        """The model that the run is for: the average where there is one."""
        if self.average is None:
            return self.student.model
        module: Any = self.average.module
        return module


def train(
    config: TrainingConfig,
    folder: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    workers: int | None = None,
    threads: int | None = None,
    report: Callable[[StepReport], object] = lambda _: None,
    inherited: Callable[[InheritanceReport], object] = lambda _: None,
) -> Path:
    """Trains and writes `weights.safetensors`, `model.json`, a log and checkpoints into `folder`.

    A run resumed from a checkpoint ends with the same weights as one that was never stopped, on the CPU bit by bit.
    Under torchrun every process calls this; the first one writes and reports.

    Args:
        config: what to train, and how.
        folder: the run's own.
        resume: go on from the newest checkpoint.
        device: `auto`, `cpu` or `cuda`.
        workers: processes that prepare data for each training process; None takes as many as there are cores.
        threads: of arithmetic in each process; None takes OMP_NUM_THREADS, or else the physical cores,
            divided among the processes. Another number may give other last bits.
        report: called after every step.
        inherited: called with what `init_from` gave, once.

    Returns:
        The path of the weights.

    Raises:
        ConfigError: settings contradict each other, the folder holds another run, or `resume` finds none.
        CheckpointError: a checkpoint cannot be read.
        DatasetError: the data are missing, empty, or too many samples are corrupt.
        NonFiniteError: the loss became NaN or infinite.
    """
    model_config = resolve_config(config.model, config.changes)
    if config.name is not None:
        model_config = replace(model_config, name=config.name)
    with joined_processes(device) as processes:
        _set_threads(threads, processes.world)
        _check_shares(config, processes)
        if processes.leads:
            _check_folder(config, folder, resume)
            if resume:
                check_vocabulary(model_config, folder)
        checkpoints = Checkpoints(folder / CHECKPOINT_FOLDER, config.keep_checkpoints)
        saved = checkpoints.newest() if resume else None
        said = inherited if processes.leads else _unsaid
        run = _build(config, model_config, processes, workers, said if saved is None else None)
        first = 0 if saved is None else _restore(saved, run, processes)
        if processes.leads:
            # Not before everything is built: a mistake must not leave a folder that looks like a run.
            _claim_folder(config, model_config, folder)
        validation = Validation(config, run.student.model) if processes.leads and wants_validation(config) else None
        try:
            if processes.leads:
                with open_log(folder, first) as log:
                    _loop(config, run, processes, first, checkpoints, validation, log, report, folder)
            else:
                _loop(config, run, processes, first, checkpoints, None, None, report, folder)
        finally:
            run.batches.close()
        if processes.leads:
            _write_results(config, run, checkpoints, folder)
        processes.wait()
    return folder / WEIGHTS_FILE


def _unsaid(_: InheritanceReport) -> None:
    """Of the processes that do not lead."""


def _set_threads(threads: int | None, world: int) -> None:
    if threads is None and "OMP_NUM_THREADS" in os.environ:
        # The user's, or torchrun's.
        return
    import psutil

    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    torch.set_num_threads(threads or max(1, cores // world))


def _build(
    config: TrainingConfig,
    model_config: AnyConfig,
    processes: Processes,
    workers: int | None,
    inherited: Callable[[InheritanceReport], object] | None,
) -> Machinery:
    teachers = load_teachers(config, model_config.preprocess, processes.device)
    torch.manual_seed(config.seed)
    model = starting_model(config, model_config, inherited)
    # torch's stubs leave this overload out.
    model = model.to(processes.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    if config.activation_checkpointing:
        checkpoint_activations(model)
    student = Student(
        model,
        config.recipe,
        fresh=config.init_from is None,
        predicts_tokens=config.token_weight > 0,
        remembered=config.memory,
    ).to(processes.device)
    student.train()
    batches = _open_batches(config, model_config, processes, workers)
    if config.qat is not None and inherited is not None:
        observe_ranges(config, student, batches, processes.device)
    average = None if config.ema_decay is None else new_average(model, config.ema_decay)
    trained: nn.Module = student
    if processes.world > 1:
        share_batch_statistics(student, processes.device)
        # The first process's parameters, ranges among them, become everybody's.
        trained = DistributedDataParallel(student, broadcast_buffers=False)
    return Machinery(
        student,
        trained,
        new_optimizer(student, config),
        torch.amp.GradScaler(processes.device.type, enabled=config.autocast is Autocast.FP16),
        average,
        batches,
        teachers,
        GradientPass(trained, objective(config), processes, accumulation=config.accumulation, autocast=config.autocast),
    )


def _open_batches(
    config: TrainingConfig, model_config: AnyConfig, processes: Processes, workers: int | None
) -> BatchSource:
    parts = parse_mixture(config.data)
    sizes = split_batch(parts, config.batch_size // processes.world)
    sources = [
        _open_source(part.source, size, config, model_config, processes, workers)
        for part, size in zip(parts, sizes, strict=True)
    ]
    return sources[0] if len(sources) == 1 else MixedBatches(sources)


def _open_source(
    source: DataSource,
    size: int,
    config: TrainingConfig,
    model_config: AnyConfig,
    processes: Processes,
    workers: int | None,
) -> BatchSource:
    """A source that gives `size` samples of each batch of this process."""
    cores = os.cpu_count() or 1
    if isinstance(source, SceneSource):
        return SceneBatches(
            config,
            source.count or DEFAULT_SCENES,
            model_config.preprocess,
            load_tokenizer(model_config.tokenizer),
            processes,
            batch_size=size * processes.world,
            workers=max(1, min(MAX_WORKERS, cores // processes.world if workers is None else workers)),
        )
    return open_batches(
        source,
        config=model_config,
        batch_size=size,
        seed=config.seed,
        rank=processes.rank,
        world=processes.world,
        workers=max(0, cores // processes.world - 1) if workers is None else workers,
        reinforced=config.recipe.needs_stored_embeddings,
        teacher_dims=config.teacher_dims,
        crop_scale=config.crop_scale,
        rand_augment=config.rand_augment,
        max_skipped_share=config.max_skipped_share,
    )


def _loop(
    config: TrainingConfig,
    run: Machinery,
    processes: Processes,
    first: int,
    checkpoints: Checkpoints,
    validation: Validation | None,
    log: RunLog | None,
    report: Callable[[StepReport], object],
    folder: Path,
) -> None:
    started = time.perf_counter()
    for step in range(first, config.steps):
        rate = learning_rate(config, step)
        terms = _take_step(config, run, processes, step, rate)
        done = step + 1
        due = done % config.checkpoint_every == 0 or done == config.steps
        entry = StepReport(
            step=done,
            loss=sum(terms.values()),
            learning_rate=rate,
            samples_per_second=(done - first) * config.batch_size / (time.perf_counter() - started),
            terms=terms,
            skipped=run.batches.skipped_count,
        )
        score = None
        if due:
            skips = processes.gather_objects({"count": run.batches.skipped_count})
            entry = replace(entry, skipped=sum(each["count"] for each in skips))
            if validation is not None:
                score = BestStep(done, validation.metric, validation.score(run.result, processes.device))
                entry = replace(entry, validation={score.metric: score.value})
        if log is not None:
            # On disk before the checkpoint: a run that goes on from there logs nothing of it again.
            log.write(entry)
        if due:
            states = processes.gather_objects({"batches": run.batches.state()})
            _note_data(run, processes, folder, None if validation is None else validation.notes)
            if processes.leads:
                checkpoints.save(done, _state(run, processes, [each["batches"] for each in states]), score)
        report(entry)


def _note_data(run: Machinery, processes: Processes, folder: Path, validation: ReadNotes | None) -> None:
    """Writes what all processes skipped and passed over so far."""
    everybodys = processes.gather_objects({"notes": notes_of(run.batches, run.batches.left_out)})
    if processes.leads:
        write_data_notes(folder, [each["notes"] for each in everybodys], validation)


def _take_step(
    config: TrainingConfig, run: Machinery, processes: Processes, step: int, rate: float
) -> dict[str, float]:
    set_learning_rate(run.optimizer, rate)
    batch = run.batches.next_batch()
    goals = gathered_goals(batch, run.teachers.views(batch, processes.device), processes)
    run.optimizer.zero_grad(set_to_none=True)

    def backward(loss: torch.Tensor) -> None:
        # Before the backward pass: what is not finite must not reach the weights.
        if not math.isfinite(loss.item()):
            raise NonFiniteError(
                f"the loss of step {step + 1} is {loss.item()}",
                fix=f"lower the learning rate (now {rate:.2e}) and resume from the last checkpoint",
            )
        run.scaler.scale(loss).backward()

    terms: Terms = run.gradients.run(inputs_of(batch, processes.device), goals, backward)
    run.scaler.unscale_(run.optimizer)
    nn.utils.clip_grad_norm_(run.student.parameters(), config.gradient_clip)
    run.scaler.step(run.optimizer)
    run.scaler.update()
    if run.average is not None:
        run.average.update_parameters(run.student.model)
    return {name: term.item() for name, term in terms.items()}


def _state(run: Machinery, processes: Processes, batches: list[dict[str, Any]]) -> dict[str, Any]:
    # No layer draws at random, and the learning rate follows from the step: this is the whole state.
    return {
        "world": processes.world,
        "student": run.student.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "scaler": run.scaler.state_dict(),
        "average": None if run.average is None else run.average.state_dict(),
        "batches": batches,
    }


def _restore(saved: dict[str, Any], run: Machinery, processes: Processes) -> int:
    if not isinstance(saved, dict) or saved.get("world") != processes.world:
        made_by = saved.get("world") if isinstance(saved, dict) else None
        raise ConfigError(
            f"the run was trained by {made_by} processes, not {processes.world}", fix="resume it with the same number"
        )
    try:
        run.student.load_state_dict(saved["student"])
        resume_ranges(run.student)
        run.optimizer.load_state_dict(saved["optimizer"])
        run.scaler.load_state_dict(saved["scaler"])
        if run.average is not None:
            run.average.load_state_dict(saved["average"])
            resume_ranges(run.average)
        run.batches.restore(saved["batches"][processes.rank])
        return int(saved["step"])
    except Exception as error:
        # Whatever torch raises about a state that is not what it expects.
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise CheckpointError(f"the newest checkpoint does not fit this run: {reason}") from error


def _write_results(config: TrainingConfig, run: Machinery, checkpoints: Checkpoints, folder: Path) -> None:
    """The result last: where `weights.safetensors` is, the run is complete."""
    model = run.result
    best = checkpoints.best()
    if best is not None:
        state = checkpoints.load(best.step)
        last = {key: value.clone() for key, value in model.state_dict().items()}
        source = state["student"] if run.average is None else state["average"]
        prefix = "model." if run.average is None else "module."
        model.load_state_dict(
            {key.removeprefix(prefix): value for key, value in source.items() if key.startswith(prefix)}
        )
        _save(model, config.qat, folder / BEST_WEIGHTS_FILE)
        model.load_state_dict(last)
    if run.average is not None:
        _save(run.student.model, config.qat, folder / LAST_WEIGHTS_FILE)
    _save(model, config.qat, folder / WEIGHTS_FILE)


def _save(model: AnyModel, scheme: QatScheme | None, path: Path) -> None:
    # Under the keys that each kind of checkpoint is read with.
    if isinstance(model, OpenClipModel):
        save_weights(model.clip, path)
    else:
        save_weights(model if scheme is None else plain_form(model, scheme), path)


def _check_shares(config: TrainingConfig, processes: Processes) -> None:
    pieces = processes.world * config.accumulation
    if config.batch_size % pieces:
        raise ConfigError(
            (
                f"batch_size {config.batch_size} is not a multiple of {processes.world} processes times "
                f"{config.accumulation} parts"
            ),
            fix=f"choose a multiple of {pieces}",
        )


def _check_folder(config: TrainingConfig, folder: Path, resume: bool) -> None:
    stored = folder / CONFIG_FILE
    if not resume:
        if stored.exists():
            raise ConfigError(f"{folder} already holds a run", fix="resume it with --resume or choose another folder")
        return
    if not stored.is_file():
        raise ConfigError(f"there is no run to resume in {folder}", fix="start a run without --resume")
    earlier = documents.read(TrainingConfig, stored, error=ConfigError)
    if earlier != config:
        changed = [n for n, value in vars(config).items() if getattr(earlier, n) != value]
        raise ConfigError(
            f"the run in {folder} has other settings ({', '.join(changed)})", fix="resume it with its own settings"
        )


def _claim_folder(config: TrainingConfig, model_config: AnyConfig, folder: Path) -> None:
    with atomic.storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    documents.write(keep_vocabulary(model_config, folder), folder / MODEL_FILE)
    documents.write(config, folder / CONFIG_FILE)
