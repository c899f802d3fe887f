"""Modules lowered to Vulkan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pocketclip.export.root_logger import quiet_root_logger

Lower = Callable[..., Path]


@pytest.fixture
def lower(tmp_path: Path) -> Lower:
    """Writes a module for Vulkan; with no partitioner's help what it does not take stays outside."""

    def write(module: nn.Module, *examples: Tensor, half: bool = False) -> Path:
        from executorch.exir import to_edge_transform_and_lower

        with quiet_root_logger():
            from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

            program = torch.export.export(module.eval(), examples)
            partitioner = VulkanPartitioner({"force_fp16": half})
            lowered = to_edge_transform_and_lower(program, partitioner=[partitioner])
            path = tmp_path / f"{type(module).__name__}-{half}.pte"
            path.write_bytes(lowered.to_executorch().buffer)
        return path

    return write
