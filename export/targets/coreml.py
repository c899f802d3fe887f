"""Core ML: an ML program converted by coremltools; on Linux it runs in our reference executor."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import coremltools
import numpy as np
import torch
from coremltools.converters.mil.mil import Var
from coremltools.models.model import MLModel
from coremltools.optimize._utils import select_input_output_channel_axis
from coremltools.optimize.coreml import (
    OpLinearQuantizerConfig,
    OpMagnitudePrunerConfig,
    OpPalettizerConfig,
    OptimizationConfig,
    linear_quantize_weights,
    palettize_weights,
    prune_weights,
)

from pocketclip.export import runtimes
from pocketclip.export.artifact.precision_plan import KeptPrecision, kept_modules
from pocketclip.export.coreml_reference import Program, ReferenceExecutor, load_program
from pocketclip.export.coreml_reference.package import private_copy
from pocketclip.export.precision import Precision
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.coreml_activations import quantize_activations, reads_exact_constant
from pocketclip.export.targets.coreml_scopes import names_within
from pocketclip.export.targets.coreml_weights import quantize_with_fitted_scales
from pocketclip.export.targets.schemes import COREML_SCHEMES
from pocketclip.export.targets.trained_quantization import Limits
from pocketclip.models.quantization.eight_bit_modules import eight_bit_modules
from pocketclip.models.quantization.schemes import BLOCK
from pocketclip.models.quantization.trained import Side

PACKAGE_NAME = "model.mlpackage"
# Of channels that share a table of values. Fewer bits need narrower groups; so do channels that are no multiple of it.
GROUP = 16
SMALLEST_GROUP = 8
BYTES_PER_CHANNEL = OpLinearQuantizerConfig(mode="linear_symmetric", dtype="int8", granularity="per_channel")
# Zeros beyond an eighth pay for the mask that tells them apart; without training again, more of them cost accuracy.
SPARSITY = 0.3
# What coremltools adds to the name of a weight that it pruned, for what is left of it.
PRUNED = "_sparsified_nonzero_data_0"


class CoreMLTarget:
    """Writes `model.mlpackage`, for iOS 16 and later or what its precision needs."""

    def lower(self, request: LoweringRequest, folder: Path) -> str:
        deployment = deployment_target(request)
        model = convert(request, deployment)
        package = folder / PACKAGE_NAME
        model.save(str(package))
        compress = _COMPRESSIONS.get(request.precision)
        if compress is not None:
            model = compress(model, package, request)
            shutil.rmtree(package)
            model.save(str(package))
        return PACKAGE_NAME

    def open(self, model_path: Path, threads: int) -> runtimes.Session:
        if sys.platform == "darwin":
            return _PrivateSession(model_path, threads)
        return ReferenceSession(model_path)

    def executed_by(self) -> str:
        version = metadata.version("coremltools")
        return f"coremltools {version}" if sys.platform == "darwin" else f"reference executor, coremltools {version}"


class _PrivateSession:
    """Core ML itself on a copy of the package, because it writes into what it opens."""

    def __init__(self, model_path: Path, threads: int) -> None:
        self._folder = TemporaryDirectory(prefix="pocketclip-coreml-")
        copied = private_copy(model_path, Path(self._folder.name))
        self._session = runtimes.open_session("coreml", str(copied), threads)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return self._session.run(inputs)

    def close(self) -> None:
        self._session.close()
        self._folder.cleanup()


class ReferenceSession:
    """Our reference executor behind the session interface: right values, no meaningful time."""

    def __init__(self, model_path: Path) -> None:
        self._program = load_program(model_path)
        self._executor = ReferenceExecutor(self._program)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        named = {spec.name: array for spec, array in zip(self._program.inputs, inputs, strict=True)}
        outputs = self._executor.run(named)
        return [outputs[spec.name] for spec in self._program.outputs]

    def close(self) -> None:
        del self._executor


def deployment_target(request: LoweringRequest) -> coremltools.target:
    """The oldest iOS that reads the file: the one asked for, or the oldest that the precision allows."""
    scheme = COREML_SCHEMES[request.precision]
    return coremltools.target[f"iOS{request.ios or scheme.minimum_ios}"]


def convert(request: LoweringRequest, deployment: coremltools.target) -> MLModel:
    """The tower as an ML program in float."""
    program = captured(request)
    dtype = np.int32 if request.example.dtype == torch.int32 else np.float32
    precision = coremltools.precision
    model = coremltools.convert(
        program,
        convert_to="mlprogram",
        minimum_deployment_target=deployment,
        inputs=[coremltools.TensorType(request.input_name, shape=tuple(request.example.shape), dtype=dtype)],
        outputs=[coremltools.TensorType(request.output_name, dtype=np.float32)],
        compute_precision=precision.FLOAT32 if request.precision is Precision.FP32 else precision.FLOAT16,
        skip_model_load=True,
    )
    assert isinstance(model, MLModel)
    return model


def captured(request: LoweringRequest) -> torch.export.ExportedProgram:
    """The program that coremltools converts; it names ops after the nodes here."""
    return torch.export.export(request.module, (request.example,)).run_decompositions({})


def _quantize_weights(model: MLModel, package: Path, request: LoweringRequest) -> MLModel:
    return _bytes(model, package, request, joint=False)


def _quantize_static(model: MLModel, package: Path, request: LoweringRequest) -> MLModel:
    samples = [{request.input_name: array} for array in request.calibration]
    kept = kept_modules(request.plan, KeptPrecision.FLOAT)
    in_float = names_within(kept, captured(request), load_program(package)).ops if kept else ()
    quantized = quantize_activations(model, package, samples, in_float, lambda program: _trained(program, request))
    return _bytes(quantized, package, request, joint=False)


def _trained(program: Program, request: LoweringRequest) -> dict[str, Limits]:
    """By the names of values: what goes into and comes out of the modules that have trained ranges."""
    found: dict[str, Limits] = {}
    if not request.ranges:
        return found
    source = captured(request)
    for module in sorted(request.ranges.modules):
        names = names_within([module], source, program).ops
        products = [op for op in program.function.operations if op.name in names and op.op_type in ("conv", "linear")]
        for op in products[:1]:
            read = op.inputs["x"]
            if isinstance(read, Var) and (limits := request.ranges.of(module, Side.INPUT)):
                found[read.name] = limits
            if limits := request.ranges.of(module, Side.OUTPUT):
                found[op.outputs[0].name] = limits
    return found


def _quantize_to_int4(model: MLModel, package: Path, request: LoweringRequest) -> MLModel:
    wide = dict.fromkeys(_sensitive_weights(package, request), BYTES_PER_CHANNEL)
    scheme = OpLinearQuantizerConfig(mode="linear_symmetric", dtype="int4", granularity="per_block", block_size=BLOCK)
    wide.update(dict.fromkeys(_planned_weights(package, request, KeptPrecision.INT8), BYTES_PER_CHANNEL))
    config = _config(scheme, {**wide, **dict.fromkeys(_float_weights(package, request))})
    return quantize_with_fitted_scales(model, config)


def _palettize(model: MLModel, package: Path, request: LoweringRequest) -> MLModel:
    return _palettes(model, package, request, joint=False)


def _prune_and_quantize(model: MLModel, package: Path, request: LoweringRequest) -> MLModel:
    return _bytes(_prune(model, package, request), package, request, joint=True)


def _prune_and_palettize(model: MLModel, package: Path, request: LoweringRequest) -> MLModel:
    return _palettes(_prune(model, package, request), package, request, joint=True)


def _bytes(model: MLModel, package: Path, request: LoweringRequest, *, joint: bool) -> MLModel:
    config = _config(BYTES_PER_CHANNEL, dict.fromkeys(_float_weights(package, request)))
    quantized = linear_quantize_weights(model, config, joint_compression=joint)
    assert isinstance(quantized, MLModel)
    return quantized


def _palettes(model: MLModel, package: Path, request: LoweringRequest, *, joint: bool) -> MLModel:
    bits = request.precision.traits.weight_bits
    grouped = deployment_target(request) >= coremltools.target.iOS18
    tables = _tables(bits, GROUP if grouped else None)
    configs: dict[str, OpPalettizerConfig | None] = {}
    if grouped:
        # coremltools leaves a weight in half floats whose channels make no whole groups.
        channels = {op.name: _output_channels(op) for op, _ in _weights(package)}
        configs.update({name: _tables(bits, _group_of(count)) for name, count in channels.items() if count % GROUP})
    if bits == 4:
        wide = OpPalettizerConfig(mode="kmeans", nbits=8)
        configs.update(dict.fromkeys(_sensitive_weights(package, request), wide))
    in_bytes = _planned_weights(package, request, KeptPrecision.INT8)
    configs.update(dict.fromkeys([*_float_weights(package, request), *in_bytes]))
    if joint:
        configs.update({f"{name}{PRUNED}": each for name, each in configs.items()})
        in_bytes = [*in_bytes, *(f"{name}{PRUNED}" for name in in_bytes)]
    config = _config(tables, configs)
    palettized = palettize_weights(model, config, joint_compression=joint)
    assert isinstance(palettized, MLModel)
    if in_bytes:
        linear = _config(None, dict.fromkeys(in_bytes, BYTES_PER_CHANNEL))
        palettized = linear_quantize_weights(palettized, linear, joint_compression=joint)
        assert isinstance(palettized, MLModel)
    return palettized


def _tables(bits: int, group: int | None) -> OpPalettizerConfig:
    """Tables of values, one for every `group` channels; None: one for the whole weight."""
    if group is None:
        return OpPalettizerConfig(mode="kmeans", nbits=bits)
    return OpPalettizerConfig(mode="kmeans", nbits=bits, granularity="per_grouped_channel", group_size=group)


def _output_channels(op: Any) -> int:
    _, axis = select_input_output_channel_axis(op)
    shape = op.outputs[0].shape
    return shape[axis or 0] if shape else 1


def _group_of(channels: int) -> int | None:
    """The largest group that divides some channels; None where only small ones do, whose tables would cost more."""
    return next((size for size in range(GROUP, SMALLEST_GROUP - 1, -1) if channels % size == 0), None)


def _prune(model: MLModel, package: Path, request: LoweringRequest) -> MLModel:
    kept = [*_sensitive_weights(package, request), *_float_weights(package, request)]
    scheme = OpMagnitudePrunerConfig(target_sparsity=SPARSITY)
    pruned = prune_weights(model, _config(scheme, dict.fromkeys(kept)))
    assert isinstance(pruned, MLModel)
    return pruned


def _config(overall: Any, by_name: Mapping[str, Any]) -> OptimizationConfig:
    """One scheme for all weights but those named; None leaves a weight as it is."""
    # The mapping is annotated as one of its values in coremltools.
    return OptimizationConfig(global_config=overall, op_name_configs=cast(Any, by_name))


def _sensitive_weights(package: Path, request: LoweringRequest) -> list[str]:
    """Names of the constants that few bits would hurt most.

    Those of the sensitive modules; spatial kernels, which have few weights to share; what is added, as positions are,
    of which a block would be a whole table.
    """
    sensitive = _weights_of(package, request, eight_bit_modules(request.module))
    others = [op.name for op, reader in _weights(package) if _is_spatial(reader) or reader.op_type == "add"]
    return list(dict.fromkeys([*sensitive, *others]))


def _float_weights(package: Path, request: LoweringRequest) -> list[str]:
    """Names of the constants that stay as they are: zeros and ones, and those that the plan keeps in half precision."""
    exact = [op.name for op, reader in _weights(package) if reads_exact_constant(reader)]
    return [*exact, *_planned_weights(package, request, KeptPrecision.FLOAT)]


def _planned_weights(package: Path, request: LoweringRequest, precision: KeptPrecision) -> list[str]:
    return _weights_of(package, request, kept_modules(request.plan, precision))


def _weights_of(package: Path, request: LoweringRequest, modules: Sequence[str]) -> list[str]:
    """Names of the constants that the ops of some modules read as weights."""
    if not modules:
        return []
    within = names_within(modules, captured(request), load_program(package))
    return [op.name for op, reader in _weights(package) if op.name in within.constants or reader.name in within.ops]


def _weights(package: Path) -> Iterator[tuple[Any, Any]]:
    """Constants of a float program that ops read as their weights, each with a reader."""
    for reader in load_program(package).function.operations:
        for name in ("weight", "y", "x"):
            variable = reader.inputs.get(name)
            source = variable.op if isinstance(variable, Var) else None
            if source is not None and source.op_type == "const":
                yield source, reader


def _is_spatial(reader: Any) -> bool:
    return reader.op_type == "conv" and any(size > 1 for size in reader.inputs["weight"].shape[2:])


_COMPRESSIONS: dict[Precision, Callable[[MLModel, Path, LoweringRequest], MLModel]] = {
    Precision.INT8_WEIGHTS: _quantize_weights,
    Precision.INT8_STATIC: _quantize_static,
    Precision.INT4_WEIGHTS: _quantize_to_int4,
    Precision.PALETTE6: _palettize,
    Precision.PALETTE4: _palettize,
    Precision.SPARSE_INT8: _prune_and_quantize,
    Precision.SPARSE_PALETTE6: _prune_and_palettize,
}
