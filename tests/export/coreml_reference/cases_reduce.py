"""Cases of the reductions."""

from __future__ import annotations

from typing import Any

import numpy as np
from coremltools.converters.mil import Builder as mb

from .op_case import IOS17, OpCase, randoms

X = randoms(2, 3, 4, seed=1)
POSITIVE = randoms(2, 3, 4, seed=2, low=0.5)
INTEGERS = np.array([[1, -2, 4], [3, 5, -9]], np.int32)


def _forms(op_type: str, reduce: Any, x: np.ndarray = X, **options: Any) -> list[OpCase]:
    """A reduction over all axes, and over negative axes with and without keeping them."""

    def case(note: str, axes: list[int] | None, keep: bool) -> OpCase:
        given: dict[str, Any] = {"keep_dims": keep} if axes is None else {"axes": axes, "keep_dims": keep}
        over = None if axes is None else tuple(axes)
        return OpCase(
            op_type,
            lambda _, x: getattr(mb, op_type)(x=x, **given),
            [x],
            # MIL has no scalar output here: kept as they are, all axes reduced give ones.
            lambda x: reduce(x, over, keep),
            note,
            **options,
        )

    return [case("all", None, True), case("kept", [-1], True), case("dropped", [0, -2], False)]


def _integers(op_type: str, expected: list[int]) -> OpCase:
    return OpCase(
        op_type,
        lambda _, x: getattr(mb, op_type)(x=x, axes=[1], keep_dims=False),
        [INTEGERS],
        lambda _: np.array(expected),
        "int",
    )


def _index(op_type: str, expected: list[Any], note: str, target: Any = IOS17, **options: Any) -> OpCase:
    x = np.float32([[3, 9, 9, -1], [5, -5, 2, -5]])
    return OpCase(
        op_type,
        lambda _, x: getattr(mb, op_type)(x=x, **options),
        [x],
        lambda _: np.array(expected),
        note,
        target,
    )


CASES: list[OpCase] = [
    *_forms("reduce_sum", lambda x, axes, keep: x.sum(axes, keepdims=keep)),
    *_forms("reduce_mean", lambda x, axes, keep: x.mean(axes, keepdims=keep)),
    *_forms("reduce_prod", lambda x, axes, keep: x.prod(axes, keepdims=keep)),
    *_forms("reduce_max", lambda x, axes, keep: x.max(axes, keepdims=keep), exact=True),
    *_forms("reduce_min", lambda x, axes, keep: x.min(axes, keepdims=keep), exact=True),
    *_forms("reduce_l1_norm", lambda x, axes, keep: np.abs(x).sum(axes, keepdims=keep)),
    *_forms("reduce_l2_norm", lambda x, axes, keep: np.sqrt(np.square(x).sum(axes, keepdims=keep))),
    *_forms("reduce_sum_square", lambda x, axes, keep: np.square(x).sum(axes, keepdims=keep)),
    *_forms("reduce_log_sum", lambda x, axes, keep: np.log(x.sum(axes, keepdims=keep)), POSITIVE),
    *_forms("reduce_log_sum_exp", lambda x, axes, keep: np.log(np.exp(x).sum(axes, keepdims=keep))),
    _integers("reduce_sum", [3, -1]),
    _integers("reduce_prod", [-8, -135]),
    _integers("reduce_max", [4, 5]),
    _integers("reduce_min", [-2, -9]),
    _integers("reduce_sum_square", [21, 115]),
    # The mean of integers is an integer: 1 and -1/3, cut off.
    _integers("reduce_mean", [1, 0]),
    OpCase(
        "reduce_sum",
        lambda _, x: mb.reduce_sum(x=x, axes=[0], keep_dims=True),
        [np.ones(4096, np.float32)],
        # An accumulator in half precision would stop at 2048.
        lambda x: np.array([4096.0]),
        "accumulates-in-float32",
        exact=True,
    ),
    # Of equal values the first counts; MIL leaves it open.
    _index("reduce_argmax", [1, 0], "last-axis", axis=-1, keep_dims=False),
    _index("reduce_argmax", [[1, 0, 0, 0]], "kept", axis=0, keep_dims=True),
    _index("reduce_argmax", [1, 0], "uint16", axis=1, keep_dims=False, output_dtype="uint16"),
    _index("reduce_argmin", [3, 1], "last-axis", axis=-1, keep_dims=False),
    _index("reduce_argmin", [[0, 1, 1, 1]], "kept", axis=0, keep_dims=True),
    OpCase(
        "reduce_argmax",
        lambda _, x: mb.reduce_argmax(x=x, axis=-1, keep_dims=False),
        [np.int32([[49406, 320, 49407, 0], [49406, 49407, 0, 0]])],
        lambda _: np.array([2, 1]),
        "token-ids-as-integers",
    ),
    OpCase(
        "reduce_argmax",
        lambda _, x: mb.reduce_argmax(x=mb.cast(x=x, dtype="fp16"), axis=-1, keep_dims=False),
        [np.int32([[49406, 320, 49407, 0], [49406, 49407, 0, 0]])],
        # Both ids become 49408 in half precision, so that the first wins: a real hazard, kept visible.
        lambda _: np.array([0, 0]),
        "token-ids-in-half-precision",
    ),
]
