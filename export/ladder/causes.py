"""What is ruled out before a place is blamed: the precision's own rounding, and the runtime's optimisations.

Two artefacts may be equally far from PyTorch for opposite reasons. Rounding is imitated in PyTorch (fake quantisation
of all units of the tower at once but those that a plan keeps, ranges as static quantisation takes them), so that
nobody's lowering is in it. The same file is run once more without graph optimisations or delegates, where its runtime
can do so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pocketclip.export.artifact.precision_plan import PrecisionPlan
from pocketclip.export.mixed.rounding import rounding_of
from pocketclip.export.mixed.sensitivity import embed_rounded
from pocketclip.export.parity.measures import Embeddings, snr_db
from pocketclip.export.precision import Precision, TargetName
from pocketclip.export.targets.converter_noise import held_stderr

# Errors within a factor of two in amplitude are of one size.
ALIKE_DB = 6.0
# Conversions of the same weights with the same calibration give the same file; a scale that is half of what it should
# be was seen to cost 0.6 and 1.2 dB.
SAME_DB = 0.25

Probes = Sequence[np.ndarray]


@dataclass(frozen=True)
class Levels:
    """How near to PyTorch each form of the probes' embeddings is, in decibels; None where there is no such form.

    `file`: as the file ran. `fresh`: a conversion that was just made. `plain`: the same file without optimisations.
    `rounded`: PyTorch with the precision's rounding. `calibrated_alike`: the fresh conversion had the file's
    calibration.
    """

    file: float
    fresh: float
    plain: float | None
    rounded: float | None
    calibrated_alike: bool

    @property
    def file_differs(self) -> bool:
        """Whether a conversion that should give the same file loses less."""
        return self.calibrated_alike and self.fresh > self.file + SAME_DB

    @property
    def optimised_away(self) -> bool:
        """Whether the same file agrees much better without the runtime's optimisations."""
        return self.plain is not None and self.plain > self.file + ALIKE_DB

    @property
    def is_rounding(self) -> bool:
        """Whether a fresh conversion loses as much as the file, and PyTorch with that rounding does too."""
        if self.rounded is None or self.fresh == float("-inf") or self.file_differs:
            return False
        return self.fresh <= self.file + ALIKE_DB and self.rounded <= self.file + ALIKE_DB

    def rounding_words(self, precision: Precision) -> str:
        assert self.rounded is not None
        return (
            f"rounding of {precision} (as fake-quantised PyTorch shows): the file is {self.file:.1f} dB from PyTorch, "
            f"PyTorch with the same rounding {self.rounded:.1f} dB, a fresh conversion {self.fresh:.1f} dB; keep the "
            "sensitive modules finer (--max-drop, --keep-float), or take a precision with more bits"
        )

    def optimisation_words(self) -> str:
        assert self.plain is not None
        return (
            f"the runtime's optimisations: the file is {self.file:.1f} dB from PyTorch, and {self.plain:.1f} dB when "
            "it runs without them"
        )


def level(expected: Embeddings, outputs: Embeddings) -> float:
    """`snr_db`, and -inf where a value is not finite."""
    return snr_db(expected, outputs) if np.isfinite(outputs).all() else float("-inf")


def rounded_level(
    tower: nn.Module,
    precision: Precision,
    calibration: Probes,
    probes: Probes,
    expected: Embeddings,
    plan: PrecisionPlan | None = None,
) -> float | None:
    """How near PyTorch with the precision's rounding is to PyTorch without; None for fp32, which rounds nothing.

    What the plan keeps finer is rounded less, or not at all.
    """
    if precision is Precision.FP32:
        return None
    if not precision.quantized:
        with _halved(tower), torch.inference_mode():
            outputs = np.concatenate([tower(torch.from_numpy(probe)).float().numpy() for probe in probes])
        return level(expected, outputs)
    # Ranges at run time are those of the inputs themselves.
    ranges = calibration if precision.needs_calibration else probes
    return level(expected, embed_rounded(tower, rounding_of(precision), ranges, probes, plan))


def plain_runner(target: TargetName) -> Callable[[Path, Probes], Embeddings] | None:
    """What runs a target's file without graph optimisations and delegates; None where its runtime has no such mode."""
    return {TargetName.ONNX: _plain_onnx, TargetName.TFLITE: _plain_tflite}.get(target)


def _plain_onnx(model_path: Path, inputs: Probes) -> Embeddings:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(model_path), options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0].name
    return np.concatenate([np.asarray(session.run(None, {given: array})[0], np.float32) for array in inputs])


def _plain_tflite(model_path: Path, inputs: Probes) -> Embeddings:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with held_stderr():
        interpreter = Interpreter(
            str(model_path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
        interpreter.allocate_tensors()
    given, made = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    rows: list[np.ndarray] = []
    for array in inputs:
        interpreter.set_tensor(given, array)
        interpreter.invoke()
        rows.append(np.asarray(interpreter.get_tensor(made), np.float32))
    return np.concatenate(rows)


@contextmanager
def _halved(tower: nn.Module) -> Iterator[None]:
    """Rounds all weights and all modules' outputs to 11 bits."""
    originals = {parameter: parameter.detach().clone() for parameter in tower.parameters()}

    def round_output(module: nn.Module, given: object, value: object) -> object:
        del module, given
        return value.half().to(value.dtype) if isinstance(value, Tensor) and value.is_floating_point() else value

    handles = [module.register_forward_hook(round_output) for module in tower.modules()]
    try:
        with torch.no_grad():
            for parameter, original in originals.items():
                if parameter.is_floating_point():
                    parameter.copy_(original.half().to(original.dtype))
        yield
    finally:
        for handle in handles:
            handle.remove()
        with torch.no_grad():
            for parameter, original in originals.items():
                parameter.copy_(original)
