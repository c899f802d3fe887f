"""Faults planted in artefacts and converters: the ladder names the rung, and the op or module where it begins."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pocketclip.export.artifact.manifest import list_files
from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.errors import ManifestError
from pocketclip.export.ladder import climb as climbing
from pocketclip.export.ladder.climb import climb
from pocketclip.export.ladder.report import LadderReport, Method, Rung, RungName, Status
from pocketclip.export.ladder.subject import load_subject
from pocketclip.export.parity.budgets import Budget
from pocketclip.export.passes.tower_module import TextTowerModule
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.targets import probe
from pocketclip.models.blocks.mixers import RepMixer

pytestmark = pytest.mark.slow

ATTENTION = "encoder.transformer.1.pre_norm_mha.1"
HALVED = "encoder.transformer.1.pre_norm_ffn.1"


def failed(report: LadderReport, name: RungName) -> Rung:
    """The only rung that fails; none behind it is climbed."""
    assert not report.passed
    rung = report.first_failure
    assert rung is not None and rung.name is name, report.rungs
    place = report.rungs.index(rung)
    assert all(other.status is Status.PASSED for other in report.rungs[:place])
    assert all(other.status is Status.NOT_REACHED for other in report.rungs[place + 1 :])
    assert rung.divergence is not None
    return rung


def drop_mask(tower: nn.Module) -> nn.Module:
    tower.get_submodule(ATTENTION).mask = None
    return tower


def swap_query_and_key(tower: nn.Module) -> nn.Module:
    projection = tower.get_submodule(f"{ATTENTION}.qkv_proj")
    assert isinstance(projection, nn.Linear)
    width = projection.in_features
    with torch.no_grad():
        for values in (projection.weight, projection.bias):
            query, key, value = values.split(width)
            values.copy_(torch.cat([key, query, value]).clone())
    return tower


def halve_scales(tower: nn.Module) -> nn.Module:
    """Of one layer, as a quantiser would halve them: half the scale is half of every weight."""
    layer = tower.get_submodule(HALVED)
    assert isinstance(layer, nn.Linear | nn.Conv2d)
    with torch.no_grad():
        layer.weight.mul_(0.5)
    return tower


def plant_nan(tower: nn.Module) -> nn.Module:
    layer = tower.get_submodule("encoder.transformer.1.pre_norm_ffn.1")
    assert isinstance(layer, nn.Linear)
    with torch.no_grad():
        layer.weight[3, 5] = float("nan")
    return tower


class HalfArgmax(nn.Module):
    """Takes the end of text by the highest id, compared in fp16: start and end are the same number there."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        assert isinstance(tower, TextTowerModule)
        self.encoder, self.l2_norm = tower.encoder, tower.l2_norm

    def forward(self, token_ids: Tensor) -> Tensor:
        hidden = self.encoder.hidden_states(token_ids)
        end = token_ids.half().float().argmax(dim=-1)
        return self.l2_norm(hidden[torch.arange(1), end] @ self.encoder.projection_layer)


def test_sound_artefact_passes_and_every_rung_is_climbed(plant) -> None:
    report = plant().verify()
    assert report.passed, report
    names = [rung.name for rung in report.rungs]
    assert names == [
        RungName.INPUTS,
        RungName.EAGER,
        RungName.REPARAMETERISED,
        RungName.PASSES,
        RungName.PROGRAM,
        RungName.ARTEFACT,
    ]
    assert all(rung.against_previous.snr_db > 80 for rung in report.rungs[2:] if rung.against_previous)
    assert report.gates is not None and report.gates.unjudged == "the weights are not trained"


def test_dropped_mask(plant) -> None:
    divergence = failed(plant().lower(drop_mask).verify(), RungName.ARTEFACT).divergence
    assert divergence.method is Method.VALUES
    assert (divergence.module, divergence.class_name) == (ATTENTION, "SequenceAttention")
    assert divergence.op == "add"
    assert divergence.after == f"op bmm of {ATTENTION}"


def test_swapped_query_and_key(plant) -> None:
    divergence = failed(plant().lower(swap_query_and_key).verify(), RungName.ARTEFACT).divergence
    assert (divergence.module, divergence.op) == (f"{ATTENTION}.qkv_proj", "linear")


def test_half_precision_argmax(plant) -> None:
    divergence = failed(plant().lower(HalfArgmax).verify(), RungName.ARTEFACT).divergence
    # The pooling is the tower's own code, behind the encoder's last norm.
    assert (divergence.module, divergence.class_name) == ("", "TextTowerModule")
    assert divergence.line is not None and divergence.line.startswith("tower_module.py:")


def test_nan_in_one_layer(plant) -> None:
    rung = failed(plant().lower(plant_nan).verify(), RungName.ARTEFACT)
    assert rung.failures == ("NaN or infinite values for 20 of 20 samples (first: sample 0)",)
    assert rung.against_eager is None
    assert rung.divergence.module == "encoder.transformer.1.pre_norm_ffn.1"


@pytest.mark.parametrize("target", [TargetName.COREML, TargetName.TFLITE, TargetName.EXECUTORCH_VULKAN])
def test_swapped_query_and_key_in_other_formats(plant, target: TargetName) -> None:
    report = plant(target=target, precision=Precision.FP16).lower(swap_query_and_key).verify()
    assert [rung.name for rung in report.rungs if rung.status is Status.PASSED][-1] is RungName.CONVERTED
    divergence = failed(report, RungName.ARTEFACT).divergence
    assert divergence.module == f"{ATTENTION}.qkv_proj"


@pytest.mark.skipif(not probe(TargetName.COREAI).available, reason=str(probe(TargetName.COREAI).reason or "available"))
def test_halved_weights_are_named_in_a_core_ai_asset(plant) -> None:
    """By the values that Apple's runtime shows at the asset's debug locations."""
    report = plant(target=TargetName.COREAI, precision=Precision.FP16).lower(halve_scales).verify()
    divergence = failed(report, RungName.ARTEFACT).divergence
    assert divergence.method is Method.VALUES
    assert divergence.module == HALVED


def test_halved_scales_are_named_on_the_npu(plant) -> None:
    report = plant(target=TargetName.ONNX_QNN, precision=Precision.W8A16_STATIC).lower(halve_scales).verify()
    assert [rung.name for rung in report.rungs if rung.status is Status.PASSED][-1] is RungName.PROGRAM
    divergence = failed(report, RungName.ARTEFACT).divergence
    assert divergence.method is Method.VALUES
    assert divergence.module == HALVED


def test_halved_scales_are_named_in_a_file_compiled_for_the_npu(plant) -> None:
    """By the values of the portable file that was compiled."""
    report = plant(target=TargetName.TFLITE_QNN, precision=Precision.FP16).lower(halve_scales).verify()
    divergence = failed(report, RungName.ARTEFACT).divergence
    assert divergence.method is Method.VALUES
    assert divergence.module == HALVED


def test_wrong_mean_in_the_manifest(plant) -> None:
    planted = plant(Tower.IMAGE)
    preprocess = load_artifact(planted.folder).manifest.preprocess
    planted.edit(preprocess=dataclasses.asdict(preprocess) | {"mean": [0.5, 0.5, 0.5]})
    rung = failed(planted.verify(), RungName.INPUTS)
    assert rung.failures == (
        "mean is (0.5, 0.5, 0.5) in the manifest, (0.0, 0.0, 0.0) in the model's configuration",
        "20 of 20 inputs differ from the model's, by up to 0.5",
    )


def test_wrong_context_length_in_the_manifest(plant) -> None:
    planted = plant()
    planted.edit(tokenizer={"context_length": 12, "vocabulary": None})
    with pytest.raises(ManifestError, match=r"takes \[1, 16\], its tokenizer makes \[1, 12\]"):
        planted.verify()


def test_wrong_folding(plant, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = RepMixer.fold

    def fold(self: RepMixer) -> nn.Module:
        conv = sound(self)
        conv.bias.data += 0.05
        return conv

    planted = plant()
    monkeypatch.setattr(RepMixer, "fold", fold)
    divergence = failed(planted.verify(), RungName.REPARAMETERISED).divergence
    assert divergence.method is Method.MODULES
    assert divergence.module == "encoder.transformer.0"
    assert divergence.after == "what comes into encoder.transformer.0"


def test_wrong_graph_pass(plant) -> None:
    subject = load_subject(load_artifact(plant().folder), samples=20)
    report = climb(subject, rewrite=swap_query_and_key)
    divergence = failed(report, RungName.PASSES).divergence
    assert divergence.module == f"{ATTENTION}.qkv_proj"


@pytest.mark.parametrize("target", [TargetName.ONNX, TargetName.EXECUTORCH])
def test_converter_that_breaks_one_module(plant, target: TargetName, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fresh conversions have the fault too: found by values where the runtime shows them, else by cuts."""
    from pocketclip.export.targets.executorch import ExecuTorchTarget
    from pocketclip.export.targets.onnx import OnnxTarget

    broken = "encoder.transformer.1.pre_norm_ffn.4"
    implementation = {TargetName.ONNX: OnnxTarget, TargetName.EXECUTORCH: ExecuTorchTarget}[target]
    planted = plant(target=target)
    sound = implementation.lower

    def lower(self, request, folder):
        layer = request.module.get_submodule(broken)
        with torch.no_grad():
            kept = layer.weight.clone()
            layer.weight *= 1.5
            try:
                return sound(self, request, folder)
            finally:
                layer.weight.copy_(kept)

    monkeypatch.setattr(implementation, "lower", lower)
    artifact = planted.lower(lambda tower: tower)
    divergence = failed(artifact.verify(), RungName.ARTEFACT).divergence
    assert divergence.method is (Method.VALUES if target is TargetName.ONNX else Method.CUTS)
    assert divergence.module == broken


def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets that no quantised artefact meets."""
    whole = climbing.budget_of

    def budget_of(rung: RungName, *arguments: object) -> Budget:
        found = whole(rung, *arguments)
        return dataclasses.replace(found, cosine_min=0.999999) if rung is RungName.ARTEFACT else found

    monkeypatch.setattr(climbing, "budget_of", budget_of)


@pytest.mark.parametrize("tower", Tower)
def test_plain_rounding_is_no_fault_of_the_runtime(plant, tower: Tower, monkeypatch: pytest.MonkeyPatch) -> None:
    tight(monkeypatch)
    divergence = failed(plant(tower, precision=Precision.INT8_STATIC).verify(), RungName.ARTEFACT).divergence
    assert divergence.method is Method.ROUNDING
    # Of the text tower more than the units that are imitated in PyTorch is rounded: softmax, sums, products.
    shown = "(as fake-quantised PyTorch shows): the file is " if tower is Tower.IMAGE else ", spread over the graph: "
    assert divergence.cause is not None and divergence.cause.startswith("rounding of int8-static")
    assert shown in str(divergence)
    assert divergence.module is None and "fusions" not in str(divergence)


def test_rounding_of_a_mixed_artefact_is_that_of_its_plan(plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A uniform conversion would lose more than the file does, and so would PyTorch with every unit rounded."""
    tight(monkeypatch)
    uniform = failed(plant(Tower.IMAGE, precision=Precision.INT8_STATIC).verify(), RungName.ARTEFACT).divergence
    kept = ("encoder.model.conv_exp", "encoder.model.head")
    planted = plant(Tower.IMAGE, precision=Precision.INT8_STATIC, in_float=kept)
    mixed = failed(planted.verify(), RungName.ARTEFACT).divergence
    assert mixed.method is uniform.method is Method.ROUNDING
    numbers = r"the file is ([\d.]+) dB .* rounding ([\d.]+) dB, a fresh conversion ([\d.]+) dB"
    (file, rounded, fresh), (_, rounded_uniform, _) = (
        *re.findall(numbers, str(mixed)),
        *re.findall(numbers, str(uniform)),
    )
    assert file == fresh
    assert float(rounded) > float(rounded_uniform) + 3


def test_a_fault_is_not_hidden_by_rounding_that_the_plan_spares(plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole tower is kept in float: no rounding explains what is lost."""
    tight(monkeypatch)
    planted = plant(precision=Precision.INT8_DYNAMIC, in_float=("",)).lower(swap_query_and_key)
    divergence = failed(planted.verify(), RungName.ARTEFACT).divergence
    assert divergence.module == f"{ATTENTION}.qkv_proj"


@pytest.mark.parametrize("tower", Tower)
def test_halved_scale_is_a_fault(plant, tower: Tower, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scale of one layer's activations is half of what it should be: values are cut off."""
    tight(monkeypatch)
    planted = plant(tower, precision=Precision.INT8_STATIC)
    halve_scale(planted.folder)
    planted.edit(files=[dataclasses.asdict(entry) for entry in list_files(planted.folder)])
    divergence = failed(planted.verify(), RungName.ARTEFACT).divergence
    assert divergence.module is not None and divergence.module.startswith("encoder")
    assert divergence.cause == f"a wrong lowering at {divergence.module}"


def halve_scale(folder: Path) -> None:
    import onnx
    from onnx import numpy_helper

    path = folder / load_artifact(folder).manifest.entry_point
    model = onnx.load(path)
    quantised = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    name = quantised[len(quantised) // 2].input[1]
    (scale,) = (each for each in model.graph.initializer if each.name == name)
    scale.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(scale) / 2, name))
    onnx.save(model, path)


def test_runtime_whose_optimisations_are_wrong(plant, monkeypatch: pytest.MonkeyPatch) -> None:
    from pocketclip.export import targets

    sound = targets.opening._RuntimeRunner.open

    class Wrong:
        def __init__(self, session) -> None:
            self.session = session

        def run(self, inputs):
            return [np.roll(output, 1, axis=-1) for output in self.session.run(inputs)]

        def close(self) -> None:
            self.session.close()

    planted = plant()
    monkeypatch.setattr(
        targets.opening._RuntimeRunner, "open", lambda *given, **options: Wrong(sound(*given, **options))
    )
    divergence = failed(planted.verify(), RungName.ARTEFACT).divergence
    assert divergence.cause == "the runtime's optimisations"
    assert "dB when it runs without them" in str(divergence)
