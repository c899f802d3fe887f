"""The executor around the ops: inputs, kept values, rounding between ops, ops it does not know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb

from pocketclip.export.coreml_reference import ReferenceExecutor, load_program
from pocketclip.export.errors import ArtifactError, InferenceInputError, UnsupportedOpError

from .op_case import IOS17, save_program

HALF = np.float16


@pytest.fixture
def executor_of(tmp_path: Path) -> Callable[..., ReferenceExecutor]:
    """Saves what a builder call describes, and prepares an executor of the package."""

    def prepare(build: Callable[..., Any], *inputs: np.ndarray, target: Any = IOS17) -> ReferenceExecutor:
        package = save_program(tmp_path / "program.mlpackage", build, inputs, target=target)
        return ReferenceExecutor(load_program(package))

    return prepare


def _only(results: dict[str, np.ndarray]) -> np.ndarray:
    (value,) = results.values()
    return value


# Rounding ------------------------------------------------------------------------------------------


def test_every_op_rounds_to_half_precision(executor_of: Callable[..., ReferenceExecutor]) -> None:
    x = HALF([2048, 0.1, 1])
    executor = executor_of(lambda x: mb.sub(x=mb.add(x=x, y=HALF([1, 0.2, 2**-11])), y=HALF([2048, 0, 1])), x)
    # 2049 and 1 + 2**-11 lie half-way between two values, and go to the even one.
    expected = [0, HALF(0.1) + HALF(0.2), 0]
    np.testing.assert_array_equal(_only(executor.run({"x0": x})), np.float32(expected))


def test_float32_is_not_rounded(executor_of: Callable[..., ReferenceExecutor]) -> None:
    x = np.float32([2048, 0.1])
    executor = executor_of(lambda x: mb.sub(x=mb.add(x=x, y=np.float32(1)), y=np.float32(2048)), x)
    np.testing.assert_array_equal(_only(executor.run({"x0": x})), (x + np.float32(1)) - np.float32(2048))


def test_products_accumulate_in_float32(executor_of: Callable[..., ReferenceExecutor]) -> None:
    x = np.ones((1, 4096), HALF)
    executor = executor_of(lambda x: mb.matmul(x=x, y=np.full((4096, 1), 1.0009765625, HALF)), x)
    # A half-precision sum would stop at 2048.
    np.testing.assert_array_equal(_only(executor.run({"x0": x})), [[4100.0]])


def test_overflow_becomes_infinite(executor_of: Callable[..., ReferenceExecutor]) -> None:
    x = HALF([60000, -60000, 300])
    executor = executor_of(lambda x: mb.mul(x=mb.add(x=x, y=x), y=HALF(0.0)), x)
    np.testing.assert_array_equal(_only(executor.run({"x0": x})), np.float32([np.nan, np.nan, 0]))


@pytest.mark.parametrize("masked", [-np.inf, np.float32(-3.4e38)])
def test_row_masked_as_a_whole_is_nan(executor_of: Callable[..., ReferenceExecutor], masked: float) -> None:
    mask = np.array([[0, masked], [masked, masked]], np.float32)
    with np.errstate(over="ignore"):
        half = mask.astype(HALF)
    scores = HALF([[1, 2], [3, 4]])
    executor = executor_of(lambda x: mb.softmax(x=mb.add(x=x, y=half), axis=-1), scores)
    np.testing.assert_array_equal(_only(executor.run({"x0": scores})), np.float32([[1, 0], [np.nan, np.nan]]))


def test_epsilon_below_half_precision_is_lost(executor_of: Callable[..., ReferenceExecutor]) -> None:
    x = HALF([0.0, 4.0])
    executor = executor_of(lambda x: mb.rsqrt(x=x, epsilon=HALF(1e-12)), x)
    np.testing.assert_array_equal(_only(executor.run({"x0": x})), np.float32([np.inf, 0.5]))


# Inputs and results --------------------------------------------------------------------------------


@pytest.fixture
def two_inputs(executor_of: Callable[..., ReferenceExecutor]) -> ReferenceExecutor:
    return executor_of(
        lambda x, ids: mb.add(
            x=mb.mul(x=x, y=np.float32(3), name="tripled"), y=mb.cast(x=ids, dtype="fp32", name="number")
        ),
        np.zeros((2, 3), np.float32),
        np.zeros(3, np.int32),
    )


GOOD = {"x0": np.ones((2, 3), np.float32), "x1": np.arange(3, dtype=np.int32)}


def test_kept_values(two_inputs: ReferenceExecutor) -> None:
    results = two_inputs.run(GOOD, keep=["tripled", "number", "x0"])
    assert len(results) == 4
    np.testing.assert_array_equal(results["tripled"], np.full((2, 3), 3.0))
    np.testing.assert_array_equal(results["number"], [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(results["x0"], GOOD["x0"])
    assert results["tripled"].dtype == np.float32
    assert {"x0", "x1", "tripled", "number"} <= set(two_inputs.value_names)


def test_kept_half_precision_value_has_its_dtype(executor_of: Callable[..., ReferenceExecutor]) -> None:
    x = HALF([1, 2])
    executor = executor_of(lambda x: mb.square(x=mb.exp(x=x, name="grown")), x)
    assert executor.run({"x0": x}, keep=["grown"])["grown"].dtype == HALF


def test_runs_do_not_influence_each_other(two_inputs: ReferenceExecutor) -> None:
    first = two_inputs.run(GOOD)
    two_inputs.run({"x0": GOOD["x0"] * 9, "x1": GOOD["x1"]})
    again = two_inputs.run(GOOD)
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])


def test_results_do_not_share_memory_with_inputs(executor_of: Callable[..., ReferenceExecutor]) -> None:
    x = np.zeros((2, 2), np.float32)
    executor = executor_of(lambda x: mb.reshape(x=x, shape=[4]), x)
    result = _only(executor.run({"x0": x}))
    result += 1
    np.testing.assert_array_equal(x, 0)
    np.testing.assert_array_equal(_only(executor.run({"x0": x})), 0)


def test_unknown_kept_name(two_inputs: ReferenceExecutor) -> None:
    with pytest.raises(InferenceInputError, match="no value nonsense"):
        two_inputs.run(GOOD, keep=["nonsense"])


@pytest.mark.parametrize(
    "inputs",
    [{}, {"x0": GOOD["x0"]}, {**GOOD, "x2": GOOD["x0"]}, {"image": GOOD["x0"], "x1": GOOD["x1"]}],
    ids=["none", "missing", "extra", "renamed"],
)
def test_wrong_input_names(two_inputs: ReferenceExecutor, inputs: dict[str, np.ndarray]) -> None:
    with pytest.raises(InferenceInputError, match=r"takes x0: float32 \[2, 3\]; x1: int32 \[3\]"):
        two_inputs.run(inputs)


@pytest.mark.parametrize("shape", [(3, 2), (1, 2, 3), (6,)])
def test_wrong_input_shape(two_inputs: ReferenceExecutor, shape: tuple[int, ...]) -> None:
    with pytest.raises(InferenceInputError, match=r"'x0' is of shape .*takes x0: float32 \[2, 3\]"):
        two_inputs.run({**GOOD, "x0": np.ones(shape, np.float32)})


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32])
def test_wrong_input_dtype(two_inputs: ReferenceExecutor, dtype: Any) -> None:
    with pytest.raises(InferenceInputError, match=r"'x0' is of dtype .*takes x0: float32"):
        two_inputs.run({**GOOD, "x0": GOOD["x0"].astype(dtype)})


def test_index_out_of_range_names_the_op(executor_of: Callable[..., ReferenceExecutor]) -> None:
    table = np.zeros((4, 2), np.float32)
    executor = executor_of(lambda ids: mb.gather(x=table, indices=ids, axis=0, name="lookup"), np.int32([0]))
    with pytest.raises(ArtifactError, match="gather op 'lookup' cannot be computed"):
        executor.run({"x0": np.int32([9])})


def test_constant_parts_are_computed_once(executor_of: Callable[..., ReferenceExecutor]) -> None:
    x = np.zeros(3, np.float32)
    executor = executor_of(
        lambda x: mb.add(x=x, y=mb.square(x=mb.range_1d(start=0.0, end=3.0, step=1.0), name="squares")), x
    )
    results = executor.run({"x0": x}, keep=["squares"])
    np.testing.assert_array_equal(results["squares"], [0, 1, 4])
    assert [step.op_type for step in executor._binding.steps] == ["add"]


def test_values_are_freed_after_their_last_use(executor_of: Callable[..., ReferenceExecutor]) -> None:
    def build(x: Any) -> Any:
        first, _ = mb.split(x=mb.exp(x=x, name="grown"), num_splits=2, axis=0, name="half")
        return mb.add(x=mb.square(x=first, name="squared"), y=first, name="sum")

    executor = executor_of(build, np.float32([1, 2]))
    binding = executor._binding
    named = {slot: name for name, slot in binding.slots.items()}
    freed = {step.name: {named[slot] for slot in step.frees} for step in binding.steps}
    assert freed == {
        "grown": {"x0"},
        "half": {"grown", "half_1"},
        "squared": set(),
        "sum": {"squared", "half_0"},
    }


# Ops it does not know ------------------------------------------------------------------------------


def test_unknown_ops_are_all_named(executor_of: Callable[..., ReferenceExecutor]) -> None:
    x = np.float32([[[0.1, 0.2]]])
    with pytest.raises(UnsupportedOpError) as raised:
        executor_of(
            lambda x: mb.add(
                x=mb.acos(x=mb.atan(x=x, name="one"), name="two"),
                y=mb.real_div(x=mb.acos(x=x, name="three"), y=np.float32(2)),
            ),
            x,
        )
    message = str(raised.value)
    assert "unknown op acos, 2 of them: 'two', 'three'" in message
    assert "unknown op atan, 1 of them: 'one'" in message
    assert "real_div" not in message


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (
            lambda i: mb.real_div(x=i, y=np.int32(2), name="halved"),
            "real_div op 'halved': division of integers",
        ),
        (
            lambda i: mb.upsample_nearest_neighbor(
                x=mb.cast(x=i, dtype="fp32"), scale_factor_height=1.5, scale_factor_width=2.0, name="grown"
            ),
            r"upsample_nearest_neighbor op 'grown': fractional scale factors",
        ),
        (
            lambda i: mb.upsample_bilinear(
                x=mb.cast(x=i, dtype="fp32"),
                scale_factor_height=2,
                scale_factor_width=2,
                align_corners=False,
                half_pixel_centers=False,
                name="grown",
            ),
            "upsample_bilinear op 'grown': half_pixel_centers = align_corners = False",
        ),
        (
            lambda i: mb.resize_bilinear(
                x=mb.cast(x=i, dtype="fp32"), target_size_height=5, target_size_width=5, name="grown"
            ),
            "resize_bilinear op 'grown': sampling_mode DEFAULT",
        ),
    ],
    ids=["integer-division", "nearest-fraction", "bilinear-origin", "bilinear-default"],
)
def test_unsupported_forms_are_named(
    executor_of: Callable[..., ReferenceExecutor], build: Callable[..., Any], reason: str
) -> None:
    with pytest.raises(UnsupportedOpError, match=reason):
        executor_of(build, np.ones((1, 1, 4, 4), np.int32))


def test_control_flow_is_refused(executor_of: Callable[..., ReferenceExecutor]) -> None:
    with pytest.raises(UnsupportedOpError, match="unknown op cond"):
        executor_of(
            lambda x: mb.cond(
                pred=mb.greater(x=mb.reduce_sum(x=x), y=np.float32(0)),
                _true_fn=lambda: mb.exp(x=x),
                _false_fn=lambda: mb.sqrt(x=x),
            ),
            np.ones(2, np.float32),
        )


def test_state_is_refused(tmp_path: Path) -> None:
    @mb.program(
        input_specs=[mb.TensorSpec((2,)), mb.StateTensorSpec((2,), dtype=ct.converters.mil.mil.types.fp16)],
        opset_version=ct.target.iOS18,
    )
    def counting(x: Any, state: Any) -> Any:
        return mb.add(x=x, y=mb.cast(x=mb.read_state(input=state), dtype="fp32"))

    model = ct.convert(counting, minimum_deployment_target=ct.target.iOS18, skip_model_load=True)
    model.save(str(tmp_path / "state.mlpackage"))
    with pytest.raises(UnsupportedOpError, match="unknown op read_state"):
        ReferenceExecutor(load_program(tmp_path / "state.mlpackage"))
