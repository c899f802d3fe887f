"""Half-precision arithmetic of LiteRT's processor delegate: what a file must say, and what a tower must bear."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from pocketclip.models.errors import NonFiniteError

# The delegate looks for this entry; only with sums in half precision as well does it compute in half
# (tensorflow/lite/tools/optimize/reduced_precision_support.h).
METADATA_NAME = "reduced_precision_support"
HALF_WITH_HALF_SUMS = b"fp16accfp16"


def allow_half_arithmetic(path: Path) -> None:
    """Marks a file so that XNNPACK computes it in half precision where the processor can; elsewhere it stays float."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model: Any = flatbuffer_utils.read_model(str(path))
    content: Any = schema.BufferT()
    content.data = np.frombuffer(HALF_WITH_HALF_SUMS, np.uint8)
    model.buffers.append(content)
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA_NAME, len(model.buffers) - 1
    model.metadata = [*(model.metadata or ()), entry]
    flatbuffer_utils.write_model(model, str(path))


def check_half_range(tower: nn.Module, samples: Sequence[np.ndarray]) -> None:
    """Whether all that a tower computes fits into half floats; a proof on a processor without them would not notice.

    It computes in float, which takes a fraction of the time that half floats take here.

    Raises:
        NonFiniteError: a value leaves the range of half floats, +-65,504.
    """
    watch = _LargestValue()
    with torch.inference_mode(), watch:
        for sample in samples:
            tower(torch.from_numpy(sample))
    # A comparison that NaN fails, too.
    if not watch.largest <= torch.finfo(torch.half).max:
        raise NonFiniteError(
            f"in half precision a value of {watch.largest:.3g} becomes infinite: half floats end at 65,504",
            fix="export fp32 or int8-static; fp16 with --for x86_64 stores half floats and computes in float",
        )


class _LargestValue(TorchDispatchMode):
    """Notes the largest absolute value that an op gives."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0.0

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, list | tuple) else [result]:
            if isinstance(value, Tensor) and value.is_floating_point() and value.numel():
                # Keeps a NaN.
                self.largest = float(np.maximum(self.largest, value.abs().max().item()))
        return result
