"""Cases of the ops that rearrange values."""

from __future__ import annotations

from typing import Any

import numpy as np
from coremltools.converters.mil import Builder as mb

from .op_case import IOS17, OpCase, randoms

X = randoms(2, 3, 4)
INTEGERS = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
PAIR = [X, randoms(2, 3, 4, seed=1)]


def _case(op_type: str, note: str, expected: Any, x: np.ndarray = X, **given: Any) -> OpCase:
    """An op of one input that must copy values exactly."""
    target = given.pop("target", IOS17)
    return OpCase(
        op_type,
        lambda _, x: getattr(mb, op_type)(x=x, **given),
        [x],
        expected,
        note,
        target=target,
        exact=True,
    )


def _pad(note: str, numpy_mode: dict[str, Any], sides: list[int], mode: str, constant: float = 0.0) -> OpCase:
    around = [(0, 0)] * (3 - len(sides) // 2) + list(zip(sides[::2], sides[1::2], strict=True))
    return OpCase(
        "pad",
        lambda t, x: mb.pad(x=x, pad=sides, mode=mode, constant_val=t(constant)),
        [X],
        lambda x: np.pad(x, around, **numpy_mode),
        note,
        exact=True,
    )


def _slice(note: str, expected: Any, x: np.ndarray = X, **given: Any) -> OpCase:
    return _case("slice_by_index", note, expected, x, **given)


CASES: list[OpCase] = [
    _case("reshape", "inferred", lambda x: x.reshape(6, 4), shape=[-1, 4]),
    _case("reshape", "zero-keeps", lambda x: x.reshape(2, 12), X.reshape(2, 4, 3), shape=[2, -1]),
    _case("reshape", "zero-by-place", lambda x: x.reshape(2, 1, 12), shape=[0, 1, -1]),
    # iOS 17 counts zeros from the right: the 0 stands over the 4 of [3, 4], then over nothing.
    _case("reshape", "zero-from-the-right", lambda x: x.reshape(1, 3, 2, 4), shape=[1, -1, 2, 0]),
    _case("reshape", "zero-of-nothing", lambda x: x.reshape(1, 2, 6), X[0], shape=[0, 2, -1]),
    _case("reshape", "int", lambda x: x.reshape(4, 6), INTEGERS, shape=[4, 6]),
    OpCase(
        "reshape",
        lambda _, x: mb.reshape(
            x=x, shape=mb.concat(values=[mb.gather(x=mb.shape(x=x), indices=[0], axis=0), [-1]], axis=0)
        ),
        [X],
        lambda x: x.reshape(2, 12),
        "shape-computed",
        exact=True,
    ),
    _case("transpose", "", lambda x: np.einsum("abc->cab", x), perm=[2, 0, 1]),
    _case("transpose", "negative", lambda x: np.einsum("abc->acb", x), perm=[0, -1, -2]),
    _case("expand_dims", "", lambda x: x[None, :, None], axes=[0, 2]),
    _case("expand_dims", "negative", lambda x: x[:, :, None, :, None], axes=[-1, -3]),
    _case("squeeze", "all", lambda x: x[0, :, 0], X[:1, :, :1], axes=[0, 2]),
    _case("squeeze", "negative", lambda x: x[..., 0], X[:1, :, :1], axes=[-1]),
    _case("squeeze", "no-axes", lambda x: x[0, :, 0], X[:1, :, :1]),
    _case("flatten2d", "", lambda x: x.reshape(6, 4), axis=-1),
    _case("flatten2d", "default", lambda x: x.reshape(2, 12)),
    OpCase(
        "concat",
        lambda _, x, y: mb.concat(values=[x, y], axis=-2),
        PAIR,
        lambda x, y: np.array([[*a, *b] for a, b in zip(x, y, strict=True)]),
        "negative-axis",
        exact=True,
    ),
    OpCase(
        "concat",
        lambda _, x, y: mb.concat(values=[x, y], axis=0, interleave=True),
        [np.float32([[1, 2], [3, 4]]), np.float32([[7, 8], [9, 10]])],
        lambda x, y: np.array([[1, 2], [7, 8], [3, 4], [9, 10]]),
        "interleaved",
        exact=True,
    ),
    OpCase(
        "stack",
        lambda _, x, y: mb.stack(values=[x, y], axis=-1),
        PAIR,
        lambda x, y: np.concatenate([x[..., None], y[..., None]], -1),
        "negative-axis",
        exact=True,
    ),
    OpCase(
        "stack",
        lambda _, x, y: mb.stack(values=[x, y], axis=1),
        PAIR,
        lambda x, y: np.concatenate([x[:, None], y[:, None]], 1),
        exact=True,
    ),
    _case("split", "even", lambda x: [x[..., :2], x[..., 2:]], num_splits=2, axis=-1),
    _case("split", "sizes", lambda x: [x[:, :2], x[:, 2:]], split_sizes=[2, 1], axis=1),
    _slice("plain", lambda x: x[1:2, 0:2, 1:4], begin=[1, 0, 1], end=[2, 2, 4]),
    _slice("negative", lambda x: x[:, 1:, 1:3], begin=[-2, -2, -3], end=[2, 3, -1]),
    _slice("strides", lambda x: x[:, ::2, 1::2], begin=[0, 0, 1], end=[2, 3, 4], stride=[1, 2, 2]),
    _slice(
        "backwards",
        lambda x: x[:, ::-1, 3:0:-2],
        begin=[0, -1, 3],
        end=[2, 0, 0],
        stride=[1, -1, -2],
        end_mask=[False, True, False],
    ),
    _slice(
        "masks",
        lambda x: x[:, :2, 1:],
        begin=[1, 2, 1],
        end=[2, 2, 2],
        begin_mask=[True, True, False],
        end_mask=[True, False, True],
    ),
    _slice(
        "squeezed",
        lambda x: x[:, -1, 2],
        begin=[0, -1, 2],
        end=[2, 0, 3],
        squeeze_mask=[False, True, True],
    ),
    _slice(
        "int",
        lambda x: x[0, :, 1:3],
        INTEGERS,
        begin=[0, 0, 1],
        end=[1, 3, 3],
        squeeze_mask=[True, False, False],
    ),
    OpCase(
        "slice_by_index",
        lambda _, x, begin: mb.slice_by_index(x=x, begin=begin, end=[2, 3, 4], end_mask=[True] * 3),
        [X, np.int32([1, 0, 2])],
        lambda x, begin: x[1:, :, 2:],
        "begin-computed",
        exact=True,
    ),
    _case("slice_by_size", "", lambda x: x[1:, 1:, :2], begin=[1, -2, 0], size=[-1, 2, 2]),
    _case("slice_by_size", "whole", lambda x: x[:, -1:, 1:], begin=[0, -1, 1], size=[-1, 1, -1]),
    _case("tile", "", lambda x: np.tile(x, (1, 2, 3)), reps=[1, 2, 3]),
    _case("tile", "int", lambda x: np.tile(x, (2, 1, 1)), INTEGERS, reps=[2, 1, 1]),
    _case("reverse", "", lambda x: x[:, ::-1, ::-1], axes=[1, -1]),
    _case("reverse", "all", lambda x: x[::-1, ::-1, ::-1]),
    _pad("constant", {"constant_values": -1.5}, [1, 0, 0, 2, 3, 1], "constant", -1.5),
    _pad("infinite", {"constant_values": -np.inf}, [0, 2], "constant", -np.inf),
    _pad("reflect", {"mode": "reflect"}, [2, 1, 3, 2], "reflect"),
    _pad("replicate", {"mode": "edge"}, [0, 1, 3, 2, 1, 4], "replicate"),
    _case(
        "pixel_shuffle",
        "",
        lambda x: np.einsum("nchwab->nchawb", np.moveaxis(x.reshape(1, 2, 2, 2, 3, 3), (2, 3), (4, 5))).reshape(
            1, 2, 6, 6
        ),
        randoms(1, 8, 3, 3),
        upscale_factor=2,
    ),
    _case(
        "pixel_unshuffle",
        "",
        lambda x: np.stack([x[0, c, a::2, b::2] for c in range(2) for a in range(2) for b in range(2)])[None],
        randoms(1, 2, 6, 6),
        downscale_factor=np.uint32(2),
    ),
    _case("identity", "", lambda x: x),
]
