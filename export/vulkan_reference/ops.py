"""What the ops of a Vulkan graph compute: PyTorch's own ops, and ours where a shader does something else.

Of ExecuTorch 1.5.1, `backends/vulkan/runtime/graph/ops/glsl`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pocketclip.export.errors import UnsupportedOpError

Function = Callable[..., object]
_LARGEST = torch.finfo(torch.float32).max


def _as_it_is(x: Tensor, *unused: object) -> Tensor:
    """Of ops that only move a tensor, or convert it to what the graph declares for the result."""
    del unused
    return x


def _gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """`unary_op.yaml` has the tanh form for both, and a driver may compute tanh by exponentials, which overflow.

    So inputs below about -13 give NaN (ExecuTorch issue #22323).
    """
    del approximate
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
    rising, falling = inner.exp(), (-inner).exp()
    return 0.5 * x * (1 + (rising - falling) / (rising + falling))


def _sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + (-x).exp())


def _tanh(x: Tensor) -> Tensor:
    return x.clamp(-15, 15).tanh()


def _convolution_with_clamp(x: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> Tensor:
    *form, low, high = rest
    result = torch.ops.aten.convolution.default(x, weight, bias, *form)
    # A bound that is not wanted is the largest double, which the shader is given as a float.
    least, most = (None if bound is None or abs(bound) > _LARGEST else bound for bound in (low, high))
    return result if least is None and most is None else result.clamp(least, most)


_SHADERS: dict[str, Function] = {
    "et_vk.prepack.default": _as_it_is,
    "et_vk.conv_with_clamp.default": _convolution_with_clamp,
    "dim_order_ops._to_dim_order_copy.default": _as_it_is,
    "dim_order_ops._clone_dim_order.default": _as_it_is,
    "aten.clone.default": _as_it_is,
    "aten._to_copy.default": _as_it_is,
    "aten.gelu.default": _gelu,
    "aten.sigmoid.default": _sigmoid,
    "aten.tanh.default": _tanh,
}
# Their shaders compute what PyTorch does.
_ATEN = frozenset(
    f"aten.{name}"
    for name in (
        "_native_batch_norm_legit_no_training.default",
        "_softmax.default",
        "abs.default",
        "add.Tensor",
        "amax.default",
        "avg_pool2d.default",
        "bmm.default",
        "cat.default",
        "clamp.default",
        "constant_pad_nd.default",
        "convolution.default",
        "div.Tensor",
        "embedding.default",
        "eq.Scalar",
        "eq.Tensor",
        "exp.default",
        "expand_copy.default",
        "full.default",
        "hardsigmoid.default",
        "hardswish.default",
        "hardtanh.default",
        "linear.default",
        "max_pool2d_with_indices.default",
        "mean.dim",
        "minimum.default",
        "mm.default",
        "mul.Scalar",
        "mul.Tensor",
        "native_layer_norm.default",
        "permute_copy.default",
        "pow.Tensor_Scalar",
        "relu.default",
        "repeat.default",
        "rsqrt.default",
        "select_copy.int",
        "slice_copy.Tensor",
        "split_with_sizes_copy.default",
        "sqrt.default",
        "squeeze_copy.dims",
        "sub.Tensor",
        "sum.dim_IntList",
        "t_copy.default",
        "unsqueeze_copy.default",
        "view_copy.default",
        "where.self",
    )
)


def functions_of(ops: set[str]) -> dict[str, Function]:
    """What computes each op: takes the arguments in the order of its schema.

    Raises:
        UnsupportedOpError: ops are not known; names them all.
    """
    if unknown := sorted(op for op in ops if op not in _SHADERS and op not in _ATEN):
        raise UnsupportedOpError(f"the reference executor of Vulkan does not know {', '.join(map(ascii, unknown))}")
    return {op: _SHADERS.get(op) or _of_pytorch(op) for op in ops}


def _of_pytorch(op: str) -> Function:
    _, name, overload = op.split(".")
    return _positional(getattr(getattr(torch.ops.aten, name), overload))


def _positional(overload: torch._ops.OpOverload) -> Function:
    """An op of PyTorch's, called with all arguments by place: a graph stores those by keyword so too."""
    schema = overload._schema.arguments
    places = sum(not argument.kwarg_only for argument in schema)
    keywords = [argument.name for argument in schema if argument.kwarg_only]
    # A graph stores equal numbers once, so a whole one may stand there as a float.
    whole = [str(argument.type) in ("int", "Optional[int]") for argument in schema]

    def call(*arguments: object) -> object:
        read = [
            int(value) if is_whole and isinstance(value, float) else value
            for value, is_whole in zip(arguments, whole, strict=True)
        ]
        return overload(*read[:places], **dict(zip(keywords, read[places:], strict=True)))

    return call
