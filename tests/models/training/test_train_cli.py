"""`pocketclip train` and `python -m pocketclip.models.train` as their users meet them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pocketclip.models.checkpoints.checkpoint import read_state_dict

SMALL = ("--data", "scenes:32", "--batch-size", "8", "--validation-samples", "8", "--warmup-steps", "1")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--recipe", "magic"], "--recipe 'magic' is unknown; choose among: contrastive, sigmoid"),
        (["--autocast", "int8"], "--autocast 'int8' is unknown; choose among: off, bf16, fp16"),
        (["--device", "tpu"], "no device 'tpu'; choose among: auto, cpu, cuda"),
        (["--model", "resnet"], "no model 'resnet'; choose among: pocketclip_nano"),
        (["--learning-rate", "nan"], "learning_rate must be a finite number, got nan"),
        (["--weight-decay", "inf"], "weight_decay must be a finite number, got inf"),
        (["--seed", "4294967296"], "seed must lie in 0 to 4294967295, got 4294967296"),
        (["--data", "photos"], "'photos' is not a data reference; valid forms: scenes"),
        (["--recipe", "distillation"], "needs a teacher model; give one with --teacher"),
        (["--teacher-dims", "768,many"], "takes comma-separated whole numbers"),
        (["--teacher-dims", "768,²"], "takes comma-separated whole numbers"),
        (["--teacher-dims", "9" * 5000], "takes comma-separated whole numbers"),
        (["--set", "image.stages.9.depth=1"], "has the indices 0 to 3"),
        (["--qat", "int2"], "--qat 'int2' is unknown; choose among: int8-static, int4-weights, int4-channels"),
        (["--qat", "int8-static", "--model", "mobileclip_s0"], "mobileclip_s0 has no weights"),
        (["--qat", "int8-static", "--set", "text.width=96"], "another design"),
    ],
)
def test_a_mistake_is_one_line(
    pocketclip: Callable[..., subprocess.CompletedProcess[str]],
    error_line: Callable[[subprocess.CompletedProcess[str]], str],
    arguments: list[str],
    complaint: str,
    tmp_path: Path,
) -> None:
    run = pocketclip("train", "--out", tmp_path / "run", *arguments)
    assert run.returncode == 2
    assert complaint in error_line(run)
    assert not (tmp_path / "run").exists(), "a mistake leaves no folder that looks like a run"


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path: Path) -> None:
    def run(out: str, processes: int) -> Path:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        command = [sys.executable, *(launcher if processes > 1 else []), "-m", "pocketclip.models.train"]
        finished = subprocess.run(
            [*command, "--out", str(tmp_path / out), "--steps", "3", "--device", "cpu", "--workers", "1", *SMALL],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert finished.returncode == 0, finished.stderr[-2000:]
        return tmp_path / out

    one, two = run("one", 1), run("two", 2)
    losses = [
        [json.loads(line)["loss"] for line in (folder / "log.jsonl").read_text().splitlines()] for folder in (one, two)
    ]
    # The same batches; a little rounding, which Adam's first steps enlarge.
    assert losses[0] == pytest.approx(losses[1], rel=2e-3)
    first, second = (read_state_dict(folder / "weights.safetensors") for folder in (one, two))
    assert first.keys() == second.keys()
    key = "image_encoder.model.network.0.0.token_mixer.mixer.rbr_conv.0.bn.running_var"
    torch.testing.assert_close(first[key], second[key], rtol=1e-2, atol=1e-3)
