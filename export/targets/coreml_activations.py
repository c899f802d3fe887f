"""int8 activations for Core ML programs, with ranges that our own reference executor observes.

`coremltools.optimize.coreml.linear_quantize_activations` inserts the pairs of quantize and dequantize, but takes the
ranges from Core ML itself, which runs on macOS alone (and coremltools 9.0 keeps those of the last sample only: its
`_update_tensor_range` overwrites before it compares). Its graph passes are used here as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import coremltools
import numpy as np
from coremltools.converters.mil.mil.passes.graph_pass import PassOption
from coremltools.converters.mil.mil.passes.pass_registry import PASS_REGISTRY
from coremltools.models.model import MLModel
from coremltools.optimize.coreml import OpLinearQuantizerConfig, OptimizationConfig

from export.coreml_reference import Program, ReferenceExecutor, load_program
from export.coreml_reference.storage import storage_name

# On each side, of the samples: outliers beyond it saturate, and leave finer steps to all others.
OUTLIER_PERCENT = 2
# The op types that coremltools' passes put a pair of quantize and dequantize in front of.
QUANTIZED_OPS = ("conv", "avg_pool", "max_pool", "linear", "add")
# The matrix of zeros and ones by which the first end of text is found.
EXACT_CONSTANT = "earlier"
_FLOATS = ("fp16", "fp32")

Ranges = dict[str, dict[str, float]]


def quantize_activations(model: MLModel, package: Path, inputs: Sequence[dict[str, np.ndarray]]) -> MLModel:
    """The model with int8 activations around its convolutions, linear layers, pools and sums.

    Args:
        model: a float model for iOS 17 or later.
        package: where it is saved.
        inputs: calibration samples, by input name.
    """
    program = load_program(package)
    ranges = observe_ranges(program, _activations(program), inputs)
    scheme = OptimizationConfig(
        # With zero points: GELU gives nothing below -0.17, and ranges around zero would waste half their steps (on
        # nano's image tower a mean cosine of 0.9946 instead of 0.9982).
        global_config=OpLinearQuantizerConfig(mode="linear"),
        op_name_configs=dict.fromkeys(_left_in_float(program)),
    )
    passes = []
    for name in ("insert_prefix_quantize_dequantize_pair", "insert_suffix_quantize_dequantize_pair"):
        chosen = PASS_REGISTRY[f"compression::{name}"]
        chosen.set_options([PassOption("config", scheme)])
        chosen.set_options([PassOption("activation_stats", ranges)])
        passes.append(chosen)
    passes.append(PASS_REGISTRY["common::dequantize_quantize_pair_elimination"])
    quantized = coremltools.models.utils._apply_graph_pass(
        model, passes, spec_version=coremltools.target.iOS17, skip_model_load=True
    )
    assert isinstance(quantized, MLModel)
    return quantized


def observe_ranges(program: Program, names: Collection[str], inputs: Sequence[dict[str, np.ndarray]]) -> Ranges:
    """The range of each named value that all but the most extreme samples stay within."""
    executor = ReferenceExecutor(program)
    lows: dict[str, list[float]] = {name: [] for name in names}
    highs: dict[str, list[float]] = {name: [] for name in names}
    for sample in inputs:
        kept = executor.run(sample, keep=names)
        for name in names:
            lows[name].append(float(kept[name].min()))
            highs[name].append(float(kept[name].max()))
    return {
        name: {
            "rmin": float(np.percentile(lows[name], OUTLIER_PERCENT)),
            "rmax": float(np.percentile(highs[name], 100 - OUTLIER_PERCENT)),
        }
        for name in names
    }


def _activations(program: Program) -> list[str]:
    """Every floating value that depends on the input."""
    variables = [*program.function.inputs.values()]
    variables += [variable for op in program.function.operations for variable in op.outputs]
    return [variable.name for variable in variables if variable.val is None and storage_name(variable) in _FLOATS]


def _left_in_float(program: Program) -> list[str]:
    """Ops on whole numbers (token ids), and the product with zeros and ones that finds the end of text."""
    return [
        op.name
        for op in program.function.operations
        if op.op_type in QUANTIZED_OPS and (storage_name(op.inputs["x"]) not in _FLOATS or reads_exact_constant(op))
    ]


def reads_exact_constant(op: Any) -> bool:
    """Whether an op reads the tower's matrix of zeros and ones, which must stay exact."""
    given = [variable for name in ("weight", "y") if (variable := op.inputs.get(name)) is not None]
    return any(variable.name.startswith(EXACT_CONSTANT) for variable in given)
