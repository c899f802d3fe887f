"""The reference executor against PyTorch, on graphs that ExecuTorch itself lowers for Vulkan."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from pocketclip.export.errors import InferenceInputError, UnsupportedOpError
from pocketclip.export.vulkan_reference import VulkanExecutor, read_program
from tests.export.vulkan_reference.conftest import Lower

pytestmark = pytest.mark.slow


class Maps(nn.Module):
    """What image towers compute, with activations of the modifications."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(8, 8, 7, padding=3, groups=8)
        self.wide = nn.Conv2d(8, 16, 1)
        self.head = nn.Linear(16, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.gelu(self.stem(x), approximate="tanh")
        x = x + torch.relu(self.depthwise(x)) - functional.hardswish(x)
        x = functional.silu(self.wide(x)) * functional.hardsigmoid(x.mean((2, 3), keepdim=True)).repeat(1, 2, 1, 1)
        x = functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1)), 3, stride=1, count_include_pad=False) - x
        x = torch.cat([x[:, 8:], torch.clamp(x[:, :8], -0.2, 0.3)], 1)
        return self.head(torch.tanh(x.mean((2, 3), keepdim=True)).reshape(1, 16))


class Rows(nn.Module):
    """What text towers compute."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(64, 16)
        self.norm = nn.LayerNorm(16)
        self.query, self.value = nn.Linear(16, 16), nn.Linear(16, 16, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.norm(self.embedding(ids))
        mixed = torch.softmax(torch.bmm(self.query(x), x.transpose(1, 2)) / 4, -1)
        x = x + torch.bmm(mixed, self.value(x))
        end = (ids == 63).to(x.dtype)
        row = torch.bmm(end.unsqueeze(1), x).squeeze(1)
        return row * torch.rsqrt((row * row).sum(-1, keepdim=True))


IDS = torch.tensor([[1, 5, 9, 63, 0, 0]], dtype=torch.int32)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("kind", [Maps, Rows])
def test_graphs_compute_what_pytorch_does(kind: type[nn.Module], half: bool, lower: Lower) -> None:
    torch.manual_seed(0)
    module = kind()
    given = torch.randn(1, 3, 16, 16) if kind is Maps else IDS
    graph = read_program(lower(module, given, half=half))
    executor = VulkanExecutor(graph)
    values = executor.run([given.numpy()], keep=[place for place, _ in executor.results])
    with torch.inference_mode():
        expected = module(given).numpy()
    found = values[graph.outputs[0]]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=3e-3 if half else 2e-6)
    stored = {values[place].dtype.name for place, _ in executor.results if place not in graph.outputs}
    assert ("float16" in stored, "float32" in stored) == (half, not half)


def test_gelu_is_the_shaders(lower: Lower) -> None:
    """By tanh, whatever was asked for, and without a value far below zero (ExecuTorch issue #22323)."""
    given = torch.tensor([[-20.0, -5.0, -1.0, 0.5, 3.0]])
    graph = read_program(lower(nn.GELU(), given))
    found = VulkanExecutor(graph).run([given.numpy()])[graph.outputs[0]]
    assert np.isnan(found[0, 0])
    tanh = functional.gelu(given, approximate="tanh").numpy()
    np.testing.assert_allclose(found[:, 1:], tanh[:, 1:], atol=1e-6)
    assert np.abs(found[:, 1:] - functional.gelu(given).numpy()[:, 1:]).max() > 1e-4


def test_what_overflows_in_half_precision_is_infinite(lower: Lower) -> None:
    class Square(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * x

    given = torch.tensor([[300.0, 2.0]])
    graph = read_program(lower(Square(), given, half=True))
    found = VulkanExecutor(graph).run([given.numpy()])[graph.outputs[0]]
    np.testing.assert_array_equal(found, [[np.inf, 4]])


def test_an_unknown_op_is_named(lower: Lower) -> None:
    class Flipped(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.sin(x.flip(1))

    with pytest.raises(UnsupportedOpError, match=r"does not know 'aten.flip.default', 'aten.sin.default'"):
        VulkanExecutor(read_program(lower(Flipped(), torch.ones(1, 4))))


def test_other_inputs_are_refused(lower: Lower) -> None:
    executor = VulkanExecutor(read_program(lower(nn.ReLU(), torch.ones(1, 4))))
    for wrong in (np.zeros((1, 5), np.float32), np.zeros((1, 4), np.float64)):
        with pytest.raises(InferenceInputError, match=r"takes \['float32 \[1, 4\]'\]"):
            executor.run([wrong])
    with pytest.raises(InferenceInputError, match="given are \\[\\]"):
        executor.run([])


def test_a_process_logs_as_before() -> None:
    """ExecuTorch's Vulkan modules set the root logger's level when they are imported."""
    program = "import logging, pocketclip.export.vulkan_reference; print(logging.getLogger().level)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["30"]
