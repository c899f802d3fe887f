"""How much each unit of a tower costs when it alone is quantised: measured once, in PyTorch, for all targets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pocketclip.export.artifact.precision_plan import OWN, KeptPrecision, PrecisionPlan, covers, kept_modules
from pocketclip.export.errors import PlanError
from pocketclip.export.mixed.rounding import Rounding, round_activation, round_weight, weights_of
from pocketclip.export.mixed.units import units
from pocketclip.export.parity.measures import cosines, require_finite
from pocketclip.export.passes.tower_module import NORM_SCOPE, TextTowerModule
from pocketclip.export.precision import Tower
from pocketclip.export.targets.observed_ranges import RangeObserver
from pocketclip.models import documents
from pocketclip.models.documents import document

# A change of how sensitivities are measured makes stored ones worthless.
METHOD = 1
# Of the calibration samples, evenly spaced: enough to rank by, as differences between units are tens to one.
SAMPLES = 32
FOLDER_NAME = "sensitivity"
_BATCH = 8

Embeddings = np.ndarray


@document
class UnitDrop:
    """A unit and `1 - mean cosine` of the tower's embedding when this unit alone is rounded."""

    path: str
    drop: float


@document
class Sensitivities:
    """What was measured so far; `key` is the hash over all that the figures depend on."""

    schema_version: int
    key: str
    model: str
    tower: Tower
    rounding: str
    samples: int
    units: tuple[UnitDrop, ...]

    def ranked(self) -> tuple[UnitDrop, ...]:
        """The units, the most sensitive first; those that nothing happens to are left out."""
        return tuple(sorted((unit for unit in self.units if unit.drop > 0), key=lambda unit: (-unit.drop, unit.path)))


@dataclass(frozen=True)
class Subject:
    """Whose sensitivities are wanted: a folded tower with what it is called and the hash of its weights."""

    model: str
    tower: Tower
    config_sha256: str
    weights_sha256: str
    module: nn.Module


def measure(
    subject: Subject,
    rounding: Rounding,
    inputs: Sequence[np.ndarray],
    folder: Path,
    *,
    advance: Callable[[int, int], object] = lambda done, total: None,
) -> Sensitivities:
    """Measures what is not in the folder yet, and keeps each unit's figure there as it comes.

    Args:
        subject: the tower.
        rounding: what is done to each unit.
        inputs: calibration samples of batch 1; `SAMPLES` of them are used.
        folder: where the figures are kept, in a file for each key.
        advance: called with how many units are done, and how many there are.

    Raises:
        PlanError: the file that keeps the figures is damaged.
        NonFiniteError: an embedding is NaN or infinite.
        StorageError: the folder cannot be written.
    """
    chosen = list(inputs[:: max(1, len(inputs) // SAMPLES)])[:SAMPLES]
    names = units(subject.module)
    key = _key(subject, rounding, chosen, names)
    path = folder / f"{subject.tower}-{rounding.name}-{key[:12]}.json"
    kept = _stored(path, key) or Sensitivities(
        1, key, subject.model, subject.tower, rounding.name, len(chosen), units=()
    )
    done = {unit.path for unit in kept.units}
    missing = [name for name in names if name not in done]
    advance(len(done), len(names))
    if not missing:
        return kept
    bench = _Bench(subject.module, rounding, chosen)
    for name in missing:
        kept = replace(kept, units=(*kept.units, UnitDrop(name, bench.drop(name))))
        documents.write(kept, path)
        advance(len(kept.units), len(names))
    return kept


def _key(subject: Subject, rounding: Rounding, inputs: Sequence[np.ndarray], names: Sequence[str]) -> str:
    samples = hashlib.sha256()
    for array in inputs:
        samples.update(array.tobytes())
    parts = [METHOD, subject.config_sha256, subject.weights_sha256, subject.tower, rounding.name, names]
    return hashlib.sha256(json.dumps([*parts, samples.hexdigest()]).encode()).hexdigest()


def _stored(path: Path, key: str) -> Sensitivities | None:
    if not path.is_file():
        return None
    try:
        found = documents.read(Sensitivities, path, error=PlanError)
    except PlanError as error:
        raise PlanError(f"{error}", fix="delete the file to measure the sensitivities again") from error
    if found.key != key:
        raise PlanError(f"{path} does not match its name", fix="delete the file to measure the sensitivities again")
    return found


def embed_rounded(
    tower: nn.Module,
    rounding: Rounding,
    calibration: Sequence[np.ndarray],
    inputs: Sequence[np.ndarray],
    plan: PrecisionPlan | None = None,
) -> Embeddings:
    """`(N, D)`: what the tower gives for inputs of batch 1 with all its units rounded at once.

    Args:
        tower: a folded tower.
        rounding: what is done to each unit.
        calibration: inputs of batch 1 that the ranges of activations are taken from.
        inputs: what is embedded.
        plan: modules that are rounded to 8 bits instead, or not at all.

    Raises:
        NonFiniteError: the tower without any rounding gives NaN or infinity.
    """
    bench = _Bench(tower, rounding, calibration, plan)
    with ExitStack() as rounded:
        for unit in units(tower):
            rounded.enter_context(bench.rounded(unit))
        with torch.inference_mode():
            return np.concatenate([tower(torch.from_numpy(array)).numpy() for array in inputs])


class _Bench:
    """A tower with the ranges of all its units' activations, ready to round one unit at a time."""

    def __init__(
        self,
        tower: nn.Module,
        rounding: Rounding,
        inputs: Sequence[np.ndarray],
        plan: PrecisionPlan | None = None,
    ) -> None:
        self._tower = tower
        self._rounding = rounding
        # Of 16-bit activations, the rounding is far below that of 8-bit weights beside them.
        self._in_float = (*kept_modules(plan, KeptPrecision.FLOAT), *kept_modules(plan, KeptPrecision.INT16))
        self._in_bytes = kept_modules(plan, KeptPrecision.INT8)
        self._batches = [
            torch.from_numpy(np.concatenate(list(inputs[start : start + _BATCH])))
            for start in range(0, len(inputs), _BATCH)
        ]
        self._ranges = _observe(tower, inputs) if rounding.activations else {}
        self._expected = self._embed()
        require_finite(self._expected, "PyTorch")

    def drop(self, unit: str) -> float:
        """`1 - mean cosine` with that unit rounded, never below 0."""
        if not self._rounding.activations and not _weights(self._tower, unit):
            return 0.0
        with self.rounded(unit):
            embeddings = self._embed()
        require_finite(embeddings, f"PyTorch with a quantised {unit}")
        return max(0.0, 1.0 - float(cosines(self._expected, embeddings).mean()))

    @contextmanager
    def rounded(self, unit: str) -> Iterator[None]:
        """That unit with its weights and activations rounded."""
        weights = [
            (parameter, axis, self._of(path))
            for path, parameter, axis in _weights(self._tower, unit)
            if not self._keeps(path)
        ]
        with _rounded_weights(weights), self._rounded_activations(unit):
            yield

    def _keeps(self, path: str) -> bool:
        """Whether the plan has a part of a unit in floating point."""
        return covers(self._in_float, path.removesuffix(OWN))

    def _of(self, path: str) -> Rounding:
        """What is done to the weights of a part."""
        eight_bits = covers(self._in_bytes, path.removesuffix(OWN))
        return replace(self._rounding, weight_bits=8) if eight_bits else self._rounding

    def _embed(self) -> Embeddings:
        with torch.inference_mode():
            return np.concatenate([self._tower(batch).numpy() for batch in self._batches])

    @contextmanager
    def _rounded_activations(self, unit: str) -> Iterator[None]:
        handles = []
        for name, module in _parts(self._tower, unit) if self._rounding.activations else ():
            if self._keeps(name):
                continue
            handles.append(module.register_forward_pre_hook(self._round_inputs(name)))
            handles.append(module.register_forward_hook(self._round_output(name)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _round_inputs(self, name: str) -> Callable[[nn.Module, tuple[object, ...]], tuple[object, ...]]:
        def hook(module: nn.Module, given: tuple[object, ...]) -> tuple[object, ...]:
            return tuple(self._rounded(f"{name}<{place}", value) for place, value in enumerate(given))

        return hook

    def _round_output(self, name: str) -> Callable[[nn.Module, tuple[object, ...], object], object]:
        def hook(module: nn.Module, given: tuple[object, ...], value: object) -> object:
            return self._rounded(f"{name}>", value)

        return hook

    def _rounded(self, name: str, value: object) -> object:
        if not isinstance(value, Tensor) or name not in self._ranges:
            return value
        return round_activation(value, *self._ranges[name])


@contextmanager
def _rounded_weights(weights: Sequence[tuple[nn.Parameter, int, Rounding]]) -> Iterator[None]:
    originals = [parameter.detach().clone() for parameter, *_ in weights]
    try:
        with torch.no_grad():
            for (parameter, axis, rounding), original in zip(weights, originals, strict=True):
                parameter.copy_(round_weight(original, axis, rounding))
        yield
    finally:
        with torch.no_grad():
            for (parameter, *_), original in zip(weights, originals, strict=True):
                parameter.copy_(original)


def _weights(tower: nn.Module, unit: str) -> list[tuple[str, nn.Parameter, int]]:
    """The unit's weights, each with the path of the module that has it and the axis of its output channels."""
    if unit == OWN and isinstance(tower, TextTowerModule):
        projection = tower.encoder.projection_layer
        return [(OWN, projection, 1)] if isinstance(projection, nn.Parameter) else []
    if unit.endswith(OWN):
        return []
    return [(path, *found) for path, part in _parts(tower, unit) for found in weights_of(part)]


def _parts(tower: nn.Module, unit: str) -> Iterator[tuple[str, nn.Module]]:
    """The unit and the modules in it, by their paths in the tower.

    What a container computes itself shows where it leaves; of the whole tower, that is where the L2 norm takes it.
    """
    if unit.endswith(OWN):
        yield unit, tower.get_submodule(NORM_SCOPE if unit == OWN else unit.removesuffix(OWN))
        return
    for name, module in tower.get_submodule(unit).named_modules():
        yield (f"{unit}.{name}" if name else unit), module


def _observe(tower: nn.Module, inputs: Sequence[np.ndarray]) -> dict[str, tuple[float, float]]:
    """Ranges of what goes into and comes out of all units and their parts, as static quantisation takes them."""
    extremes: dict[str, list[np.ndarray]] = {}

    def keep(name: str, value: object) -> None:
        if isinstance(value, Tensor) and value.is_floating_point():
            extremes.setdefault(name, []).append(torch.stack(value.aminmax()).numpy())

    def observing(name: str) -> Callable[[nn.Module, tuple[object, ...], object], None]:
        def hook(module: nn.Module, given: tuple[object, ...], value: object) -> None:
            for place, each in enumerate(given):
                keep(f"{name}<{place}", each)
            keep(f"{name}>", value)

        return hook

    handles = [
        module.register_forward_hook(observing(name)) for unit in units(tower) for name, module in _parts(tower, unit)
    ]
    try:
        with torch.inference_mode():
            for array in inputs:
                tower(torch.from_numpy(array))
    finally:
        for handle in handles:
            handle.remove()
    # The normalised embedding itself is in floating point.
    extremes.pop(f"{OWN}>", None)
    observer = RangeObserver(extremes)
    for name, pairs in extremes.items():
        for pair in pairs:
            observer.observe(name, pair)
    return observer.ranges()
