"""The factors of `export.mixed.cost`, as `python -m benchmark.precision_costs fit` prints them.

They are fitted to files of two towers of `pocketclip_nano` and the image tower of `pocketclip_xs`: fp32, uniform int8,
and random plans of both (`benchmark/precision_costs/measured.json`). `arm64` is instructions of an emulated Cortex-A76,
`x86_64` the least nanoseconds of one inference on one thread, on an AMD EPYC with AVX-512 VNNI. What the files do not
tell apart is drawn to rough figures, and a factor by itself means little: a sum is what is predicted.
"""

from __future__ import annotations

from export.mixed.cost import Factors
from export.mixed.work import Work
from export.precision import InstructionSet, TargetName

FACTORS: dict[tuple[TargetName, InstructionSet], Factors] = {
    # 10 files; files left out of the fit are predicted to within 2.0% (median), 17% (worst).
    (TargetName.EXECUTORCH, InstructionSet.ARM64): Factors(
        in_float={
            Work.LINEAR: 0.3517,
            Work.POINTWISE: 0.5253,
            Work.SPATIAL: 0.6002,
            Work.DEPTHWISE: 0.2787,
            Work.PRODUCT: 0.2428,
            Work.FILTER: 153.7,
            Work.SUM: 2.66,
            Work.GELU: 2.67,
            Work.MULTIPLICATION: 2.835,
            Work.SOFTMAX: 2.458,
            Work.OTHER: 2.465,
        },
        in_int8={
            Work.LINEAR: 0.07316,
            Work.POINTWISE: 0.1149,
            Work.SPATIAL: 0,
            Work.DEPTHWISE: 0.2464,
            Work.PRODUCT: 0.2464,
            Work.FILTER: 123.2,
            Work.SUM: 2.464,
            Work.GELU: 2.464,
            Work.MULTIPLICATION: 2.103,
            Work.SOFTMAX: 2.464,
            Work.OTHER: 2.464,
        },
        quantise=2.322,
        dequantise=5.068,
        op=1306,
    ),
    # 16 files; files left out of the fit are predicted to within 4.8% (median), 29% (worst).
    (TargetName.ONNX, InstructionSet.ARM64): Factors(
        in_float={
            Work.LINEAR: 0.1839,
            Work.POINTWISE: 0.4073,
            Work.SPATIAL: 1.892,
            Work.DEPTHWISE: 4.067,
            Work.PRODUCT: 0,
            Work.FILTER: 3654,
            Work.SUM: 3.3,
            Work.GELU: 17.99,
            Work.MULTIPLICATION: 2.378,
            Work.SOFTMAX: 3.877,
            Work.OTHER: 12.48,
        },
        in_int8={
            Work.LINEAR: 0.07568,
            Work.POINTWISE: 0.02717,
            Work.SPATIAL: 0.9572,
            Work.DEPTHWISE: 0,
            Work.PRODUCT: 0.8982,
            Work.FILTER: 0,
            Work.SUM: 6.464,
            Work.GELU: 5.031,
            Work.MULTIPLICATION: 8.85,
            Work.SOFTMAX: 5.653,
            Work.OTHER: 5.031,
        },
        quantise=9.616,
        dequantise=14.94,
        op=1.206e04,
    ),
}
