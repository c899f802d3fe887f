"""How much memory exports may use together, and how much one of them needs."""

from __future__ import annotations

import re

from pocketclip.export.errors import MemoryLimitError
from pocketclip.export.job import ExportJob
from pocketclip.export.precision import TargetName

# What is left of the free memory: for the page cache, this program and what else runs.
DEFAULT_SHARE = 0.75
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_MB = 10**6

# target -> (bytes of a worker with torch, the converter and a model without size; bytes for each byte of fp32 weights).
# From peaks of resident memory: 1.4 to 1.8 GB for pocketclip_nano, 2.7 to 3.5 GB for MobileCLIP-S0 (215 MB of
# weights), the largest of each target's precisions, rounded up.
NEEDS: dict[TargetName, tuple[int, float]] = {
    TargetName.ONNX: (1400 * _MB, 10.0),
    TargetName.COREML: (1500 * _MB, 10.0),
    TargetName.COREAI: (1500 * _MB, 10.0),
    TargetName.EXECUTORCH: (1500 * _MB, 11.0),
    TargetName.EXECUTORCH_COREML: (1600 * _MB, 9.0),
    TargetName.EXECUTORCH_VULKAN: (1600 * _MB, 9.0),
    TargetName.EXECUTORCH_QNN: (1900 * _MB, 14.0),
    TargetName.ONNX_QNN: (1600 * _MB, 12.0),
    TargetName.TFLITE: (1900 * _MB, 5.0),
    TargetName.TFLITE_QNN: (2200 * _MB, 8.0),
    # As Qualcomm's: what their compilers need nobody has measured.
    TargetName.TFLITE_MEDIATEK: (2200 * _MB, 8.0),
    TargetName.TFLITE_GOOGLE: (2200 * _MB, 8.0),
    TargetName.TFLITE_SAMSUNG: (2200 * _MB, 8.0),
}


def parse_memory(text: str) -> int:
    """A size such as `16GB`, `512MiB` or plain bytes, in bytes.

    Raises:
        MemoryLimitError: it is not a size.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text.strip())
    unit = found[2].upper() if found else ""
    if found is None or (unit and unit not in _UNITS) or float(found[1]) <= 0:
        raise MemoryLimitError(f"--memory {text!r} is not a size", fix="write it as 16GB, 900MB or 8GiB")
    return int(float(found[1]) * _UNITS.get(unit, 1))


def default_limit() -> int:
    """A share of the memory that is free now, in bytes."""
    import psutil

    return int(psutil.virtual_memory().available * DEFAULT_SHARE)


def estimate(job: ExportJob, weights_bytes: int) -> int:
    """What exporting the job takes at its peak, in bytes.

    Args:
        job: what to export.
        weights_bytes: size of both towers' weights in fp32: a worker holds the whole model.
    """
    base, factor = NEEDS[job.target]
    return int(base + factor * weights_bytes)


def words(size: int) -> str:
    """A size for messages, e.g. `3.1 GB`."""
    return f"{size / 10**9:.1f} GB" if size >= 10**9 else f"{size / 10**6:.0f} MB"
