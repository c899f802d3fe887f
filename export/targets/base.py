"""What every export target is: a module with a class that follows `Target`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pocketclip.export.precision import InstructionSet

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from pocketclip.export.artifact.precision_plan import PrecisionPlan
    from pocketclip.export.precision import Precision
    from pocketclip.export.runtimes import Session
    from pocketclip.export.targets.trained_quantization import TrainedRanges


def _untrained() -> TrainedRanges:
    # Imported here: it brings PyTorch, which what only runs models does without.
    from pocketclip.export.targets.trained_quantization import TrainedRanges

    return TrainedRanges()


@dataclass(frozen=True)
class LoweringRequest:
    """All that a converter is given.

    `module` is the tower to convert, `example` a valid input of its fixed shape; `calibration` holds inputs of
    the same shape for precisions that need observed ranges, and is empty otherwise. `ios` is the oldest iOS that a
    Core ML model shall run on; None takes the oldest that the precision allows. `isa` is what the devices have. `plan`
    names modules that keep more than the precision; None spares none. `ranges` are trained ones, which go before
    those of the calibration. `samples` are a few real inputs, for what a converter tries out. `socs` names the
    chips that graphs for NPUs are prepared for.
    """

    module: nn.Module
    example: Tensor
    input_name: str
    output_name: str
    precision: Precision
    calibration: Sequence[np.ndarray]
    ios: int | None = None
    isa: InstructionSet = InstructionSet.ARM64
    plan: PrecisionPlan | None = None
    ranges: TrainedRanges = field(default_factory=_untrained)
    samples: Sequence[np.ndarray] = ()
    socs: Sequence[str] = ()


@dataclass(frozen=True)
class Availability:
    """Whether a target can be used here; if not, why, and the command that adds what it lacks."""

    available: bool
    version: str | None = None
    reason: str | None = None
    install: str | None = None


class Runner(Protocol):
    """What runs converted models on this computer."""

    def open(self, model_path: Path, threads: int) -> Session:
        """Loads the converted model for execution on this computer."""
        ...

    def executed_by(self) -> str:
        """What `open` runs the model with, e.g. `onnxruntime 1.32.0`."""
        ...


class Target(Runner, Protocol):
    """A converter and the way to run what it wrote."""

    def lower(self, request: LoweringRequest, folder: Path) -> str:
        """Converts and writes into `folder`; returns the model's name there. Errors are the converter's own."""
        ...


@runtime_checkable
class NpuTarget(Target, Protocol):
    """A target that prepares a graph for each chip."""

    def open_prepared(self, path: Path, soc: str) -> Session:
        """Loads one chip's graph, which may lie anywhere, with the files beside it that it refers to."""
        ...
