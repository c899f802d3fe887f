"""What was trained reaches the files: weights on their grid as they are, ranges of activations in their ops."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from pocketclip.export.job import ExportJob, ExportResult
from pocketclip.export.jobs.pipeline import export_artifact
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.checkpoints.checkpoint import save_weights
from pocketclip.models.quantization.schemes import QatScheme
from pocketclip.models.quantization.trained import Side, TrainedQuantization
from pocketclip.models.quantization.training_form import plain_form, quantized_form, start_ranges
from pocketclip.models.registry import create_model, load_config
from pocketclip.models.towers.clip import ClipModel


@dataclass(frozen=True)
class Trained:
    """A model as training leaves it, and the file of its weights."""

    model: ClipModel
    weights: Path

    def export(self, target: TargetName, precision: Precision, tower: Tower, out: Path) -> ExportResult:
        return export_artifact(
            ExportJob(load_config("pocketclip_nano"), str(self.weights), target, precision, tower, out)
        )


def trained(scheme: QatScheme, folder: Path) -> Trained:
    nano = create_model("pocketclip_nano")
    assert isinstance(nano, ClipModel)
    form = quantized_form(nano, scheme)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, 500, (8, nano.config.tokenizer.context_length), generator=generator)
    ids[:, 7] = nano.text_encoder.vocabulary_size - 1
    with torch.no_grad():
        form(torch.rand(8, 3, 64, 64, generator=generator), ids)
        start_ranges(form)
        for name, parameter in form.named_parameters():
            if name.endswith("_range.high"):
                # A figure that no calibration finds.
                parameter *= 1.5
    model = plain_form(form, scheme)
    path = folder / f"{scheme}.safetensors"
    save_weights(model, path)
    return Trained(model, path)


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trained(QatScheme.INT8_STATIC, tmp_path_factory.mktemp("int8"))


@pytest.mark.slow
@pytest.mark.parametrize("tower", Tower)
@pytest.mark.parametrize(
    ("target", "scheme"),
    [
        (TargetName.ONNX, QatScheme.INT4_WEIGHTS),
        (TargetName.COREML, QatScheme.INT4_WEIGHTS),
        (TargetName.TFLITE, QatScheme.INT4_CHANNELS),
    ],
)
def test_four_bit_weights_lose_nothing_more(
    target: TargetName, scheme: QatScheme, tower: Tower, tmp_path: Path
) -> None:
    """The reference has its weights on the grid; plain 4 bits are ten times as far from theirs."""
    found = trained(scheme, tmp_path).export(target, Precision.INT4_WEIGHTS, tower, tmp_path)
    parity = found.manifest.parity
    assert parity is not None and parity.cosine_mean > 0.9996
    if target is TargetName.TFLITE and tower is Tower.TEXT:
        # The converter multiplies a norm's scale into the weights behind it: it must find 1 there.
        assert parity.cosine_min > 0.999999
    assert found.manifest.cautions == ()


@pytest.mark.slow
@pytest.mark.parametrize("tower", Tower)
def test_onnx_rounds_activations_in_the_trained_ranges(int8: Trained, tower: Tower, tmp_path: Path) -> None:
    result = int8.export(TargetName.ONNX, Precision.INT8_STATIC, tower, tmp_path)
    graph = onnx.load(result.folder / result.manifest.entry_point).graph
    scales = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
    steps = [
        float(scales[node.input[1]])
        for node in graph.node
        if node.op_type == "QuantizeLinear" and scales[node.input[1]].ndim == 0
    ]
    wanted = ranges(int8, tower)
    found = [each for each in wanted if any(np.isclose(each, step, rtol=1e-4) for step in steps)]
    # Where an activation function is fused, the range before it is not there.
    assert len(found) >= 0.7 * len(wanted)


@pytest.mark.slow
@pytest.mark.parametrize("target", [TargetName.EXECUTORCH, TargetName.TFLITE, TargetName.COREML])
def test_other_targets_keep_their_parity_with_trained_ranges(int8: Trained, target: TargetName, tmp_path: Path) -> None:
    result = int8.export(target, Precision.INT8_STATIC, Tower.IMAGE, tmp_path)
    assert result.failures == ()


@pytest.mark.slow
def test_another_rounding_than_the_trained_is_said(int8: Trained, tmp_path: Path) -> None:
    result = int8.export(TargetName.ONNX, Precision.INT8_DYNAMIC, Tower.TEXT, tmp_path)
    assert "trained for int8-static; int8-dynamic of onnx rounds" in result.manifest.cautions[0]
    assert int8.export(TargetName.ONNX, Precision.FP32, Tower.TEXT, tmp_path).manifest.cautions == ()


def ranges(subject: Trained, tower: Tower) -> list[float]:
    """The steps of 8 bits within each trained range of a tower."""
    found = subject.model.quantization
    assert isinstance(found, TrainedQuantization)
    return [
        (each.high - each.low) / 255
        for each in found.ranges()
        if each.module.startswith(tower) and each.side is Side.INPUT
    ]
