"""A reference executor for what ExecuTorch hands to Vulkan. It checks a program's parity where no GPU runs it."""

from __future__ import annotations

from pocketclip.export.root_logger import quiet_root_logger

# The first import of ExecuTorch's Vulkan modules is the one that sets the level.
with quiet_root_logger():
    from pocketclip.export.vulkan_reference.executor import VulkanExecutor
    from pocketclip.export.vulkan_reference.graph import VulkanGraph, read_program

__all__ = ["VulkanExecutor", "VulkanGraph", "read_program"]
