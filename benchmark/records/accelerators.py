"""Accelerators by platform, as records name them."""

from __future__ import annotations

from pocketclip.export.runtimes import COMPUTE_UNITS

NPU = "npu"

ANDROID_ACCELERATORS = ("cpu", "xnnpack", "nnapi", "gpu", NPU)


CORE_ML_DEFAULT = "all"


CORE_ML_ACCELERATORS = tuple(COMPUTE_UNITS)


# Of all platforms; which of them a device has, the device says.
ACCELERATORS = tuple(dict.fromkeys((*ANDROID_ACCELERATORS, *CORE_ML_ACCELERATORS)))
