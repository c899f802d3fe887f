"""What an op table holds: the computation of one MIL op and how its result is stored."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Refusal = Callable[[Any], str | None]
"""Looks at a MIL op and says what about it is not supported; None where all of it is."""


@dataclass(frozen=True, slots=True)
class OpFunction:
    """The computation of one op type.

    `compute` is called with the inputs named in `tensors`, in that order (None where an optional one is
    absent, a list where MIL has a tuple), and with the inputs named in `attributes` as keywords, as plain
    Python values (int, float, bool, str, lists). It returns a tensor, or a tuple of them for an op with
    several results; the executor brings these into the declared type, so an index may be left as int64.
    """

    compute: Callable[..., Any]
    tensors: tuple[str, ...]
    attributes: frozenset[str] = frozenset()
    rounds: bool = True
    """False where every result is a copy of an input's value, or a small integer: no rounding needed."""
    refuses: Refusal | None = None


def op(compute: Callable[..., Any], *, rounds: bool = True, refuses: Refusal | None = None) -> OpFunction:
    """An op whose inputs are the parameters of `compute`: tensors positional, attributes keyword-only."""
    parameters = inspect.signature(compute).parameters.values()
    return OpFunction(
        compute,
        tensors=tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY),
        attributes=frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY),
        rounds=rounds,
        refuses=refuses,
    )


def copying(compute: Callable[..., Any], *, refuses: Refusal | None = None) -> OpFunction:
    """As `op`, for one that moves, selects or compares values, so that its results need no rounding."""
    return op(compute, rounds=False, refuses=refuses)
