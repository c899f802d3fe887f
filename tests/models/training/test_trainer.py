"""The trainer learns, resumes exactly, and refuses what would spoil a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pocketclip.models import documents
from pocketclip.models.checkpoints.checkpoint import read_state_dict
from pocketclip.models.errors import CheckpointError, ConfigError, NonFiniteError, StorageError
from pocketclip.models.quantization.schemes import QatScheme
from pocketclip.models.quantization.trained import TrainedQuantization
from pocketclip.models.registry import create_model
from pocketclip.models.run_folder import BEST_WEIGHTS_FILE, LAST_WEIGHTS_FILE
from pocketclip.models.text.vocabulary import prune_vocabulary, save_vocabulary
from pocketclip.models.training import run_log, scene_batches
from pocketclip.models.training.checkpoints import BEST_FILE
from pocketclip.models.training.config import Autocast, Recipe, TrainingConfig
from pocketclip.models.training.run_log import LOG_FILE, TENSORBOARD_FOLDER, StepReport, last_report, open_log
from pocketclip.models.training.trainer import CHECKPOINT_FOLDER, train

TINY = TrainingConfig(
    model="pocketclip_nano",
    steps=6,
    data="scenes:32",
    batch_size=8,
    warmup_steps=2,
    checkpoint_every=2,
    validation_samples=8,
    learning_rate=1e-3,
)
# Everything a checkpoint has to hold: average, scaler, a learned bias, predicted tokens, several parts.
FULL = replace(TINY, recipe=Recipe.SIGMOID, ema_decay=0.9, accumulation=2, autocast=Autocast.BF16, token_weight=0.5)
# It is full after the second step, and wraps around before the checkpoint that a run resumes from.
MEMORY = replace(TINY, memory=12, accumulation=2)
# From the shipped model on: scales of weights and ranges of activations are learned, too.
QAT = replace(
    TINY,
    qat=QatScheme.INT8_STATIC,
    init_from="pocketclip_nano",
    recipe=Recipe.DISTILLATION,
    teachers=("pocketclip_nano",),
    ema_decay=0.9,
)


class Stopped(Exception):
    """Ends a run from inside."""


def assert_same_bits(first: Path, second: Path) -> None:
    one, other = read_state_dict(first), read_state_dict(second)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def steps_logged(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / LOG_FILE).read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("config", [TINY, FULL, MEMORY, QAT], ids=["plain", "full", "memory", "qat"])
def test_resumed_run_ends_with_the_same_bits(config: TrainingConfig, tmp_path: Path) -> None:
    whole = train(config, tmp_path / "whole", workers=1)

    def stop(report: StepReport) -> None:
        if report.step == 5:
            raise Stopped

    with pytest.raises(Stopped):
        train(config, tmp_path / "cut", workers=1, report=stop)
    resumed = train(config, tmp_path / "cut", resume=True, workers=1)
    assert_same_bits(whole, resumed)
    assert_same_bits(whole.with_name(BEST_WEIGHTS_FILE), resumed.with_name(BEST_WEIGHTS_FILE))
    # What was done twice is logged once.
    assert steps_logged(tmp_path / "cut") == steps_logged(tmp_path / "whole") == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_a_run_killed_twice_ends_with_the_same_bits(tmp_path: Path) -> None:
    options = ["--steps", "24", "--batch-size", "8", "--data", "scenes:32", "--checkpoint-every", "3"]
    options += ["--validation-samples", "8", "--device", "cpu", "--workers", "1"]

    def start(out: str, *more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "pocketclip.models.train", "--out", str(tmp_path / out), *options, *more]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)

    whole = start("whole")
    assert whole.wait(180) == 0
    for steps, more in ((3, ()), (12, ("--resume",))):
        process = start("cut", *more)
        checkpoint = tmp_path / "cut" / CHECKPOINT_FOLDER / f"step-{steps:08d}.pt"
        deadline = time.monotonic() + 180
        while not checkpoint.exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not (tmp_path / "cut" / "weights.safetensors").exists()
    last = start("cut", "--resume")
    assert last.wait(180) == 0, last.stderr.read() if last.stderr else ""
    assert_same_bits(tmp_path / "whole" / "weights.safetensors", tmp_path / "cut" / "weights.safetensors")
    assert steps_logged(tmp_path / "cut") == list(range(1, 25))


@pytest.mark.parametrize(
    ("cores", "workers", "used"), [(96, None, 64), (6, None, 6), (6, 0, 1), (6, 2, 2), (6, 96, 64)]
)
def test_scenes_are_rendered_by_as_many_workers_as_there_may_be(
    cores: int, workers: int | None, used: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rendered(*_: object, workers: int) -> None:
        raise Stopped(workers)

    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(scene_batches, "render_arrays", rendered)
    with pytest.raises(Stopped, match=f"^{used}$"):
        train(TINY, tmp_path / "run", workers=workers)


@pytest.mark.slow
def test_training_lowers_the_loss(tmp_path: Path) -> None:
    losses: list[float] = []
    config = replace(TINY, steps=30, batch_size=16, warmup_steps=5, learning_rate=2e-3, checkpoint_every=30)
    train(config, tmp_path, workers=1, report=lambda report: losses.append(report.loss))
    assert sum(losses[-5:]) / 5 < 0.8 * sum(losses[:5]) / 5


def test_the_newest_and_the_best_checkpoints_are_kept(tmp_path: Path) -> None:
    train(replace(TINY, steps=8, keep_checkpoints=1), tmp_path, workers=1)
    folder = tmp_path / CHECKPOINT_FOLDER
    best = json.loads((folder / BEST_FILE).read_text())
    assert best["metric"] == "scenes_accuracy"
    kept = {path.name for path in folder.glob("*.pt")}
    assert kept == {"step-00000008.pt", f"step-{best['step']:08d}.pt"}
    assert list((tmp_path / TENSORBOARD_FOLDER).glob("events.*"))
    logged = [json.loads(line) for line in (tmp_path / LOG_FILE).read_text().splitlines()]
    assert [entry["step"] for entry in logged if entry["validation"]] == [2, 4, 6, 8]
    assert all(entry["terms"] == {"contrastive": entry["loss"]} for entry in logged)


def test_the_average_follows_the_weights(tmp_path: Path) -> None:
    config = replace(TINY, steps=3, ema_decay=0.75, checkpoint_every=1, keep_checkpoints=3)
    result = train(config, tmp_path, workers=1)
    key = "text_encoder.projection_layer"
    states = [_student(path)[key] for path in sorted((tmp_path / CHECKPOINT_FOLDER).glob("*.pt"))]
    last = read_state_dict(tmp_path / LAST_WEIGHTS_FILE)[key]
    assert torch.equal(last, states[-1])
    averaged = read_state_dict(result)[key]
    # The first step is taken as it is; then 2 of 11 and 3 of 12 parts of the average stay, not three quarters.
    expected = states[0].lerp(states[1], 9 / 11).lerp(states[2], 9 / 12)
    torch.testing.assert_close(averaged, expected)


def test_an_average_of_few_steps_holds_no_fresh_weights(tmp_path: Path) -> None:
    """BatchNorm's variances start at 1: with a plain average, a short run's result is of no use."""
    result = train(replace(TINY, steps=40, ema_decay=0.999, checkpoint_every=40), tmp_path, workers=1)
    key = "text_encoder.transformer.0.token_mixer.norm.rbr_skip.running_var"
    averaged, last = (read_state_dict(path)[key].mean() for path in (result, tmp_path / LAST_WEIGHTS_FILE))
    assert averaged < 1.5 * last


def _student(path: Path) -> dict[str, torch.Tensor]:
    from pocketclip.models.training.checkpoints import Checkpoints

    state = Checkpoints(path.parent, 1).load(int(path.stem.removeprefix("step-")))
    return {key.removeprefix("model."): value for key, value in state["student"].items()}


def test_runs_are_not_mixed_up(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run to resume"):
        train(TINY, tmp_path, resume=True)
    documents.write(replace(TINY, steps=7, learning_rate=2e-3, checkpoint_every=3), tmp_path / "training.json")
    with pytest.raises(ConfigError, match="already holds a run"):
        train(TINY, tmp_path)
    with pytest.raises(ConfigError, match=r"other settings \(steps, learning_rate, checkpoint_every\)"):
        train(TINY, tmp_path, resume=True)


def test_a_run_keeps_its_vocabulary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = Path("words.json")
    save_vocabulary(prune_vocabulary(range(600)), words, description="")
    config = replace(TINY, changes=("tokenizer.vocabulary=words.json",), steps=2)
    train(config, Path("runs/mine"), workers=1)
    save_vocabulary(prune_vocabulary(range(700)), words, description="")
    with pytest.raises(
        ConfigError, match=r"words\.json holds other token ids than the run in runs/mine was begun with"
    ):
        train(config, Path("runs/mine"), resume=True, workers=1)
    words.unlink()
    Path("runs").rename("moved")
    assert create_model("moved/mine").text_encoder.vocabulary_size == 602
    assert train(replace(TINY, init_from="moved/mine", steps=1, warmup_steps=0), tmp_path / "next", workers=1).is_file()


def test_a_damaged_checkpoint_is_refused_and_the_one_before_taken_when_it_is_gone(tmp_path: Path) -> None:
    whole = train(TINY, tmp_path, workers=1)
    expected = read_state_dict(whole)
    newest = tmp_path / CHECKPOINT_FOLDER / "step-00000006.pt"
    newest.write_bytes(newest.read_bytes()[:-7])
    with pytest.raises(CheckpointError, match="is damaged"):
        train(TINY, tmp_path, resume=True, workers=1)
    newest.unlink()
    (tmp_path / CHECKPOINT_FOLDER / BEST_FILE).unlink()
    again = read_state_dict(train(TINY, tmp_path, resume=True, workers=1))
    assert all(torch.equal(expected[key], again[key]) for key in expected)


@pytest.mark.parametrize(
    "damaged",
    [b"\n", b"no log\n", b"[1]\n", b'{"step": 1}\n', b"\xff\xfe\n", b'{"step": "1"}\n', b"[" * 5000 + b"\n"],
)
def test_a_damaged_log_is_named_with_its_line_and_can_be_moved_away(damaged: bytes, tmp_path: Path) -> None:
    train(replace(TINY, steps=2), tmp_path, workers=1)
    log = tmp_path / LOG_FILE
    assert last_report(tmp_path).step == 2
    log.write_bytes(log.read_bytes() + damaged)
    with pytest.raises(CheckpointError, match=r"log\.jsonl, line 3 .*move the log to another folder"):
        train(replace(TINY, steps=2), tmp_path, resume=True, workers=1)
    log.unlink()
    train(replace(TINY, steps=2), tmp_path, resume=True, workers=1)
    with pytest.raises(CheckpointError, match="holds no step"):
        last_report(tmp_path)


def test_a_full_disk_is_told_when_a_step_is_logged(
    tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # TensorBoard's thread would print what it meets.
    monkeypatch.setattr(run_log, "_tensorboard", lambda *_: None)
    report = StepReport(step=1, loss=1.0, learning_rate=1.0, samples_per_second=1.0)
    with pytest.raises(StorageError, match=r"cannot write .*log\.jsonl: File too large"):  # noqa: SIM117
        with full_disk(50), open_log(tmp_path, 0) as log:
            log.write(report)
    with open_log(tmp_path, 0) as log:
        log.write(report)
    assert last_report(tmp_path) == report


def test_another_number_of_processes_is_refused(tmp_path: Path) -> None:
    from pocketclip.models.training.checkpoints import Checkpoints

    train(replace(TINY, steps=2), tmp_path, workers=1)
    checkpoints = Checkpoints(tmp_path / CHECKPOINT_FOLDER, 1)
    state = checkpoints.newest()
    assert state is not None
    checkpoints.save(2, {**state, "world": 2}, None)
    with pytest.raises(ConfigError, match="trained by 2 processes, not 1"):
        train(replace(TINY, steps=2), tmp_path, resume=True, workers=1)


def test_diverged_loss_stops_the_run(tmp_path: Path) -> None:
    config = replace(TINY, steps=20, warmup_steps=0, learning_rate=1e30, checkpoint_every=20)
    with pytest.raises(NonFiniteError, match="lower the learning rate"):
        train(config, tmp_path, workers=1)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"steps": 0}, "steps must be positive"),
        ({"warmup_steps": 9}, "warmup_steps must lie"),
        ({"ema_decay": 1.0}, "ema_decay must lie"),
        ({"crop_scale": (0.5,)}, "crop_scale must be"),
        ({"recipe": "magic"}, "recipe 'magic' is unknown; choose among: contrastive, sigmoid, reinforced"),
        ({"autocast": None}, "autocast None is unknown; choose among: off, bf16, fp16"),
        ({"qat": "int2"}, "qat 'int2' is unknown; choose among: int8-static"),
        ({"changes": "text.width=96"}, "changes must be a list or tuple, got 'text.width=96'"),
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number, got nan"),
        ({"gradient_clip": float("inf")}, "gradient_clip must be a finite number, got inf"),
        ({"seed": -1}, "seed must lie in 0 to 4294967295, got -1"),
        ({"crop_scale": (0.9, 0.5)}, "crop_scale must be"),
        ({"recipe": Recipe.DISTILLATION}, "needs a teacher model"),
        ({"recipe": Recipe.AFFINITY, "teachers": ("a", "b")}, "takes one teacher, got 2"),
        ({"teachers": ("pocketclip_nano",)}, "does not run a teacher"),
        ({"distillation_weight": 0.5}, "no distillation term"),
        ({"memory": -1}, "memory must lie in 0 to 131072 samples, got -1"),
        ({"memory": 64, "recipe": Recipe.SIGMOID}, "recipe sigmoid does not have here; leave --memory out"),
        ({"memory": 64, "recipe": Recipe.REINFORCED}, "recipe reinforced does not have here"),
    ],
)
def test_bad_settings(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        TrainingConfig(**{**vars(TINY), **changes})


def test_settings_of_plain_words_and_lists_are_those_of_a_file(tmp_path: Path) -> None:
    plain: dict[str, object] = {
        "recipe": "affinity",
        "teachers": ["pocketclip_nano"],
        "changes": ["text.width=96"],
        "crop_scale": [0.5, 1.0],
        "autocast": "fp16",
        "qat": "int8-static",
        "init_from": "pocketclip_nano",
        "teacher_dims": [96],
    }
    config = TrainingConfig(**{**vars(TINY), **plain})
    assert (config.recipe, config.autocast, config.qat) == (Recipe.AFFINITY, Autocast.FP16, QatScheme.INT8_STATIC)
    assert config.autocast is Autocast.FP16
    documents.write(config, tmp_path / "training.json")
    assert documents.read(TrainingConfig, tmp_path / "training.json", error=ConfigError) == config


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"batch_size": 64}, "exceeds the 32 scenes"),
        ({"accumulation": 3}, "not a multiple of 1 processes times 3 parts"),
        ({"recipe": Recipe.REINFORCED}, "no teachers' embeddings.*pocketclip reinforce"),
        ({"recipe": Recipe.AFFINITY, "teachers": ("pocketclip_xs",)}, "has no weights"),
        ({"init_from": "mobileclip_s0"}, "has no weights"),
    ],
)
def test_what_cannot_be_trained_is_said_before_the_first_step(
    changes: dict[str, object], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        train(TrainingConfig(**{**vars(TINY), **changes}), tmp_path, workers=1)


@pytest.mark.slow
@pytest.mark.parametrize("recomputed", [False, True])
def test_a_run_for_quantisation_is_an_ordinary_model(recomputed: bool, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(replace(QAT, name="mine", steps=2, activation_checkpointing=recomputed), run, workers=1)
    model = create_model(str(run))
    assert model.config.name == "mine"
    assert isinstance(model.quantization, TrainedQuantization)
    assert model.quantization.scheme is QatScheme.INT8_STATIC
    assert len(model.quantization.ranges()) > 50


@pytest.mark.slow
def test_training_for_quantisation_learns(tmp_path: Path) -> None:
    """The first loss is that of rounding a trained model: it must fall by a tenth of it in few small steps."""
    losses: list[float] = []
    config = replace(
        QAT,
        qat=QatScheme.INT4_CHANNELS,
        distillation_weight=1.0,
        steps=30,
        batch_size=32,
        learning_rate=5e-5,
        ema_decay=None,
        checkpoint_every=30,
    )
    train(config, tmp_path / "run", workers=1, report=lambda step: losses.append(step.terms["distillation"]))
    assert sum(losses[-8:]) < 0.9 * sum(losses[:8]), losses


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"init_from": None}, "starts from a trained model"),
        ({"init_from": "mobileclip_s0"}, "no weights"),
        ({"changes": ("text.width=96",)}, "another design"),
    ],
)
def test_training_for_quantisation_refuses(changes: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        train(replace(QAT, **changes), tmp_path / "run", workers=1)  # pyright: ignore[reportArgumentType]
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_what_was_trained_for_quantisation_starts_no_other_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(replace(QAT, steps=1, warmup_steps=0), run, workers=1)
    for config in (replace(TINY, init_from=str(run)), replace(QAT, init_from=str(run))):
        with pytest.raises(ConfigError, match="trained for quantisation"):
            train(config, tmp_path / "other", workers=1)
