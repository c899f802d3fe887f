"""Elementwise ops: arithmetic, comparisons, logic, activations, casts."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pocketclip.export.coreml_reference.op_function import OpFunction, Refusal, copying, op
from pocketclip.export.coreml_reference.storage import STORAGES, storage_name


def _unary(compute: Callable[[Tensor], Tensor], *, rounds: bool = True) -> OpFunction:
    return OpFunction(compute, ("x",), rounds=rounds)


def _binary(
    compute: Callable[[Tensor, Tensor], Tensor], *, rounds: bool = True, refuses: Refusal | None = None
) -> OpFunction:
    return OpFunction(compute, ("x", "y"), rounds=rounds, refuses=refuses)


def _integer_division(division: Any) -> str | None:
    # MIL types the quotient of two int32 as int32 but does not say how it is rounded.
    return "division of integers" if storage_name(division.outputs[0]).startswith(("int", "uint")) else None


def inverse(x: Tensor, *, epsilon: float) -> Tensor:
    return 1.0 / (x + epsilon)


def log(x: Tensor, *, epsilon: float) -> Tensor:
    return torch.log(x + epsilon)


def rsqrt(x: Tensor, *, epsilon: float) -> Tensor:
    return torch.rsqrt(x + epsilon)


def clip(x: Tensor, *, alpha: float, beta: float) -> Tensor:
    # In this order, as MIL has it: with alpha > beta the result is beta.
    return torch.minimum(torch.maximum(x, x.new_tensor(alpha)), x.new_tensor(beta))


def threshold(x: Tensor, *, alpha: float) -> Tensor:
    return torch.maximum(x, x.new_tensor(alpha))


def gelu(x: Tensor, *, mode: str) -> Tensor:
    if mode == "TANH_APPROXIMATION":
        return F.gelu(x, approximate="tanh")
    if mode == "SIGMOID_APPROXIMATION":
        return x * torch.sigmoid(1.702 * x)
    return F.gelu(x)


def leaky_relu(x: Tensor, *, alpha: float) -> Tensor:
    return torch.where(x >= 0, x, alpha * x)


def thresholded_relu(x: Tensor, *, alpha: float) -> Tensor:
    return torch.where(x >= alpha, x, torch.zeros_like(x))


def elu(x: Tensor, *, alpha: float) -> Tensor:
    return torch.where(x > 0, x, alpha * torch.expm1(x))


def prelu(x: Tensor, alpha: Tensor) -> Tensor:
    return F.prelu(x, alpha)


def clamped_relu(x: Tensor, *, alpha: float, beta: float) -> Tensor:
    return torch.clamp(torch.where(x >= 0, x, alpha * x), max=beta)


def linear_activation(x: Tensor, *, alpha: float, beta: float) -> Tensor:
    return alpha * x + beta


def sigmoid_hard(x: Tensor, *, alpha: float, beta: float) -> Tensor:
    return torch.clamp(alpha * x + beta, 0.0, 1.0)


def softplus(x: Tensor) -> Tensor:
    # `F.softplus` turns linear above a threshold; this does not.
    return torch.logaddexp(x, torch.zeros_like(x))


def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(cond, a, b)


def cast(x: Tensor, *, dtype: str) -> Tensor:
    if dtype == "bool":
        return x != 0
    target = STORAGES[dtype].numpy
    if target.kind == "f":
        return x.float()
    if not x.is_floating_point():
        return _wrap(x, bits=target.itemsize * 8, signed=target.kind == "i")
    # Out of range, the conversion instruction of ARM saturates and maps NaN to 0; MIL leaves it open.
    limits = torch.iinfo(getattr(torch, dtype))
    return torch.nan_to_num(x.double(), nan=0.0).clamp(limits.min, limits.max).trunc()


def _wrap(x: Tensor, *, bits: int, signed: bool) -> Tensor:
    """The low `bits` of each integer, as numpy casts between integers."""
    low = x.long() % (1 << bits)
    return torch.where(low >= 1 << (bits - 1), low - (1 << bits), low) if signed else low


def _cast_refused(conversion: Any) -> str | None:
    dtype = str(conversion.dtype.val)
    return None if dtype in STORAGES else f"cast to {dtype}"


OPS: dict[str, OpFunction] = {
    # Arithmetic
    "add": _binary(operator.add),
    "sub": _binary(operator.sub),
    "mul": _binary(operator.mul),
    "real_div": _binary(operator.truediv, refuses=_integer_division),
    "floor_div": _binary(torch.floor_divide),
    "mod": _binary(torch.remainder),
    "pow": _binary(torch.pow),
    "maximum": _binary(torch.maximum, rounds=False),
    "minimum": _binary(torch.minimum, rounds=False),
    # Comparisons and logic
    "equal": _binary(operator.eq, rounds=False),
    "not_equal": _binary(operator.ne, rounds=False),
    "greater": _binary(operator.gt, rounds=False),
    "greater_equal": _binary(operator.ge, rounds=False),
    "less": _binary(operator.lt, rounds=False),
    "less_equal": _binary(operator.le, rounds=False),
    "logical_and": _binary(operator.and_, rounds=False),
    "logical_or": _binary(operator.or_, rounds=False),
    "logical_xor": _binary(operator.xor, rounds=False),
    "logical_not": _unary(operator.invert, rounds=False),
    "select": copying(select),
    # Functions of one value
    "abs": _unary(torch.abs, rounds=False),
    "sign": _unary(torch.sign, rounds=False),
    "floor": _unary(torch.floor, rounds=False),
    "ceil": _unary(torch.ceil, rounds=False),
    "round": _unary(torch.round, rounds=False),
    "square": _unary(torch.square),
    "sqrt": _unary(torch.sqrt),
    "rsqrt": op(rsqrt),
    "inverse": op(inverse),
    "exp": _unary(torch.exp),
    "exp2": _unary(torch.exp2),
    "log": op(log),
    "erf": _unary(torch.erf),
    "sin": _unary(torch.sin),
    "cos": _unary(torch.cos),
    "tanh": _unary(torch.tanh),
    "clip": copying(clip),
    "threshold": copying(threshold),
    "cast": op(cast, refuses=_cast_refused),
    # Activations
    "relu": _unary(torch.relu, rounds=False),
    "relu6": _unary(F.relu6, rounds=False),
    "leaky_relu": op(leaky_relu),
    "thresholded_relu": copying(thresholded_relu),
    "prelu": op(prelu),
    "elu": op(elu),
    "clamped_relu": op(clamped_relu),
    "linear_activation": op(linear_activation),
    "gelu": op(gelu),
    "sigmoid": _unary(torch.sigmoid),
    "sigmoid_hard": op(sigmoid_hard),
    "silu": _unary(F.silu),
    "softplus": _unary(softplus),
    "softsign": _unary(F.softsign),
}
