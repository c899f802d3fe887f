"""The contrastive trainer: one process, exact resume from the newest checkpoint."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from models import atomic, documents
from models.checkpoint import save_weights
from models.clip import ClipModel
from models.config import ModelConfig
from models.errors import CheckpointError, ConfigError, NonFiniteError
from models.inheritance import InheritanceReport, inherit_weights
from models.registry import build_model, resolve_config, shipped_weights
from models.tokenizer import load_tokenizer
from models.training.config import TrainingConfig
from models.training.losses import contrastive_loss
from models.training.scene_batches import SceneBatches

CONFIG_FILE = "training.json"
MODEL_FILE = "model.json"
STATE_FILE = "state.pt"
LOG_FILE = "log.jsonl"
WEIGHTS_FILE = "weights.safetensors"


@dataclass(frozen=True)
class StepReport:
    """What a step did: its number from 1, loss, learning rate and samples per second so far."""

    step: int
    loss: float
    learning_rate: float
    samples_per_second: float


def train(
    config: TrainingConfig,
    folder: Path,
    *,
    resume: bool = False,
    workers: int | None = None,
    report: Callable[[StepReport], None] = lambda _: None,
    inherited: Callable[[InheritanceReport], None] = lambda _: None,
) -> Path:
    """Trains and writes `weights.safetensors`, `model.json`, a log and resumable state into `folder`.

    A run resumed from a checkpoint ends with the same weights as one that was never stopped.

    Returns:
        The path of the weights.

    Raises:
        ConfigError: the folder holds another run, or `resume` finds none with this configuration.
        CheckpointError: the state file cannot be read.
        NonFiniteError: the loss became NaN or infinite.
    """
    model_config = resolve_config(config.model, config.changes)
    if not isinstance(model_config, ModelConfig):
        raise ConfigError(f"{config.model} is OpenCLIP's; train one of our models, or OpenCLIP's with its own trainer")
    _claim_folder(config, folder, resume)
    documents.write(model_config, folder / MODEL_FILE)
    torch.manual_seed(config.seed)
    model = ClipModel(model_config)
    # torch's stubs leave this overload out.
    model = model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = _optimizer(model, config)
    first = _restore(folder / STATE_FILE, model, optimizer) if resume else 0
    if config.init_from is not None and first == 0:
        inherited(inherit_weights(model, _base(config.init_from)))
    batches = SceneBatches(
        config,
        model.config.preprocess,
        load_tokenizer(model.config.tokenizer),
        workers=workers or os.cpu_count() or 1,
    )
    model.train()
    started = time.perf_counter()
    with (folder / LOG_FILE).open("a") as log:
        for step in range(first, config.steps):
            rate = learning_rate(config, step)
            loss = _train_step(model, optimizer, batches, config, step, rate)
            done = step + 1
            speed = (done - first) * config.batch_size / (time.perf_counter() - started)
            entry = StepReport(done, loss, rate, speed)
            log.write(json.dumps(vars(entry)) + "\n")
            report(entry)
            if done % config.checkpoint_every == 0 and done < config.steps:
                log.flush()
                _save(folder / STATE_FILE, model, optimizer, done)
    save_weights(model.eval(), folder / WEIGHTS_FILE)
    return folder / WEIGHTS_FILE


def _base(init_from: str) -> ClipModel:
    name, equals, weights = init_from.partition("=")
    config = resolve_config(name)
    if not equals and shipped_weights(config) is None:
        raise ConfigError(f"{name} comes without weights; give its checkpoint: --init-from {name}=CHECKPOINT")
    base = build_model(config, weights or None)
    if not isinstance(base, ClipModel):
        raise ConfigError(f"weights can be taken over from our own models, not from {name}")
    return base


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Linear warm-up, then half a cosine down to zero; `step` counts from 0."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def _train_step(
    model: ClipModel,
    optimizer: torch.optim.Optimizer,
    batches: SceneBatches,
    config: TrainingConfig,
    step: int,
    rate: float,
) -> float:
    for group in optimizer.param_groups:
        group["lr"] = rate
    batch = batches.batch(step)
    images = batch.images.contiguous(memory_format=torch.channels_last)
    image, text, scale = model(images, batch.token_ids)
    loss = contrastive_loss(image, text, scale, batch.caption_ids)
    value = loss.item()
    if not math.isfinite(value):
        raise NonFiniteError(
            f"the loss of step {step + 1} is {value}; lower the learning rate (now {rate:.2e}) "
            "and resume from the last checkpoint"
        )
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip)
    optimizer.step()
    return value


def _optimizer(model: ClipModel, config: TrainingConfig) -> torch.optim.Optimizer:
    # Norms, biases, scales and positions are not decayed, as in CLIP.
    decayed: list[torch.nn.Parameter] = []
    plain: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        exempt = parameter.ndim < 2 or "layer_scale" in name or "pos_embed" in name
        (plain if exempt else decayed).append(parameter)
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=config.learning_rate,
        betas=(0.9, 0.98),
    )


def _claim_folder(config: TrainingConfig, folder: Path, resume: bool) -> None:
    stored = folder / CONFIG_FILE
    if resume:
        if not stored.is_file():
            raise ConfigError(f"there is no run to resume in {folder}; start one without --resume")
        earlier = documents.read(TrainingConfig, stored, error=ConfigError)
        if earlier != config:
            changed = [n for n, value in vars(config).items() if getattr(earlier, n) != value]
            raise ConfigError(
                f"the run in {folder} has other settings ({', '.join(changed)}); resume it with those it began with"
            )
        return
    if stored.exists():
        raise ConfigError(f"{folder} already holds a run; resume it with --resume or choose another folder")
    with atomic.storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    documents.write(config, stored)


def _save(path: Path, model: ClipModel, optimizer: torch.optim.Optimizer, step: int) -> None:
    buffer = io.BytesIO()
    # Data and learning rate follow from the step, and no layer draws at random: this is the whole state.
    torch.save({"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, buffer)
    digest = hashlib.sha256(buffer.getvalue()).digest()
    atomic.write_bytes(path, digest + buffer.getvalue())


def _restore(path: Path, model: ClipModel, optimizer: torch.optim.Optimizer) -> int:
    if not path.is_file():
        return 0
    content = path.read_bytes()
    digest, payload = content[:32], content[32:]
    if hashlib.sha256(payload).digest() != digest:
        raise CheckpointError(f"{path} is damaged: its hash does not match; delete it to start the run over")
    state: dict[str, Any] = torch.load(io.BytesIO(payload), weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])
