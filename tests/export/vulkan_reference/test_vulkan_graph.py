"""Vulkan graphs of a `.pte`: what is read, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from executorch.backends.vulkan.serialization.vulkan_graph_schema import (
    Double,
    Int,
    OperatorCall,
    SymInt,
    ValueList,
    VkDataType,
    VkGraph,
    VkTensor,
    VkValue,
)
from executorch.backends.vulkan.serialization.vulkan_graph_serialize import serialize_vulkan_graph
from torch import nn

from pocketclip.export.errors import ArtifactCorruptError
from pocketclip.export.vulkan_reference import read_program
from pocketclip.export.vulkan_reference.graph import Call, Constant, VulkanFault, parse_graph
from tests.export.vulkan_reference.conftest import Lower

pytestmark = pytest.mark.slow


def _tensor(constant: int = -1, dtype: VkDataType = VkDataType.FLOAT32) -> VkTensor:
    return VkTensor(dtype, [2, 2], constant, -1)


def _graph(
    *values: object, calls: list[OperatorCall] | None = None, constants: list[tuple[str, int]] | None = None
) -> bytes:
    """A graph from value 0 to value 1 as a payload."""
    chain = [OperatorCall(0, "aten.relu.default", [0, 1])] if calls is None else calls
    content = VkGraph("0", chain, [VkValue(value) for value in values], [0], [1], [], [])  # pyright: ignore[reportArgumentType]
    return serialize_vulkan_graph(content, constants or [], [])


def test_a_graph_is_read() -> None:
    stored = np.arange(4, dtype=np.float32)
    values = (_tensor(), _tensor(), _tensor(0), Int(3), Double(0.5))
    calls = [OperatorCall(0, "aten.add.Tensor", [0, 2, 3, 1])]
    payload = _graph(*values, calls=calls, constants=[("weights", 16)])
    graph = parse_graph(payload, {"weights": stored.tobytes() + b"padding"})
    assert graph.calls == (Call("aten.add.Tensor", (0, 2, 3), 1),)
    assert (graph.inputs, graph.outputs) == ((0,), (1,))
    assert graph.values[3:] == (Constant(3), Constant(0.5))
    np.testing.assert_array_equal(graph.tensor(2).data, stored.reshape(2, 2))
    assert list(graph.tensors((0, 2, 3, 1))) == [0, 2, 1]


FAULTS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "an argument beyond the values": (
        "refers to value 7 of 2",
        lambda: _graph(_tensor(), _tensor(), calls=[OperatorCall(0, "aten.relu.default", [7, 1])]),
    ),
    "a call without a result": (
        "without a result",
        lambda: _graph(_tensor(), _tensor(), calls=[OperatorCall(0, "aten.relu.default", [])]),
    ),
    "a result that is a number": (
        "write value 2, which is no tensor",
        lambda: _graph(_tensor(), _tensor(), Int(1), calls=[OperatorCall(0, "aten.relu.default", [0, 2])]),
    ),
    "an output that is a number": ("gives or takes value 1", lambda: _graph(_tensor(), Int(1), calls=[])),
    "no type": (r"has value 0 of .*UNSET", lambda: _graph(_tensor(dtype=VkDataType.UNSET), _tensor())),
    "a list of numbers": ("list of something else", lambda: _graph(_tensor(), _tensor(), ValueList([3]), Int(1))),
    "a dynamic size": ("type SymInt", lambda: _graph(_tensor(), _tensor(), SymInt(1))),
    "no such constant": ("no constant 4", lambda: _graph(_tensor(), _tensor(), _tensor(4))),
    "data that is missing": (
        "does not have: 'absent'",
        lambda: _graph(_tensor(), _tensor(), _tensor(0), constants=[("absent", 16)]),
    ),
    "too little data": (
        "stores 8 bytes for value 2, which has 16",
        lambda: _graph(_tensor(), _tensor(), _tensor(0), constants=[("short", 8)]),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_graph_that_is_not_whole(name: str) -> None:
    words, payload = FAULTS[name]
    with pytest.raises(VulkanFault, match=words):
        parse_graph(payload(), {"short": bytes(8)})


def test_programs_that_are_not_one_call_of_vulkan(lower: Lower, tmp_path: Path) -> None:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    class Half(nn.Module):
        """Vulkan has no cumulative sum."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(torch.cumsum(x + 1, 1))

    program = torch.export.export(nn.Linear(4, 4), (torch.ones(1, 4),))
    other = tmp_path / "xnnpack.pte"
    other.write_bytes(to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch().buffer)
    with pytest.raises(ArtifactCorruptError, match="is missing: the program calls 'XnnpackBackend'"):
        read_program(other)
    with pytest.raises(ArtifactCorruptError, match="is one of 3 calls in 1 methods"):
        read_program(lower(Half(), torch.ones(1, 4)))
    whole = lower(nn.ReLU(), torch.ones(1, 4))
    cut = tmp_path / "cut.pte"
    cut.write_bytes(whole.read_bytes()[:200])
    with pytest.raises(ArtifactCorruptError, match=r"cut.pte cannot be read"):
        read_program(cut)
