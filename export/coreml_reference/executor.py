"""Runs a Core ML program with PyTorch: fp16 storage where the program declares it, float32 arithmetic."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import torch

from pocketclip.export.coreml_reference.binding import Slots, bind
from pocketclip.export.coreml_reference.program import Program, ValueSpec
from pocketclip.export.errors import InferenceInputError


class ReferenceExecutor:
    """Evaluates a Core ML program on any machine.

    Every floating result is rounded to the type the program declares for it, fp16 or fp32; within an op,
    arithmetic and accumulation are float32. What overflows in fp16 becomes infinite and may turn into
    NaN, as it would on a device: nothing is clamped. An executor keeps no state between runs.
    """

    def __init__(self, program: Program) -> None:
        """Resolves every op and decompresses every constant once.

        Raises:
            UnsupportedOpError: the program uses ops, or forms of ops, that are not known; names them all.
            ArtifactError: the program's constants do not fit its ops.
        """
        self._inputs = {spec.name: spec for spec in program.inputs}
        self._outputs = tuple(spec.name for spec in program.outputs)
        with torch.inference_mode():
            self._binding = bind(program)

    @property
    def value_names(self) -> tuple[str, ...]:
        """The names that `keep` knows: inputs, constants and results, in the order of the program."""
        return tuple(self._binding.slots)

    def run(self, inputs: Mapping[str, np.ndarray], *, keep: Collection[str] = ()) -> dict[str, np.ndarray]:
        """Evaluates the program once.

        Args:
            inputs: an array for each input of the program, of its exact dtype and shape.
            keep: MIL names of further values to return, to find where a model goes astray.

        Returns:
            The outputs and the kept values by name, each of the dtype the program declares.

        Raises:
            InferenceInputError: inputs missing, unknown, of another shape or dtype than declared; a
                name in `keep` that is no value.
            ArtifactError: an op cannot be computed on these inputs.
        """
        self._check_inputs(inputs)
        slots, storages = self._binding.slots, self._binding.storages
        if unknown := sorted(set(keep) - slots.keys()):
            raise InferenceInputError(
                f"The program has no value {', '.join(unknown)}; `value_names` lists those it has."
            )
        wanted = {slots[name] for name in keep}
        with torch.inference_mode():
            values: Slots = list(self._binding.constants)
            for name, array in inputs.items():
                values[slots[name]] = storages[slots[name]].hold(array)
            for step in self._binding.steps:
                step.run(values)
                for slot in step.frees:
                    if slot not in wanted:
                        values[slot] = None
            released = {}
            for name in (*self._outputs, *keep):
                value = values[slots[name]]
                assert value is not None, "outputs and kept values are never freed"
                released[name] = storages[slots[name]].release(value)
        return released

    def _check_inputs(self, inputs: Mapping[str, np.ndarray]) -> None:
        if inputs.keys() != self._inputs.keys():
            raise InferenceInputError(
                f"The inputs given are {_listed(inputs)}; the program takes {_listed(self._inputs.values())}."
            )
        for name, array in inputs.items():
            spec = self._inputs[name]
            if array.dtype != spec.dtype:
                raise InferenceInputError(f"Input '{name}' is of dtype {array.dtype}; the program takes {spec}.")
            if not _fits(array.shape, spec):
                raise InferenceInputError(f"Input '{name}' is of shape {list(array.shape)}; the program takes {spec}.")


def _fits(shape: tuple[int, ...], spec: ValueSpec) -> bool:
    return len(shape) == len(spec.shape) and all(
        allowed is None or size == allowed for size, allowed in zip(shape, spec.shape, strict=True)
    )


def _listed(names: Collection[object]) -> str:
    return "; ".join(str(name) for name in names) or "(none)"
