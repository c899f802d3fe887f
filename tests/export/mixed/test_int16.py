"""16-bit activations as a step between int8 and float on Snapdragon's NPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pocketclip.export.artifact.precision_plan import (
    OWN,
    SCHEMA_VERSION,
    Granularity,
    KeptPrecision,
    PrecisionPlan,
    finer_than,
    planned,
    read_plan,
)
from pocketclip.export.errors import PlanError, UnsupportedPrecisionError
from pocketclip.export.job import ExportJob
from pocketclip.export.mixed.command import with_mixed
from pocketclip.export.mixed.keep import with_kept
from pocketclip.export.passes.tower_module import L2Norm
from pocketclip.export.precision import NPU_TARGETS, QNN_TARGETS, Precision, TargetName, Tower
from pocketclip.export.targets import load_target, open_model, probe
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.models import documents
from pocketclip.models.registry import load_config


def job(target: TargetName, precision: Precision = Precision.INT8_STATIC) -> ExportJob:
    return ExportJob(load_config("pocketclip_nano"), None, target, precision, Tower.IMAGE, Path("out"))


def plan(*paths: str, base: Precision = Precision.INT8_STATIC) -> PrecisionPlan:
    return PrecisionPlan(SCHEMA_VERSION, "pocketclip_nano", Tower.IMAGE, base, planned(paths, KeptPrecision.INT16))


def test_the_step_above_int8_is_int16_on_npus_alone() -> None:
    assert {finer_than(Precision.INT8_STATIC, target) for target in NPU_TARGETS} == {KeptPrecision.INT16}
    assert finer_than(Precision.INT8_STATIC, TargetName.ONNX) is KeptPrecision.FLOAT
    assert finer_than(Precision.W8A16_STATIC, TargetName.ONNX_QNN) is KeptPrecision.FLOAT


@pytest.mark.parametrize("target", NPU_TARGETS)
def test_modules_kept_in_int16(target: TargetName) -> None:
    (kept,) = with_kept([job(target)], "stem,projection", KeptPrecision.INT16)
    assert kept.plan is not None
    assert [module.precision for module in kept.plan.modules] == [KeptPrecision.INT16] * 2
    assert {module.granularity for module in kept.plan.modules} == {Granularity.PER_CHANNEL}
    assert kept.plan.kept(KeptPrecision.FLOAT) == ()


@pytest.mark.parametrize(
    ("asked", "kept_as", "words"),
    [
        (
            job(TargetName.ONNX),
            KeptPrecision.INT16,
            "modules in int16 are for int8-static on executorch-qnn, onnx-qnn, ",
        ),
        (job(TargetName.ONNX_QNN, Precision.W8A16_STATIC), KeptPrecision.INT16, "modules in int16 are for int8-static"),
        (job(TargetName.EXECUTORCH_QNN), KeptPrecision.FLOAT, "executorch-qnn cannot keep modules in float"),
    ],
)
def test_what_a_target_does_not_mix(asked: ExportJob, kept_as: KeptPrecision, words: str) -> None:
    with pytest.raises(UnsupportedPrecisionError, match=words):
        with_kept([asked], "stem", kept_as)


def test_a_plan_with_int16_is_replayed_on_the_npu_alone(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    documents.write(plan("encoder.model.head"), path)
    (replayed,) = with_mixed([job(TargetName.TFLITE_QNN)], None, None, [path])
    assert replayed.plan == plan("encoder.model.head")
    with pytest.raises(UnsupportedPrecisionError, match="modules in int16 are for"):
        with_mixed([job(TargetName.TFLITE)], None, None, [path])
    documents.write(plan("encoder.model.head", base=Precision.INT4_WEIGHTS), path)
    with pytest.raises(PlanError, match="keeps int16, which is for int8-static alone"):
        read_plan(path)


class Small(nn.Module):
    """Hidden values of a range that 8 bits hold badly."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.second = nn.Conv2d(3, 16, 3), nn.GELU(), nn.Conv2d(16, 16, 1)
        self.head = nn.Linear(576, 8)
        with torch.no_grad():
            self.first.weight[0] *= 40

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.second(self.act(self.first(image))).flatten(1))


class OwnProjection(nn.Module):
    """A tower that projects by itself: a name for its own values is a name for its norm and its output, too."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(8, 16)
        self.projection = nn.Parameter(torch.randn(16, 4))
        self.l2_norm = L2Norm()

    def forward(self, image: Tensor) -> Tensor:
        return self.l2_norm(torch.relu(self.encoder(image)) @ self.projection)


def test_litert_leaves_the_norm_and_the_output_in_float(tmp_path: Path) -> None:
    tflite = pytest.importorskip("pocketclip.export.targets.tflite")
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    pytest.importorskip("ai_edge_quantizer")
    torch.manual_seed(0)
    examples = [torch.rand(1, 8) for _ in range(4)]
    request = LoweringRequest(
        OwnProjection().eval(),
        examples[0],
        "image",
        "embedding",
        Precision.INT8_STATIC,
        [each.numpy() for each in examples],
        plan=plan(OWN),
    )
    tflite.convert(request, tmp_path / "model.tflite", TargetName.TFLITE_QNN)
    reader = interpreter.Interpreter(model_path=str(tmp_path / "model.tflite"))
    tensors = {each["name"]: np.dtype(each["dtype"]) for each in reader.get_tensor_details()}
    norm = [kind for name, kind in tensors.items() if "l2_norm" in name and kind.kind == "f"]
    # Squares, their sum, its reciprocal root.
    assert len(norm) == 3
    assert [np.dtype(each["dtype"]) for each in reader.get_output_details()] == [np.dtype("float32")]
    assert not [name for name, kind in tensors.items() if ("l2_norm" in name or "output" in name) and kind == np.int16]
    # What was asked for has 16 bits.
    assert [name for name, kind in tensors.items() if name.endswith("OwnProjection;1") and kind == np.int16]


@pytest.mark.slow
@pytest.mark.parametrize("target", QNN_TARGETS)
def test_int16_modules_lose_less(target: TargetName, tmp_path: Path) -> None:
    availability = probe(target)
    if not availability.available:
        pytest.skip(str(availability.reason))
    torch.manual_seed(0)
    module = Small().eval()
    examples = [torch.rand(1, 3, 8, 8) for _ in range(8)]
    request = LoweringRequest(
        module,
        examples[0],
        "image",
        "embedding",
        Precision.INT8_STATIC,
        [each.numpy() for each in examples],
        socs=("SM8650",),
    )
    losses = []
    for name, kept in (("uniform", None), ("kept", plan("first", "act", "second"))):
        folder = tmp_path / name
        folder.mkdir()
        path = folder / load_target(target).lower(replace(request, plan=kept), folder)
        session = open_model(target, path)
        with torch.inference_mode():
            differences = [session.run([each.numpy()])[0] - module(each).numpy() for each in examples]
        session.close()
        losses.append(float(np.mean(np.square(differences))))
    assert losses[1] < losses[0] / 2
