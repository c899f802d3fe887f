"""What Qualcomm's libraries do to the process that loads them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pocketclip.export.precision import TargetName
from pocketclip.export.targets import probe

# ExecuTorch opens the libraries for the whole process. Each of these throws in C++ and catches in Python.
SCRIPT = """
from pathlib import Path

import torch

from pocketclip.export.precision import Precision
from pocketclip.export.targets import load_target
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.precision import TargetName

example = torch.rand(1, 8)
request = LoweringRequest(torch.nn.Linear(8, 4).eval(), example, "x", "y", Precision.FP16, (), socs=("SM8650",))
target = load_target(TargetName.EXECUTORCH_QNN)
session = target.open(Path(target.lower(request, Path("."))), 1)
session.run([example.numpy()])
session.close()

import onnx
import onnxruntime
import torch.onnx._internal.exporter._torchlib.ops
from ai_edge_litert.interpreter import Interpreter

caught = []
for function in (
    lambda: torch.zeros(2) @ torch.zeros(3),
    lambda: onnx.checker.check_model(onnx.ModelProto()),
    lambda: onnxruntime.InferenceSession(b"none"),
    lambda: Interpreter(model_content=b"none"),
):
    try:
        function()
    except Exception as error:
        caught.append(type(error).__name__)
print(len(caught))
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not probe(TargetName.EXECUTORCH_QNN).available, reason=str(probe(TargetName.EXECUTORCH_QNN).reason or "available")
)
def test_what_is_loaded_later_still_catches_its_exceptions(tmp_path) -> None:
    (tmp_path / "contexts").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "4"
