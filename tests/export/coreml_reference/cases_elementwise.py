"""Cases of the elementwise ops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from coremltools.converters.mil import Builder as mb

from .op_case import IOS17, OpCase, randoms

X = randoms(2, 3, 4, seed=1, scale=2.0)
Y = randoms(3, 1, seed=2, scale=2.0)
POSITIVE = randoms(2, 3, 4, seed=3, low=0.125, scale=3.0)
HALVES = np.array([-2.5, -1.5, -0.5, 0.0, 0.5, 1.5, 2.5, 3.25], np.float32)
A_INT = np.array([[-7, 3, 8], [0, -2, 5]], np.int32)
B_INT = np.array([2, 3, -3], np.int32)
A_BOOL = np.array([[True, True], [False, False]])
B_BOOL = np.array([True, False])
NAN, INF = float("nan"), float("inf")

_erf = np.vectorize(math.erf)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _unary(op_type: str, expected: Any, x: np.ndarray = X, **options: Any) -> OpCase:
    return OpCase(op_type, lambda _, x: getattr(mb, op_type)(x=x), [x], expected, **options)


def _binary(op_type: str, expected: Any, x: np.ndarray = X, y: np.ndarray = Y, **options: Any) -> OpCase:
    return OpCase(op_type, lambda _, x, y: getattr(mb, op_type)(x=x, y=y), [x, y], expected, **options)


def _activation(op_type: str, expected: Any, **parameters: float) -> OpCase:
    return OpCase(
        op_type,
        lambda t, x: getattr(mb, op_type)(x=x, **{name: t(value) for name, value in parameters.items()}),
        [X],
        expected,
    )


def _cast(dtype: str, expected: Any, x: np.ndarray, note: str, **options: Any) -> OpCase:
    return OpCase("cast", lambda _, x: mb.cast(x=x, dtype=dtype), [x], expected, note, **options)


def _truncated(low: int, high: int) -> Any:
    return lambda x: np.trunc(np.clip(np.nan_to_num(x), low, high))


CASES: list[OpCase] = [
    _binary("add", lambda x, y: x + y),
    _binary("add", lambda x, y: x + y, A_INT, B_INT, note="int"),
    OpCase("add", lambda t, x: mb.add(x=t(0.5), y=x), [X], lambda x: 0.5 + x, "scalar"),
    _binary("sub", lambda x, y: x - y),
    _binary("sub", lambda x, y: x - y, A_INT, B_INT, note="int"),
    _binary("mul", lambda x, y: x * y),
    _binary("mul", lambda x, y: x * y, A_INT, B_INT, note="int"),
    _binary("real_div", lambda x, y: x / y),
    _binary(
        "real_div",
        lambda x, y: np.array([INF, -INF, NAN]),
        np.array([1, -1, 0], np.float32),
        np.zeros(3, np.float32),
        note="by-zero",
    ),
    _binary("floor_div", lambda x, y: np.floor(x / y)),
    _binary("floor_div", lambda x, y: np.array([10917.0]), np.float32([2047]), np.float32([0.1875]), note="large"),
    _binary("floor_div", lambda x, y: np.array([[-4, 1, -3], [0, -1, -2]]), A_INT, B_INT, note="int"),
    _binary("mod", lambda x, y: x - y * np.floor(x / y), randoms(6, seed=5, scale=4), np.float32([2.5] * 6)),
    _binary("mod", lambda x, y: np.array([[1, 0, -1], [0, 1, -1]]), A_INT, B_INT, note="int"),
    _binary("pow", lambda x, y: np.exp(y * np.log(x)), POSITIVE),
    _binary("pow", lambda x, y: x * x * x, X, np.float32(3).reshape(1), note="negative-base"),
    _binary("maximum", lambda x, y: np.where(x > y, x, y), exact=True),
    _binary("maximum", lambda x, y: np.array([[2, 3, 8], [2, 3, 5]]), A_INT, B_INT, note="int"),
    _binary("minimum", lambda x, y: np.where(x < y, x, y), exact=True),
    _binary("minimum", lambda x, y: np.array([[-7, 3, -3], [0, -2, -3]]), A_INT, B_INT, note="int"),
    *[
        _binary(op_type, compare, x, y, note=note)
        for op_type, compare in (
            ("equal", np.equal),
            ("not_equal", np.not_equal),
            ("greater", np.greater),
            ("greater_equal", np.greater_equal),
            ("less", np.less),
            ("less_equal", np.less_equal),
        )
        for note, x, y in (
            ("float", np.float32([1, 2, 3, NAN]), np.float32([2, 2, 2, NAN])),
            ("int", A_INT, np.array([[-7, 2, 8], [1, -2, 4]], np.int32)),
        )
    ],
    _binary("logical_and", lambda x, y: np.array([[1, 0], [0, 0]]), A_BOOL, B_BOOL),
    _binary("logical_or", lambda x, y: np.array([[1, 1], [1, 0]]), A_BOOL, B_BOOL),
    _binary("logical_xor", lambda x, y: np.array([[0, 1], [1, 0]]), A_BOOL, B_BOOL),
    _unary("logical_not", lambda x: np.array([[0, 0], [1, 1]]), A_BOOL),
    OpCase(
        "select",
        lambda t, c, x: mb.select(cond=c, a=x, b=t(-INF)),
        [A_BOOL, np.float32([[1.5, 2.5], [3.5, 4.5]])],
        lambda c, x: np.array([[1.5, 2.5], [-INF, -INF]]),
        "mask",
        exact=True,
    ),
    OpCase(
        "select",
        lambda _, c, a, b: mb.select(cond=c, a=a, b=b),
        [B_BOOL, np.int32([[1, 2]]), np.int32([[3], [4]])],
        lambda c, a, b: np.array([[1, 3], [1, 4]]),
        "int-broadcast",
    ),
    _unary("abs", lambda x: np.where(x < 0, -x, x), exact=True),
    _unary("abs", lambda x: np.array([[7, 3, 8], [0, 2, 5]]), A_INT, note="int"),
    _unary("sign", lambda x: np.array([-1, -1, -1, 0, 1, 1, 1, 1]), HALVES, exact=True),
    _unary("floor", lambda x: np.array([-3, -2, -1, 0, 0, 1, 2, 3]), HALVES, exact=True),
    _unary("ceil", lambda x: np.array([-2, -1, 0, 0, 1, 2, 3, 4]), HALVES, exact=True),
    # Half to even: MIL says that 0.5 becomes 0.
    _unary("round", lambda x: np.array([-2, -2, 0, 0, 0, 2, 2, 3]), HALVES, exact=True),
    _unary("square", lambda x: x * x),
    _unary("square", lambda x: x * x, A_INT, note="int"),
    _unary("sqrt", np.sqrt, POSITIVE),
    OpCase(
        "rsqrt",
        lambda t, x: mb.rsqrt(x=x, epsilon=t(0.125)),
        [POSITIVE],
        lambda x: (x + 0.125) ** -0.5,
        "epsilon",
    ),
    OpCase(
        "inverse",
        lambda t, x: mb.inverse(x=x, epsilon=t(0.25)),
        [POSITIVE],
        lambda x: 1 / (x + 0.25),
        "epsilon",
    ),
    OpCase("log", lambda t, x: mb.log(x=x, epsilon=t(0.5)), [POSITIVE], lambda x: np.log(x + 0.5), "epsilon"),
    _unary("exp", np.exp),
    _unary("exp2", lambda x: 2.0**x),
    _unary("erf", _erf),
    _unary("sin", np.sin),
    _unary("cos", np.cos),
    _unary("tanh", lambda x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1)),
    OpCase(
        "clip",
        lambda t, x: mb.clip(x=x, alpha=t(-1.5), beta=t(0.75)),
        [np.float32([-9, -1.5, 0.5, 0.75, 9, NAN])],
        lambda x: np.array([-1.5, -1.5, 0.5, 0.75, 0.75, NAN]),
        exact=True,
    ),
    OpCase(
        "threshold",
        lambda t, x: mb.threshold(x=x, alpha=t(0.5)),
        [X],
        lambda x: np.where(x < 0.5, 0.5, x),
        exact=True,
    ),
    _cast("int32", _truncated(-(2**31), 2**31 - 1), np.float32([-2.75, -0.5, 0.5, 2.75]), "float-to-int"),
    _cast(
        "int32",
        lambda x: np.array([2**31 - 1, -(2**31), 0]),
        np.float32([INF, -INF, NAN]),
        "saturates",
    ),
    _cast(
        "fp16",
        lambda x: np.array([49408, 49408, 2048, INF, -INF]),
        np.int32([49406, 49407, 2049, 65520, -70000]),
        "int-to-half",
        only_fp32=True,
    ),
    _cast("fp16", lambda x: np.float16(x), np.float32([0.1, 3.3, 65519, 1e-8]), "to-half", only_fp32=True),
    _cast("fp32", lambda x: x, A_INT, "int-to-float"),
    _cast("bool", lambda x: np.array([1, 0, 1, 1]), np.float32([0.5, 0, -2, NAN]), "float-to-bool"),
    _cast("fp32", lambda x: np.array([[1, 1], [0, 0]]), A_BOOL, "bool-to-float"),
    _cast("uint8", _truncated(0, 255), np.float32([-3, 0.75, 254.5, 300]), "float-to-uint8", target=IOS17),
    _cast(
        "int8",
        lambda x: np.array([-128, 127, -1, 44]),
        np.int32([128, 127, 255, 300]),
        "int-wraps",
        target=IOS17,
    ),
    _cast("uint16", lambda x: np.array([65535, 5]), np.int32([-1, 65541]), "int-wraps-uint16", target=IOS17),
    _unary("relu", lambda x: np.where(x > 0, x, 0), exact=True),
    _unary("relu6", lambda x: np.clip(x, 0, 6), randoms(12, scale=6.0), exact=True),
    _activation("leaky_relu", lambda x: np.where(x < 0, x * 0.1875, x), alpha=0.1875),
    OpCase(
        "thresholded_relu",
        lambda t, x: mb.thresholded_relu(x=x, alpha=t(-3)),
        [np.float32([-9, -3, -2.5, 0, 4])],
        lambda x: np.array([0, -3, -2.5, 0, 4]),
        exact=True,
    ),
    OpCase(
        "prelu",
        lambda t, x: mb.prelu(x=x, alpha=t([0.1875, -0.375])),
        [randoms(1, 2, 3, 3)],
        lambda x: np.where(x > 0, x, x * np.array([0.1875, -0.375]).reshape(1, 2, 1, 1)),
    ),
    _activation("elu", lambda x: np.where(x > 0, x, 1.5 * (np.exp(x) - 1)), alpha=1.5),
    _activation("clamped_relu", lambda x: np.minimum(np.where(x < 0, x * 0.375, x), 1), alpha=0.375, beta=1.0),
    _activation("linear_activation", lambda x: 0.375 * x - 2, alpha=0.375, beta=-2.0),
    _activation("sigmoid_hard", lambda x: np.clip(0.25 * x + 0.5, 0, 1), alpha=0.25, beta=0.5),
    OpCase(
        "gelu",
        lambda _, x: mb.gelu(x=x, mode="EXACT"),
        [X],
        lambda x: x / 2 * (1 + _erf(x / np.sqrt(2))),
        "exact",
    ),
    OpCase(
        "gelu",
        lambda _, x: mb.gelu(x=x, mode="TANH_APPROXIMATION"),
        [X],
        lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        "tanh",
    ),
    OpCase(
        "gelu",
        lambda _, x: mb.gelu(x=x, mode="SIGMOID_APPROXIMATION"),
        [X],
        lambda x: x * _sigmoid(1.702 * x),
        "sigmoid",
    ),
    _unary("sigmoid", _sigmoid),
    _unary("silu", lambda x: x * _sigmoid(x)),
    _unary("softplus", lambda x: np.log(1 + np.exp(x))),
    _unary("softsign", lambda x: x / (1 + np.abs(x))),
]
