"""Accelerators by platform, as records name them."""

from __future__ import annotations

from pocketclip.export.runtimes import COMPUTE_UNITS, SPECIALIZATIONS

NPU = "npu"

ANDROID_ACCELERATORS = ("cpu", "xnnpack", "nnapi", "gpu", NPU)


# What Core ML and Core AI take where nobody chooses.
APPLE_DEFAULT = "all"


CORE_ML_ACCELERATORS = tuple(COMPUTE_UNITS)


# Units that Core AI prefers: no call of Apple's tells what ran.
CORE_AI_ACCELERATORS = tuple(SPECIALIZATIONS)


# By the runtimes of Apple's systems.
APPLE_ACCELERATORS = {"coreml": CORE_ML_ACCELERATORS, "coreai": CORE_AI_ACCELERATORS}


# Of all platforms; which of them a device has, the device says.
ACCELERATORS = tuple(dict.fromkeys((*ANDROID_ACCELERATORS, *CORE_ML_ACCELERATORS, *CORE_AI_ACCELERATORS)))
