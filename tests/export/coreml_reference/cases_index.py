"""Cases of the ops that read by index, sort or generate."""

from __future__ import annotations

import numpy as np
from coremltools.converters.mil import Builder as mb

from .op_case import IOS16, IOS17, OpCase, randoms

X = randoms(3, 4, 5)
BATCHED = randoms(2, 3, 4)
INTEGERS = np.int32([[3, 1, 4], [1, 5, 9]])
ROWS = np.int32([[2, 0], [1, 1]])

CASES: list[OpCase] = [
    OpCase("gather", lambda _, x, i: mb.gather(x=x, indices=i, axis=0), [X, ROWS], lambda x, i: x[i], exact=True),
    OpCase(
        "gather",
        lambda _, x, i: mb.gather(x=x, indices=i, axis=-2),
        [X, np.int32([3, -4])],
        lambda x, i: x[:, [3, 0]],
        "negative",
        exact=True,
    ),
    OpCase(
        "gather",
        lambda _, x: mb.gather(x=x, indices=np.int32(2), axis=1),
        [X],
        lambda x: x[:, 2],
        "scalar-index",
        exact=True,
    ),
    OpCase(
        "gather",
        lambda _, x, i: mb.gather(x=x, indices=i, axis=2, batch_dims=1),
        [BATCHED, np.int32([[3, 0], [1, 1]])],
        lambda x, i: np.stack([x[0][:, [3, 0]], x[1][:, [1, 1]]]),
        "batched",
        target=IOS17,
        exact=True,
    ),
    OpCase(
        "gather",
        lambda _, x, i: mb.gather(x=x, indices=mb.cast(x=i, dtype="uint16"), axis=0),
        [INTEGERS, np.int32([1])],
        lambda x, i: x[[1]],
        "int-by-uint16",
        target=IOS17,
    ),
    OpCase(
        "gather_along_axis",
        lambda _, x, i: mb.gather_along_axis(x=x, indices=i, axis=-1),
        [BATCHED, np.int32([[[3, 0], [1, 1], [2, 3]], [[0, 0], [1, 2], [3, 3]]])],
        lambda x, i: np.array([[[x[b, r, k] for k in i[b, r]] for r in range(3)] for b in range(2)]),
        exact=True,
    ),
    OpCase(
        "gather_along_axis",
        lambda _, x, i: mb.gather_along_axis(x=x, indices=i, axis=1),
        [BATCHED, np.int32([[[2, 0, 1, 2]], [[0, 1, 2, 0]]])],
        lambda x, i: np.array([[[x[b, i[b, 0, k], k] for k in range(4)]] for b in range(2)]),
        "middle",
        exact=True,
    ),
    OpCase(
        "gather_nd",
        lambda _, x, i: mb.gather_nd(x=x, indices=i),
        [X, np.int32([[2, 3], [0, 1]])],
        lambda x, i: np.stack([x[2, 3], x[0, 1]]),
        "argmax-pooling",
        exact=True,
    ),
    OpCase(
        "gather_nd",
        lambda _, x, i: mb.gather_nd(x=x, indices=i, batch_dims=1),
        [BATCHED, np.int32([[[2, 3], [0, 1]], [[1, 1], [0, 0]]])],
        lambda x, i: np.array([[x[0, 2, 3], x[0, 0, 1]], [x[1, 1, 1], x[1, 0, 0]]]),
        "batched",
        exact=True,
    ),
    OpCase(
        "one_hot",
        lambda t, i: mb.one_hot(indices=i, one_hot_vector_size=3, axis=-1, on_value=t(2.5), off_value=t(-1)),
        [np.int32([[2, 0], [1, 7]])],
        lambda i: np.where(i[..., None] == np.arange(3), 2.5, -1),
        exact=True,
    ),
    OpCase(
        "one_hot",
        lambda _, i: mb.one_hot(indices=i, one_hot_vector_size=3, axis=0),
        [np.int32([[2, 0], [1, 1]])],
        lambda i: np.where(i == np.arange(3)[:, None, None], 1, 0),
        "first-axis-int",
    ),
    OpCase(
        "topk",
        lambda _, x: mb.topk(x=x, k=2, axis=-1),
        [np.float32([[3, 9, 9, -1], [5, -5, 2, -6]])],
        lambda x: [np.array([[9, 9], [5, 2]]), np.array([[1, 2], [0, 2]])],
        "largest",
        target=IOS17,
        exact=True,
    ),
    OpCase(
        "topk",
        lambda _, x: mb.topk(x=x, k=1, axis=0, ascending=True, return_indices=False),
        [np.float32([[3, 9], [5, -5]])],
        lambda x: np.array([[3, -5]]),
        "smallest-values-only",
        exact=True,
    ),
    OpCase(
        "topk",
        lambda _, x: mb.topk(x=x, k=3, axis=1, output_indices_dtype="uint16"),
        [np.float32([[3, 9, 4]])],
        lambda x: [np.array([[9, 4, 3]]), np.array([[1, 2, 0]])],
        "uint16-indices",
        target=IOS17,
        exact=True,
    ),
    OpCase("band_part", lambda _, x: mb.band_part(x=x, lower=0, upper=-1), [X], np.triu, "upper", exact=True),
    OpCase("band_part", lambda _, x: mb.band_part(x=x, lower=-1, upper=0), [X], np.tril, "lower", exact=True),
    OpCase(
        "band_part",
        lambda _, x: mb.band_part(x=x, lower=1, upper=2),
        [X],
        lambda x: np.tril(np.triu(x, -1), 2),
        "band",
        exact=True,
    ),
    OpCase("cumsum", lambda _, x: mb.cumsum(x=x, axis=1), [X], lambda x: np.cumsum(x, 1)),
    OpCase(
        "cumsum",
        lambda _, x: mb.cumsum(x=x, axis=1, exclusive=True, reverse=True),
        [INTEGERS],
        lambda x: np.array([[5, 4, 0], [14, 9, 0]]),
        "exclusive-reverse-int",
    ),
    OpCase(
        "cumsum",
        lambda _, x: mb.cumsum(x=x, axis=-1, exclusive=True),
        [INTEGERS],
        lambda x: np.array([[0, 3, 4], [0, 1, 6]]),
        "negative-axis-exclusive",
    ),
    OpCase("shape", lambda _, x: mb.shape(x=x), [X], lambda x: np.array([3, 4, 5])),
    OpCase(
        "fill",
        lambda t, x: mb.add(x=x, y=mb.fill(shape=[2, 3], value=t(-np.inf))),
        [np.zeros((2, 3), np.float32)],
        lambda x: np.full((2, 3), -np.inf),
        "constant",
        exact=True,
    ),
    OpCase(
        "fill",
        lambda _, x, shape: mb.add(x=mb.fill(shape=shape, value=7), y=x),
        [np.int32([[0, 1, 2]]), np.int32([2, 1])],
        lambda x, shape: np.array([[7, 8, 9], [7, 8, 9]]),
        "shape-computed-int",
    ),
    OpCase(
        "fill_like",
        lambda t, x: mb.fill_like(ref_tensor=x, value=t(1.5)),
        [X],
        lambda x: x * 0 + 1.5,
        target=IOS16,
        exact=True,
    ),
    OpCase(
        "range_1d",
        lambda _, x: mb.add(x=mb.range_1d(start=5, end=-2, step=-3), y=x),
        [np.int32([0, 0, 0])],
        lambda x: np.array([5, 2, -1]),
        "int",
    ),
    OpCase(
        "range_1d",
        lambda t, x: mb.add(x=mb.range_1d(start=t(0.5), end=t(2.0), step=t(0.5)), y=x),
        [np.zeros(3, np.float32)],
        lambda x: np.array([0.5, 1.0, 1.5]),
        "float",
        exact=True,
    ),
    OpCase(
        "range_1d",
        lambda t, x: (mb.range_1d(start=t(2048), end=t(2052), step=t(1)), mb.identity(x=x)),
        [np.zeros(1, np.float32)],
        # The odd values do not exist in half precision.
        lambda x: [np.array([2048, 2049, 2050, 2051]), x],
        "beyond-half-precision",
        exact=True,
    ),
    OpCase(
        "range_1d",
        lambda _, x, end: mb.slice_by_index(x=mb.range_1d(start=0, end=mb.squeeze(x=end), step=1), begin=[1], end=[3]),
        [X, np.int32([5])],
        lambda x, end: np.array([1, 2]),
        "end-computed",
    ),
]
