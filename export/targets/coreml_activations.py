"""int8 activations for Core ML programs, with ranges that our own reference executor observes.

`coremltools.optimize.coreml.linear_quantize_activations` inserts the pairs of quantize and dequantize, but takes the
ranges from Core ML itself, which runs on macOS alone (and coremltools 9.0 keeps those of the last sample only: its
`_update_tensor_range` overwrites before it compares). Its graph passes are used here as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import coremltools
import numpy as np
from coremltools.converters.mil.mil.passes.graph_pass import PassOption
from coremltools.converters.mil.mil.passes.pass_registry import PASS_REGISTRY
from coremltools.models.model import MLModel
from coremltools.optimize.coreml import OpLinearQuantizerConfig, OptimizationConfig

from pocketclip.export.coreml_reference import Program, ReferenceExecutor, load_program
from pocketclip.export.coreml_reference.storage import storage_name
from pocketclip.export.targets.observed_ranges import RangeObserver

# The op types that coremltools' passes put a pair of quantize and dequantize in front of.
QUANTIZED_OPS = ("conv", "avg_pool", "max_pool", "linear", "add")
# The matrix of zeros and ones by which the first end of text is found.
EXACT_CONSTANT = "earlier"
SMALLEST_STEP = 2**-14
_FLOATS = ("fp16", "fp32")

Ranges = dict[str, dict[str, float]]


def quantize_activations(
    model: MLModel,
    package: Path,
    inputs: Sequence[dict[str, np.ndarray]],
    kept_in_float: Collection[str] = (),
    trained: Callable[[Program], Mapping[str, tuple[float, float]]] = lambda _: {},
) -> MLModel:
    """The model with int8 activations around its convolutions, linear layers, pools and sums.

    Args:
        model: a float model for iOS 17 or later.
        package: where it is saved.
        inputs: calibration samples, by input name.
        kept_in_float: names of ops to leave alone.
        trained: for the package's program, ranges by the names of values that go before the observed ones.
    """
    program = load_program(package)
    ranges = observe_ranges(program, _activations(program), inputs)
    ranges |= {name: {"rmin": low, "rmax": high} for name, (low, high) in trained(program).items()}
    scheme = OptimizationConfig(
        # With zero points: GELU gives nothing below -0.17, and ranges around zero would waste half their steps (on
        # nano's image tower a mean cosine of 0.9946 instead of 0.9982).
        global_config=OpLinearQuantizerConfig(mode="linear"),
        op_name_configs=cast(Any, dict.fromkeys([*_left_in_float(program, ranges), *kept_in_float])),
    )
    passes = []
    for name in ("insert_prefix_quantize_dequantize_pair", "insert_suffix_quantize_dequantize_pair"):
        chosen = PASS_REGISTRY[f"compression::{name}"]
        chosen.set_options([PassOption("config", cast(Any, scheme))])
        chosen.set_options([PassOption("activation_stats", cast(Any, ranges))])
        passes.append(chosen)
    passes.append(PASS_REGISTRY["common::dequantize_quantize_pair_elimination"])
    quantized = coremltools.models.utils._apply_graph_pass(
        model, passes, spec_version=coremltools.target.iOS17, skip_model_load=True
    )
    assert isinstance(quantized, MLModel)
    return quantized


def observe_ranges(program: Program, names: Collection[str], inputs: Sequence[dict[str, np.ndarray]]) -> Ranges:
    """The range of each named value that all but the most extreme samples stay within, as coremltools takes it."""
    executor, observer = ReferenceExecutor(program), RangeObserver(names)
    for sample in inputs:
        kept = executor.run(sample, keep=names)
        for name in names:
            observer.observe(name, kept[name])
    return {name: {"rmin": low, "rmax": high} for name, (low, high) in observer.ranges().items()}


def _activations(program: Program) -> list[str]:
    """Every floating value that depends on the input."""
    variables = [*program.function.inputs.values()]
    variables += [variable for op in program.function.operations for variable in op.outputs]
    return [variable.name for variable in variables if variable.val is None and storage_name(variable) in _FLOATS]


def _left_in_float(program: Program, ranges: Ranges) -> list[str]:
    """Names of ops that stay as they are.

    These work on whole numbers (token ids), find the end of text by zeros and ones, or see values so small that their
    step is no normal half float, as fresh layer scales make them.
    """
    narrow = {name for name, found in ranges.items() if (found["rmax"] - found["rmin"]) / 255 < SMALLEST_STEP}
    kept: list[str] = []
    for op in program.function.operations:
        if op.op_type in QUANTIZED_OPS:
            read = [variable for name in ("x", "y") if (variable := op.inputs.get(name)) is not None]
            names = {variable.name for variable in (*read, *op.outputs)}
            whole = any(storage_name(variable) not in _FLOATS for variable in read)
            if whole or names & narrow or reads_exact_constant(op):
                kept.append(op.name)
    return kept


def reads_exact_constant(op: Any) -> bool:
    """Whether an op reads the tower's matrix of zeros and ones, which must stay exact."""
    given = [variable for name in ("weight", "y") if (variable := op.inputs.get(name)) is not None]
    return any(variable.name.startswith(EXACT_CONSTANT) for variable in given)
