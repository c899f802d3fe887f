"""Every op of the reference executor against a computation of its own, in float32 and in fp16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketclip.export.coreml_reference import ReferenceExecutor, load_program
from pocketclip.export.coreml_reference.binding import TENSOR_OPS
from pocketclip.export.coreml_reference.ops_constexpr import CONSTEXPR_OPS

from . import (
    cases_constexpr,
    cases_elementwise,
    cases_index,
    cases_linear,
    cases_pool,
    cases_quantise,
    cases_reduce,
    cases_shape,
)
from .op_case import OpCase, given, save_program

CASES: list[OpCase] = [
    *cases_elementwise.CASES,
    *cases_linear.CASES,
    *cases_pool.CASES,
    *cases_reduce.CASES,
    *cases_shape.CASES,
    *cases_index.CASES,
    *cases_quantise.CASES,
    *cases_constexpr.CASES,
]


def test_every_op_has_a_case() -> None:
    assert {case.op_type for case in CASES} == TENSOR_OPS.keys() | CONSTEXPR_OPS.keys()


RUNS = [
    pytest.param(case, precision, id=f"{case}-{precision.__name__}")
    for case in CASES
    for precision in ((np.float32,) if case.only_fp32 else (np.float32, np.float16))
]


@pytest.mark.parametrize(("case", "precision"), RUNS)
def test_op(case: OpCase, precision: Any, tmp_path: Path) -> None:
    inputs = [np.asarray(value) for value in case.inputs]
    if precision is np.float16:
        inputs = [x.astype(np.float16) if x.dtype == np.float32 else x for x in inputs]
    package = save_program(
        tmp_path / "op.mlpackage", lambda *xs: case.build(precision, *xs), inputs, target=case.target
    )
    program = load_program(package)
    assert program.op_counts()[case.op_type] >= 1

    results = ReferenceExecutor(program).run(given(inputs))

    doubles = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in inputs]
    with np.errstate(all="ignore"):
        expected = case.expected(*doubles)
    wanted = expected if isinstance(expected, (tuple, list)) else [expected]
    for spec, want in zip(program.outputs, wanted, strict=True):
        _compare(results[spec.name], np.asarray(want), case, precision)


def _compare(got: np.ndarray, want: np.ndarray, case: OpCase, precision: Any) -> None:
    assert got.shape == want.shape
    if got.dtype.kind != "f":
        np.testing.assert_array_equal(got, want.astype(got.dtype))
        return
    with np.errstate(over="ignore"):
        want = want.astype(precision)
    if precision is np.float16:
        np.testing.assert_array_equal(got, got.astype(np.float16), "the result was not rounded to fp16")
    if case.exact:
        np.testing.assert_array_equal(got, want)
    elif precision is np.float16:
        # One unit in the last place: float32 arithmetic may fall on the other side of a tie.
        np.testing.assert_allclose(got, want, rtol=2**-10, atol=2**-23)
    else:
        np.testing.assert_allclose(got, want, rtol=case.relative, atol=case.relative)
