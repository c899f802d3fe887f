"""ExecuTorch's Vulkan delegate: lowered on any machine, run on Android's GPUs, proven by our reference executor."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pocketclip.export import runtimes
from pocketclip.export.errors import ConversionError
from pocketclip.export.precision import Precision
from pocketclip.export.root_logger import quiet_root_logger
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.whole_delegate import outside_delegate
from pocketclip.export.vulkan_reference import VulkanExecutor, read_program

FILE_NAME = "model.pte"
_LARGEST_HALF = torch.finfo(torch.float16).max


class ExecuTorchVulkanTarget:
    """Writes `model.pte` whose whole graph is one call of the Vulkan delegate."""

    def lower(self, request: LoweringRequest, folder: Path) -> str:
        half = request.precision is Precision.FP16
        if half:
            _check_range(request.module)
        # Larger tensors go to buffers: 2048 is what Vulkan promises of a texture's side, and some Adreno have no more.
        options = {"force_fp16": half, "small_texture_limits": True}
        program = torch.export.export(request.module, (request.example,))
        with quiet_root_logger():
            from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner
            from executorch.exir import to_edge_transform_and_lower

            lowered = to_edge_transform_and_lower(program, partitioner=[VulkanPartitioner(options)])
            outside = outside_delegate(lowered.exported_program())
            if outside:
                # Each would take the embedding from the GPU to the processor and back.
                raise ConversionError(f"the Vulkan delegate does not take these ops: {', '.join(outside)}")
            (folder / FILE_NAME).write_bytes(lowered.to_executorch().buffer)
        return FILE_NAME

    def open(self, model_path: Path, threads: int) -> runtimes.Session:
        return VulkanSession(model_path)

    def executed_by(self) -> str:
        version = metadata.version("executorch")
        return f"reference executor, torch {torch.__version__}, on the Vulkan graph (executorch {version})"


class VulkanSession:
    """The graph inside a `.pte`, run by the reference executor: right values, no meaningful time."""

    def __init__(self, model_path: Path) -> None:
        self._graph = read_program(model_path)
        self._executor = VulkanExecutor(self._graph)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        values = self._executor.run(inputs)
        return [values[place] for place in self._graph.outputs]

    def close(self) -> None:
        del self._executor


def _check_range(module: nn.Module) -> None:
    """Refuses weights that the delegate would clamp without a word."""
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if not tensor.is_floating_point() or not tensor.numel():
            continue
        largest = tensor.detach().abs().max().item()
        if not largest <= _LARGEST_HALF:
            raise ConversionError(
                f"{name} has values up to {largest:.3g}, beyond {_LARGEST_HALF:g}, the largest half float",
                fix="export fp32",
            )
