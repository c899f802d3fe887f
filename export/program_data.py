"""What an ExecuTorch program stores for its delegates."""

from __future__ import annotations

from executorch.exir._serialize._cord import Cord
from executorch.exir._serialize._program import PTEFile


def named_data(file: PTEFile) -> dict[str, bytes]:
    """The data that delegates refer to by key."""
    if file.named_data is None:
        return {}
    buffers = file.named_data.buffers
    return {key: bytes(Cord(buffers[entry.buffer_index])) for key, entry in file.named_data.pte_data.items()}
