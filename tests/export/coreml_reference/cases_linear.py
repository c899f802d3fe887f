"""Cases of convolution, matrix products and normalisation."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from coremltools.converters.mil import Builder as mb

from .op_case import IOS17, IOS18, OpCase, randoms


def _conv(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    sides: list[tuple[int, int]],
    strides: list[int],
    dilations: list[int],
    groups: int = 1,
) -> np.ndarray:
    """Convolution of any spatial rank, one output cell at a time."""
    x = np.pad(x, [(0, 0), (0, 0), *sides])
    kernel = weight.shape[2:]
    sizes = [
        (size - (k - 1) * d - 1) // s + 1 for size, k, d, s in zip(x.shape[2:], kernel, dilations, strides, strict=True)
    ]
    out = np.zeros((x.shape[0], weight.shape[0], *sizes))
    inputs, outputs = x.shape[1] // groups, weight.shape[0] // groups
    for cell in itertools.product(*map(range, sizes)):
        window = tuple(
            slice(i * s, i * s + (k - 1) * d + 1, d)
            for i, s, k, d in zip(cell, strides, kernel, dilations, strict=True)
        )
        for o in range(weight.shape[0]):
            first = o // outputs * inputs
            patch = x[(slice(None), slice(first, first + inputs), *window)]
            out[(slice(None), o, *cell)] = (patch * weight[o]).reshape(len(x), -1).sum(1)
    return out if bias is None else out + bias.reshape(-1, *[1] * len(kernel))


def _conv_case(
    note: str,
    x: np.ndarray,
    weight: np.ndarray,
    *,
    sides: list[tuple[int, int]],
    bias: np.ndarray | None = None,
    target: Any = IOS17,
    strides: list[int] | None = None,
    dilations: list[int] | None = None,
    groups: int = 1,
    **pads: Any,
) -> OpCase:
    rank = x.ndim - 2
    strides, dilations = strides or [1] * rank, dilations or [1] * rank

    def build(t: Any, x: Any) -> Any:
        given = {} if bias is None else {"bias": bias.astype(t)}
        return mb.conv(
            x=x, weight=weight.astype(t), strides=strides, dilations=dilations, groups=groups, **given, **pads
        )

    def expected(x: np.ndarray) -> np.ndarray:
        return _conv(x, weight, bias, sides=sides, strides=strides, dilations=dilations, groups=groups)

    return OpCase("conv", build, [x], expected, note, target=target, relative=1e-5)


def _softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray | float = 0.0) -> np.ndarray:
    return _softmax(np.einsum("...le,...se->...ls", q, k) / np.sqrt(q.shape[-1]) + mask) @ v


def _standardised(x: np.ndarray, axes: tuple[int, ...], epsilon: float) -> np.ndarray:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


IMAGE = randoms(2, 4, 7, 6, seed=1)
KERNEL = randoms(6, 4, 3, 3, seed=2, scale=0.25)
BIAS = randoms(6, seed=3)
ROWS = randoms(2, 3, 5, seed=4)
WEIGHT = randoms(4, 5, seed=5)
GAMMA, BETA = randoms(3, seed=6, low=0.5), randoms(3, seed=7)
MEAN, VARIANCE = randoms(3, seed=8), randoms(3, seed=9, low=0.25)
Q, K, V = (randoms(2, 3, 4, 8, seed=seed) for seed in (10, 11, 12))
CAUSAL = np.triu(np.full((4, 4), -np.inf, np.float32), 1)
NO_SIDE = (0, 0)

CASES: list[OpCase] = [
    _conv_case("valid", IMAGE, KERNEL, bias=BIAS, sides=[NO_SIDE, NO_SIDE], pad_type="valid"),
    _conv_case(
        "custom-stride",
        IMAGE,
        KERNEL,
        bias=BIAS,
        sides=[(1, 1), (1, 1)],
        strides=[2, 2],
        pad_type="custom",
        pad=[1, 1, 1, 1],
    ),
    _conv_case(
        "custom-asymmetric",
        IMAGE,
        KERNEL,
        sides=[(0, 1), (2, 1)],
        strides=[2, 1],
        pad_type="custom",
        pad=[0, 1, 2, 1],
    ),
    # 7 rows in steps of 2 with a reach of 3 lack 2 rows; 6 columns lack 1, which `same` puts at the end.
    _conv_case("same", IMAGE, KERNEL, sides=[(1, 1), (0, 1)], strides=[2, 2], pad_type="same"),
    _conv_case("same-lower", IMAGE, KERNEL, sides=[(1, 1), (1, 0)], strides=[2, 2], pad_type="same_lower"),
    _conv_case(
        "dilated",
        IMAGE,
        KERNEL,
        sides=[(2, 2), (2, 2)],
        dilations=[2, 2],
        pad_type="custom",
        pad=[2, 2, 2, 2],
    ),
    _conv_case("same-dilated", IMAGE, KERNEL, sides=[(2, 2), (3, 3)], dilations=[2, 3], pad_type="same"),
    _conv_case(
        "grouped",
        IMAGE,
        randoms(6, 2, 3, 3, scale=0.25),
        bias=BIAS,
        groups=2,
        sides=[NO_SIDE, NO_SIDE],
        pad_type="valid",
    ),
    _conv_case(
        "depthwise",
        IMAGE,
        randoms(4, 1, 5, 5, scale=0.25),
        groups=4,
        sides=[(2, 2), (2, 2)],
        pad_type="custom",
        pad=[2, 2, 2, 2],
    ),
    _conv_case("1d", randoms(1, 3, 9), randoms(2, 3, 4), sides=[(1, 2)], pad_type="same"),
    _conv_case("3d", randoms(1, 2, 4, 3, 3), randoms(2, 2, 2, 2, 2), sides=[NO_SIDE] * 3, pad_type="valid"),
    OpCase(
        "linear",
        lambda t, x: mb.linear(x=x, weight=WEIGHT.astype(t), bias=WEIGHT[:, 0].astype(t)),
        [ROWS],
        lambda x: np.einsum("bnd,od->bno", x, WEIGHT) + WEIGHT[:, 0],
        relative=1e-5,
    ),
    OpCase(
        "linear",
        lambda t, x: mb.linear(x=x, weight=np.int32([[1, -2], [3, 4], [0, 5]])),
        [np.int32([[10, 1], [2, 3]])],
        lambda x: np.array([[8, 34, 5], [-4, 18, 15]]),
        "int",
    ),
    OpCase(
        "matmul",
        lambda _, x, y: mb.matmul(x=x, y=y),
        [randoms(2, 1, 3, 4), randoms(5, 4, 2, seed=1)],
        lambda x, y: np.einsum("bcik,ckj->bcij", np.repeat(x, 5, 1), y),
        "broadcast",
        relative=1e-5,
    ),
    OpCase(
        "matmul",
        lambda _, x, y: mb.matmul(x=x, y=y, transpose_x=True, transpose_y=True),
        [randoms(2, 4, 3), randoms(2, 5, 4, seed=1)],
        lambda x, y: np.einsum("bki,bjk->bij", x, y),
        "transposed",
        relative=1e-5,
    ),
    OpCase(
        "matmul",
        lambda _, x, y: mb.matmul(x=x, y=y),
        [np.int32([[1, 2], [3, -4]]), np.int32([[5, 6], [7, 8]])],
        lambda x, y: np.array([[19, 22], [-13, -14]]),
        "int",
    ),
    OpCase(
        "einsum",
        lambda _, x, y: mb.einsum(values=(x, y), equation="nchw,nwhu->nchu"),
        [randoms(2, 3, 4, 5), randoms(1, 5, 4, 2, seed=1)],
        lambda x, y: np.stack([[x[n, :, h] @ y[0, :, h] for h in range(4)] for n in range(2)]).swapaxes(1, 2),
        "rank-4-broadcast",
        relative=1e-5,
    ),
    OpCase(
        "einsum",
        lambda _, x, y: mb.einsum(values=(x, y), equation="chw,whr->chr"),
        [randoms(3, 4, 5), randoms(5, 4, 2, seed=1)],
        lambda x, y: np.stack([x[:, h] @ y[:, h] for h in range(4)], 1),
        "rank-3",
        relative=1e-5,
    ),
    OpCase(
        "scaled_dot_product_attention",
        lambda _, q, k, v: mb.scaled_dot_product_attention(query=q, key=k, value=v),
        [Q, K, V],
        _attention,
        target=IOS18,
        relative=1e-5,
    ),
    OpCase(
        "scaled_dot_product_attention",
        lambda t, q, k, v: mb.scaled_dot_product_attention(query=q, key=k, value=v, attn_mask=CAUSAL.astype(t)),
        [Q, K, V],
        lambda q, k, v: _attention(q, k, v, CAUSAL),
        "causal",
        target=IOS18,
        relative=1e-5,
    ),
    OpCase(
        "scaled_dot_product_attention",
        lambda _, q, k, v, mask: mb.scaled_dot_product_attention(query=q, key=k, value=v, attn_mask=mask),
        [Q, K, V, np.array([[True, False, True, True], [False] * 4, [True] * 4, [True, True, False, False]])],
        # A row that sees nothing is NaN.
        lambda q, k, v, mask: _attention(q, k, v, np.where(mask, 0, -np.inf)),
        "bool-mask",
        target=IOS18,
        relative=1e-5,
    ),
    OpCase(
        "batch_norm",
        lambda t, x: mb.batch_norm(
            x=x,
            mean=MEAN.astype(t),
            variance=VARIANCE.astype(t),
            gamma=GAMMA.astype(t),
            beta=BETA.astype(t),
            epsilon=t(0.125),
        ),
        [randoms(2, 3, 4, 4)],
        lambda x: np.stack(
            [GAMMA[c] * (x[:, c] - MEAN[c]) / np.sqrt(VARIANCE[c] + 0.125) + BETA[c] for c in range(3)], 1
        ),
        relative=1e-5,
    ),
    OpCase(
        "batch_norm",
        lambda t, x: mb.batch_norm(x=x, mean=MEAN.astype(t), variance=VARIANCE.astype(t), epsilon=t(0.0)),
        [randoms(2, 3, 5)],
        lambda x: np.stack([(x[:, c] - MEAN[c]) / np.sqrt(VARIANCE[c]) for c in range(3)], 1),
        "plain-1d",
        relative=1e-5,
    ),
    OpCase(
        "instance_norm",
        lambda t, x: mb.instance_norm(x=x, gamma=GAMMA.astype(t), beta=BETA.astype(t), epsilon=t(0.125)),
        [randoms(2, 3, 4, 5)],
        lambda x: _standardised(x, (2, 3), 0.125) * GAMMA.reshape(3, 1, 1) + BETA.reshape(3, 1, 1),
        relative=1e-5,
    ),
    OpCase(
        "layer_norm",
        lambda t, x: mb.layer_norm(
            x=x, axes=[-1], gamma=WEIGHT[0].astype(t), beta=WEIGHT[1].astype(t), epsilon=t(0.125)
        ),
        [ROWS],
        lambda x: _standardised(x, (2,), 0.125) * WEIGHT[0] + WEIGHT[1],
        relative=1e-5,
    ),
    OpCase(
        "layer_norm",
        lambda t, x: mb.layer_norm(x=x, axes=[1, 2], gamma=ROWS[0].astype(t), epsilon=t(0.125)),
        [randoms(2, 3, 5)],
        lambda x: _standardised(x, (1, 2), 0.125) * ROWS[0],
        "two-axes",
        relative=1e-5,
    ),
    # Channels first, as coremltools writes the layer norm of a convolutional network.
    OpCase(
        "layer_norm",
        lambda t, x: mb.layer_norm(x=x, axes=[1], gamma=GAMMA.astype(t), beta=BETA.astype(t), epsilon=t(0.5)),
        [randoms(2, 3, 4, 4)],
        lambda x: _standardised(x, (1,), 0.5) * GAMMA.reshape(3, 1, 1) + BETA.reshape(3, 1, 1),
        "channels",
        relative=1e-5,
    ),
    OpCase(
        "l2_norm",
        lambda t, x: mb.l2_norm(x=x, epsilon=t(0.25)),
        [randoms(2, 3, 2, 2)],
        lambda x: np.stack([image / np.sqrt(np.square(image).sum() + 0.25) for image in x]),
        relative=1e-5,
    ),
    OpCase("softmax", lambda _, x: mb.softmax(x=x, axis=-2), [ROWS], lambda x: _softmax(x, 1), "negative-axis"),
    OpCase(
        "softmax",
        lambda t, x: mb.softmax(x=mb.select(cond=CAUSAL == 0, a=x, b=t(-np.inf)), axis=-1),
        [Q[0, :, :, :4]],
        lambda x: _softmax(np.where(CAUSAL == 0, x, -np.inf)),
        "causal-mask",
    ),
]
