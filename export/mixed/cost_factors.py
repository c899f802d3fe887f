"""The factors of `export.mixed.cost`, as `python -m pocketclip.benchmark.precision_costs fit` prints them.

They are fitted to files of two towers of `pocketclip_nano` and the image tower of `pocketclip_xs`: fp32, uniform int8,
and random plans of both (`benchmark/precision_costs/measured.json`). `arm64` is instructions of an emulated Cortex-A76,
`x86_64` the least nanoseconds of one inference on one thread, on an AMD EPYC with AVX-512 VNNI. What the files do not
tell apart is drawn to rough figures, and a factor by itself means little: a sum is what is predicted.
"""

from __future__ import annotations

from pocketclip.export.mixed.cost import Factors
from pocketclip.export.mixed.work import Work
from pocketclip.export.precision import InstructionSet, Precision, TargetName

FACTORS: dict[tuple[TargetName, InstructionSet], Factors] = {
    # 11 files; files left out of the fit are predicted to within 2.5% (median), 15% (worst).
    (TargetName.EXECUTORCH, InstructionSet.ARM64): Factors(
        in_float={
            Work.LINEAR: 0.3741,
            Work.POINTWISE: 0.4825,
            Work.SPATIAL: 0.6268,
            Work.DEPTHWISE: 0.2888,
            Work.PRODUCT: 0.2665,
            Work.FILTER: 200,
            Work.SUM: 2.805,
            Work.GELU: 2.866,
            Work.MULTIPLICATION: 3.186,
            Work.SOFTMAX: 2.715,
            Work.OTHER: 2.736,
        },
        in_int8={
            Work.LINEAR: 0.0936,
            Work.POINTWISE: 0.06656,
            Work.SPATIAL: 0,
            Work.DEPTHWISE: 0.2725,
            Work.PRODUCT: 0.2725,
            Work.FILTER: 136.2,
            Work.SUM: 2.725,
            Work.GELU: 2.725,
            Work.MULTIPLICATION: 2.276,
            Work.SOFTMAX: 2.725,
            Work.OTHER: 2.725,
        },
        quantise=2.276,
        dequantise=5.746,
        op=1525,
    ),
    # 11 files; files left out of the fit are predicted to within 4.1% (median), 87% (worst).
    (TargetName.EXECUTORCH, InstructionSet.X86_64): Factors(
        in_float={
            Work.LINEAR: 0.01929,
            Work.POINTWISE: 0.0448,
            Work.SPATIAL: 0.007033,
            Work.DEPTHWISE: 0.01385,
            Work.PRODUCT: 0.0214,
            Work.FILTER: 0,
            Work.SUM: 0.172,
            Work.GELU: 0.05317,
            Work.MULTIPLICATION: 0.3248,
            Work.SOFTMAX: 0.1939,
            Work.OTHER: 0.153,
        },
        in_int8={
            Work.LINEAR: 0,
            Work.POINTWISE: 0.01362,
            Work.SPATIAL: 0.01075,
            Work.DEPTHWISE: 0.01902,
            Work.PRODUCT: 0.01902,
            Work.FILTER: 9.508,
            Work.SUM: 0.1902,
            Work.GELU: 0.1902,
            Work.MULTIPLICATION: 0.0425,
            Work.SOFTMAX: 0.1902,
            Work.OTHER: 0.1902,
        },
        quantise=0.5513,
        dequantise=0.8079,
        op=0,
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
    # 16 files; files left out of the fit are predicted to within 10.1% (median), 216% (worst).
    (TargetName.ONNX, InstructionSet.X86_64): Factors(
        in_float={
            Work.LINEAR: 0.03618,
            Work.POINTWISE: 0.01008,
            Work.SPATIAL: 0.08556,
            Work.DEPTHWISE: 0.2926,
            Work.PRODUCT: 0,
            Work.FILTER: 0,
            Work.SUM: 0.5604,
            Work.GELU: 0,
            Work.MULTIPLICATION: 0.6232,
            Work.SOFTMAX: 0.3412,
            Work.OTHER: 0,
        },
        in_int8={
            Work.LINEAR: 0,
            Work.POINTWISE: 0.001607,
            Work.SPATIAL: 0,
            Work.DEPTHWISE: 0.1028,
            Work.PRODUCT: 0,
            Work.FILTER: 0,
            Work.SUM: 0,
            Work.GELU: 0.4221,
            Work.MULTIPLICATION: 0.1064,
            Work.SOFTMAX: 0.2374,
            Work.OTHER: 0.4221,
        },
        quantise=2.558,
        dequantise=1.744,
        op=0,
    ),
    # 18 files; files left out of the fit are predicted to within 1.0% (median), 4% (worst).
    (TargetName.TFLITE, InstructionSet.ARM64): Factors(
        in_float={
            Work.LINEAR: 0.328,
            Work.POINTWISE: 0.5309,
            Work.SPATIAL: 0.6735,
            Work.DEPTHWISE: 0.253,
            Work.PRODUCT: 0.1975,
            Work.FILTER: 149.8,
            Work.SUM: 2.332,
            Work.GELU: 2.373,
            Work.MULTIPLICATION: 2.198,
            Work.SOFTMAX: 1.993,
            Work.OTHER: 2.98,
        },
        in_int8={
            Work.LINEAR: 0.04946,
            Work.POINTWISE: 0.161,
            Work.SPATIAL: 0,
            Work.DEPTHWISE: 0.1996,
            Work.PRODUCT: 0.1996,
            Work.FILTER: 99.8,
            Work.SUM: 1.996,
            Work.GELU: 1.996,
            Work.MULTIPLICATION: 1.811,
            Work.SOFTMAX: 1.996,
            Work.OTHER: 1.038,
        },
        quantise=0.8463,
        dequantise=3.273,
        op=1127,
    ),
    # 7 files; files left out of the fit are predicted to within 1.6% (median), 24% (worst).
    (TargetName.TFLITE, InstructionSet.X86_64): Factors(
        in_float={
            Work.LINEAR: 0.01654,
            Work.POINTWISE: 0.03155,
            Work.SPATIAL: 0.01475,
            Work.DEPTHWISE: 0.02042,
            Work.PRODUCT: 0.01595,
            Work.FILTER: 11.88,
            Work.SUM: 0.1885,
            Work.GELU: 0.1874,
            Work.MULTIPLICATION: 0.2181,
            Work.SOFTMAX: 0.1659,
            Work.OTHER: 0.2266,
        },
        in_int8={
            Work.LINEAR: 0.0009387,
            Work.POINTWISE: 0.01383,
            Work.SPATIAL: 0.0207,
            Work.DEPTHWISE: 0.01671,
            Work.PRODUCT: 0.01671,
            Work.FILTER: 8.354,
            Work.SUM: 0.1671,
            Work.GELU: 0.1671,
            Work.MULTIPLICATION: 0.1173,
            Work.SOFTMAX: 0.1671,
            Work.OTHER: 0.1066,
        },
        quantise=0.1564,
        dequantise=0.1447,
        op=91.63,
    ),
}


def factors_for(target: TargetName, precision: Precision) -> dict[InstructionSet, Factors]:
    """What is known of a target at a precision, by processor; nothing where no files of it were measured."""
    if precision is not Precision.INT8_STATIC:
        return {}
    return {isa: factors for (name, isa), factors in FACTORS.items() if name is target}
