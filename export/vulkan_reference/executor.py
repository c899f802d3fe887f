"""Runs a Vulkan graph with PyTorch: values rounded to what the graph declares, arithmetic in single precision."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pocketclip.export.errors import ArtifactError, InferenceInputError
from pocketclip.export.vulkan_reference.graph import Constant, TensorList, TensorValue, VulkanGraph
from pocketclip.export.vulkan_reference.ops import Function, functions_of
from pocketclip.models.errors import first_line


@dataclass(frozen=True)
class _Step:
    op: str
    function: Function
    arguments: tuple[int, ...]
    results: tuple[int, ...]
    frees: tuple[int, ...]


class VulkanExecutor:
    """Evaluates a graph on any machine, as the shaders do on textures.

    A shader reads half floats from a texture as single ones, computes in single precision and rounds what it writes.
    Values in buffers may be summed in half precision by a GPU: this is not shown here. What overflows becomes infinite.
    """

    def __init__(self, graph: VulkanGraph) -> None:
        """Resolves every op once.

        Raises:
            UnsupportedOpError: the graph uses ops that are not known; names them all.
        """
        functions = functions_of({call.op for call in graph.calls})
        self._graph = graph
        self._constants = {
            place: torch.from_numpy(value.data.copy())
            for place, value in enumerate(graph.values)
            if isinstance(value, TensorValue) and value.data is not None
        }
        last_use = {place: number for number, call in enumerate(graph.calls) for place in graph.tensors(call.arguments)}
        kept = {*graph.outputs, *self._constants}
        steps = []
        for number, call in enumerate(graph.calls):
            results = tuple(graph.tensors((call.result,)))
            used = {*graph.tensors(call.arguments), *results} - kept
            frees = tuple(place for place in used if last_use.get(place, number) == number)
            steps.append(_Step(call.op, functions[call.op], call.arguments, results, frees))
        self._steps = tuple(steps)

    @property
    def results(self) -> tuple[tuple[int, str], ...]:
        """The place of every value that an op gives, with the op's name, in the order in which they are computed."""
        return tuple((place, step.op) for step in self._steps for place in step.results)

    def run(self, inputs: Sequence[np.ndarray], *, keep: Collection[int] = ()) -> dict[int, np.ndarray]:
        """Evaluates the graph once.

        Args:
            inputs: an array for each input, of the shape and dtype that the host gives.
            keep: places of further values to return, to find where a model goes astray.

        Returns:
            The outputs, in the dtypes that the host takes, and the kept values, by their places.

        Raises:
            InferenceInputError: inputs of another number, shape or dtype.
            ArtifactError: an op cannot be computed on its arguments, or gives another shape than the graph declares.
        """
        graph = self._graph
        self._check(inputs)
        values: dict[int, Tensor] = dict(self._constants)
        kept: dict[int, np.ndarray] = {}
        with torch.inference_mode():
            for place, array in zip(graph.inputs, inputs, strict=True):
                values[place] = _rounded(torch.from_numpy(np.ascontiguousarray(array)), graph.tensor(place))
            for step in self._steps:
                self._run(step, values)
                kept |= {place: values[place].numpy().copy() for place in step.results if place in keep}
                for place in step.frees:
                    values.pop(place, None)
            for place in graph.outputs:
                kept[place] = values[place].numpy().astype(graph.tensor(place).staging)
        return kept

    def _run(self, step: _Step, values: dict[int, Tensor]) -> None:
        try:
            given = step.function(*(self._argument(place, values) for place in step.arguments))
        except (RuntimeError, TypeError, ValueError, IndexError, KeyError) as error:
            raise ArtifactError(f"the Vulkan delegate's {step.op!r} cannot be computed: {first_line(error)}") from error
        results = given if isinstance(given, tuple | list) else (given,)
        for place, result in zip(step.results, results, strict=False):
            declared = self._graph.tensor(place)
            if not isinstance(result, Tensor) or tuple(result.shape) != declared.shape:
                shape = list(result.shape) if isinstance(result, Tensor) else type(result).__name__
                raise ArtifactError(
                    f"the Vulkan delegate's {step.op!r} gives {shape}; the graph declares {list(declared.shape)}"
                )
            values[place] = _rounded(result, declared)

    def _argument(self, place: int, values: dict[int, Tensor]) -> object:
        value = self._graph.values[place]
        if isinstance(value, Constant):
            return list(value.value) if isinstance(value.value, tuple) else value.value
        if isinstance(value, TensorList):
            return [_widened(values[item]) for item in value.items]
        return _widened(values[place])

    def _check(self, inputs: Sequence[np.ndarray]) -> None:
        declared = [self._graph.tensor(place) for place in self._graph.inputs]
        given = [f"{array.dtype} {list(array.shape)}" for array in inputs]
        taken = [f"{value.staging} {list(value.shape)}" for value in declared]
        if given != taken:
            raise InferenceInputError(f"The inputs given are {given}; the program takes {taken}.")


def _widened(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def _rounded(tensor: Tensor, declared: TensorValue) -> Tensor:
    return tensor.to(torch.from_numpy(np.empty(0, declared.dtype)).dtype)
