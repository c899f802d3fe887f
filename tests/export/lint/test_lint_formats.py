"""The same faults in the formats of the other runtimes, and our own exports, which have none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pocketclip.export.artifact.lint_finding import Severity
from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.errors import ArtifactCorruptError
from pocketclip.export.lint.graph import OpKind
from pocketclip.export.lint.readers import read_graph
from pocketclip.export.lint.run import lint, lint_artifact, lint_file
from pocketclip.export.lint.subject import Subject

pytestmark = pytest.mark.slow


class Pooling(nn.Module):
    """Text pooling with faults: argmax over ids, an infinite mask, a batch norm on a reshaped sequence, no norm."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(64, 16)
        self.register_buffer("mask", torch.full((8, 8), float("-inf")).triu(1))
        self.project = nn.Linear(16, 4)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        mixed = torch.bmm(torch.softmax(torch.bmm(x, x.transpose(1, 2)) + self.mask, -1), x)
        end = (ids.half().argmax(-1, keepdim=True) == torch.arange(8)).to(mixed.dtype)
        return self.project(torch.bmm(end.unsqueeze(1), mixed).squeeze(1))


IDS = torch.arange(8, dtype=torch.int32).unsqueeze(0)


def codes(path: Path) -> set[str]:
    subject, findings = lint_file(path)
    promised = lint(Subject("x", graph=subject.graph, normalized=True))
    return {finding.code for finding in (*findings, *promised)}


def test_executorch(tmp_path: Path) -> None:
    """Lowered with no partitioner, everything runs in portable kernels."""
    from executorch.exir import to_edge_transform_and_lower

    module = Pooling().half().eval()
    program = torch.export.export(module, (IDS,))
    path = tmp_path / "plain.pte"
    path.write_bytes(to_edge_transform_and_lower(program).to_executorch().buffer)
    assert codes(path) >= {"PC003", "PC005", "PC007", "PC009"}


def vulkan_program(path: Path) -> nn.Sequential:
    """A small tower that Vulkan takes whole."""
    from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner
    from executorch.exir import to_edge_transform_and_lower

    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)).eval()
    program = torch.export.export(module, (torch.rand(1, 3, 8, 8),))
    lowered = to_edge_transform_and_lower(program, partitioner=[VulkanPartitioner()])
    path.write_bytes(lowered.to_executorch().buffer)
    return module


def test_executorch_with_vulkan(tmp_path: Path) -> None:
    path = tmp_path / "vulkan.pte"
    module = vulkan_program(path)
    graph = read_graph(path)
    assert (graph.opaque, graph.unseen) == ((), ())
    assert all(op.delegated for op in graph.ops)
    assert [op.kind for op in graph.ops if op.kind in (OpKind.CONV, OpKind.LINEAR)] == [OpKind.CONV, OpKind.LINEAR]
    conv = next(op for op in graph.ops if op.kind is OpKind.CONV)
    assert conv.inputs[0] == graph.inputs[0].name
    assert graph.ops[-1].outputs == (graph.outputs[0].name,)
    assert graph.values[conv.inputs[1]].shape == (8, 3, 3, 3)
    lowest = {weight.name: weight.lowest for weight in graph.weights}
    first = module[0]
    assert isinstance(first, nn.Conv2d)
    assert lowest[conv.inputs[1]] == pytest.approx(first.weight.min().item())
    assert sum(weight.size_bytes for weight in graph.weights) == 4 * sum(each.numel() for each in module.parameters())


def test_a_damaged_vulkan_delegate(tmp_path: Path) -> None:
    path = tmp_path / "vulkan.pte"
    vulkan_program(path)
    content = path.read_bytes()
    assert content.count(b"VH00") == 1
    path.write_bytes(content.replace(b"VH00", b"XXXX"))
    with pytest.raises(ArtifactCorruptError, match="cannot be read"):
        lint_file(path)


def test_executorch_with_xnnpack(tmp_path: Path) -> None:
    """The weights that the delegate keeps, and the ops that it runs, are seen inside it."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 8, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.left(x) + self.right(x)

    module = Branches().eval()
    program = torch.export.export(module, (torch.zeros(1, 3, 8, 8),))
    path = tmp_path / "branches.pte"
    path.write_bytes(to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch().buffer)
    graph = read_graph(path)
    assert sum(op.kind is OpKind.CONV and op.delegated is True for op in graph.ops) == 2
    lowest = {weight.lowest for weight in graph.weights}
    assert float(module.left.weight.detach().min()) in lowest
    assert codes(path) == {"PC001", "PC007"}


def test_coreml(tmp_path: Path) -> None:
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb
    from coremltools.converters.mil.mil import Function, Program, types

    weight = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float16)
    with Function({"ids": mb.placeholder(shape=(1, 64), dtype=types.int32)}, ct.target.iOS18) as function:
        values = mb.cast(x=function.inputs["ids"], dtype="fp16")
        masked = mb.add(x=values, y=np.full((1, 64), -np.inf, np.float16))
        function.set_outputs([mb.linear(x=masked, weight=weight, name="embedding")])
    program = Program()
    program.add_function("main", function)
    model = ct.convert(program, minimum_deployment_target=ct.target.iOS18, skip_model_load=True)
    assert isinstance(model, ct.models.MLModel)
    path = tmp_path / "small.mlpackage"
    model.save(str(path))
    # iOS 16, the oldest that we export for, does not read what iOS 18 does.
    assert codes(path) == {"PC003", "PC005", "PC007", "PC013"}
    stored = [weight for weight in read_graph(path).weights if weight.place.startswith("offset")]
    assert (64 * 64 * 2, "float16") in {(weight.size_bytes, weight.dtype) for weight in stored}


def test_tflite(nano_exports) -> None:
    """XNNPACK takes no depthwise convolution with int8 weights and float activations."""
    from pocketclip.export.lint.read_tflite import read_tflite

    artifact = load_artifact(nano_exports["tflite", "int8-dynamic", "image"].folder)
    _, findings = lint_artifact(artifact)
    by_code = {finding.code: finding for finding in findings}
    assert "60 of 83 convolution ops run outside the delegate" in by_code["PC009"].message
    graph = read_tflite(load_artifact(nano_exports["tflite", "fp32", "image"].folder).model_path)
    assert all(op.delegated for op in graph.ops)


def test_our_exports_have_no_errors(nano_exports) -> None:
    for (target, precision, tower), result in nano_exports.items():
        _, findings = lint_artifact(load_artifact(result.folder))
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        assert not errors, (target, precision, tower, errors)
        # What the export found is what is found again.
        assert findings == result.manifest.lint, (target, precision, tower)


@pytest.mark.parametrize("target", ["onnx", "coreml", "executorch", "executorch-coreml", "executorch-vulkan", "tflite"])
def test_raw_exports_are_told_from_normalised_ones(target: str, nano_exports) -> None:
    """The graph alone, without the golden outputs, shows that the norm is there."""
    precision = "fp16" if target.endswith("coreml") else "fp32"
    artifact = load_artifact(nano_exports[target, precision, "text"].folder)
    graph = read_graph(artifact.model_path)
    assert lint(Subject("x", graph=graph, normalized=True)) == ()
    # What enters the norm is what a raw export ends with.
    projection = next(op for op in reversed(graph.ops) if op.kind is OpKind.LINEAR)
    raw = replace(graph, outputs=(graph.values[projection.outputs[0]],))
    assert [finding.code for finding in lint(Subject("x", graph=raw, normalized=True))] == ["PC007"]
