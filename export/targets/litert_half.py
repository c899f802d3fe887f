"""Half-precision arithmetic of LiteRT's processor delegate: what a file must say, and what a tower must bear."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

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
    """Computes a tower in half precision, as phones will; the proof on a processor without it would not notice.

    Raises:
        NonFiniteError: a value leaves the range of half floats, +-65,504.
    """
    half = copy.deepcopy(tower).half()
    with torch.inference_mode():
        for sample in samples:
            given = torch.from_numpy(sample)
            embedding = half(given.half() if given.is_floating_point() else given)
            if not embedding.isfinite().all():
                raise NonFiniteError(
                    "in half precision the tower gives NaN or infinity: a value is beyond 65,504",
                    fix="export fp32 or int8-static; fp16 with --for x86_64 stores half floats and computes in float",
                )
