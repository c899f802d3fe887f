"""What a test of one op consists of, and the way from a MIL builder call to a saved package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import Function, Program, types

IOS16, IOS17, IOS18 = ct.target.iOS16, ct.target.iOS17, ct.target.iOS18

_MIL_TYPES = {"float16": types.fp16, "float32": types.fp32, "int32": types.int32}


@dataclass(frozen=True)
class OpCase:
    """One op on given inputs, and what it must give by a computation that has nothing to do with PyTorch.

    `build` gets the float type of the run (np.float16 or np.float32, to write constants in) and the
    inputs as MIL variables; `expected` gets the inputs, floats as float64. All floats of a case must be
    representable in fp16, so that one expectation serves both precisions.
    """

    op_type: str
    build: Callable[..., Any]
    inputs: Sequence[Any]
    expected: Callable[..., Any]
    note: str = ""
    target: Any = IOS16
    exact: bool = False
    """The op copies or selects: its results must agree to the last bit."""
    only_fp32: bool = False
    relative: float = 2e-6
    """Tolerance of the float32 run."""

    def __str__(self) -> str:
        return f"{self.op_type}-{self.note}" if self.note else self.op_type


def randoms(*shape: int, seed: int = 0, scale: float = 1.0, low: float | None = None) -> np.ndarray:
    """Normal values, or values in [low, low + scale), all representable in fp16."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=shape) * scale if low is None else low + scale * generator.random(shape)
    return values.astype(np.float16).astype(np.float32)


def save_program(
    package: Path, build: Callable[..., Any], inputs: Sequence[np.ndarray], *, target: Any = IOS16
) -> Path:
    """Saves `build(*variables)` as an mlpackage, with no pass that could fold or fuse its ops.

    Inputs are named x0, x1, ...; bool inputs and outputs, and outputs of narrow integers, which a model
    cannot have, are given as int32 and cast.
    """
    placeholders = {
        f"x{i}": mb.placeholder(shape=array.shape, dtype=_MIL_TYPES.get(array.dtype.name, types.int32))
        for i, array in enumerate(inputs)
    }
    with Function(placeholders, target) as function:
        variables = [
            mb.cast(x=variable, dtype="bool") if array.dtype == np.bool_ else variable
            for variable, array in zip(function.inputs.values(), inputs, strict=True)
        ]
        built = build(*variables)
        outputs = list(built) if isinstance(built, (tuple, list)) else [built]
        function.set_outputs([_readable(output) for output in outputs])
    program = Program()
    program.add_function("main", function)
    model = ct.convert(
        program,
        minimum_deployment_target=target,
        pass_pipeline=ct.PassPipeline.EMPTY,
        skip_model_load=True,
    )
    assert isinstance(model, ct.models.MLModel)
    model.save(str(package))
    return package


def _readable(output: Any) -> Any:
    if output.dtype in (types.fp32, types.int32):
        return output
    # Half precision is read as float32, so that a result which was not rounded would be seen.
    return mb.cast(x=output, dtype="fp32" if output.dtype is types.fp16 else "int32")


def given(inputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """The inputs as the saved program takes them."""
    return {f"x{i}": x.astype(np.int32) if x.dtype == np.bool_ else x for i, x in enumerate(inputs)}
