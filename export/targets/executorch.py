"""ExecuTorch: lowered to XNNPACK, quantised with PT2E."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pocketclip.export import runtimes
from pocketclip.export.artifact.precision_plan import KeptPrecision, covers, kept_modules
from pocketclip.export.passes.tower_module import NORM_SCOPE
from pocketclip.export.precision import Precision, TargetName
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.float_ops import OpKind, float_ops
from pocketclip.export.targets.in_half import InHalf
from pocketclip.export.targets.trained_quantization import Limits, TrainedRanges
from pocketclip.models.quantization.trained import Side

if TYPE_CHECKING:
    from executorch.exir.backend.partitioner import Partitioner

FILE_NAME = "model.pte"
# Weights that share a scale in 8da4w: XNNPACK takes multiples of 32.
GROUP = 32


class ExecuTorchTarget:
    """Writes `model.pte` whose heavy ops run in the XNNPACK delegate."""

    def lower(self, request: LoweringRequest, folder: Path) -> str:
        from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower

        module = _REDUCTIONS.get(request.precision, _unchanged)(request)
        program = torch.export.export(module, (request.example,))
        # Of two kernels that convert types, the one that knows no order of dimensions takes a third of the time.
        config = EdgeCompileConfig(_skip_dim_order=request.precision is Precision.FP16)
        partitioners = _partitioners(request.precision)
        lowered = to_edge_transform_and_lower(program, partitioner=partitioners, compile_config=config)
        (folder / FILE_NAME).write_bytes(lowered.to_executorch().buffer)
        return FILE_NAME

    def open(self, model_path: Path, threads: int) -> runtimes.Session:
        return runtimes.open_session("executorch", str(model_path), threads)

    def executed_by(self) -> str:
        return runtimes.runtime_version("executorch")


def _partitioners(precision: Precision) -> list[Partitioner]:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import (
        XnnpackDynamicallyQuantizedPartitioner,
        XnnpackPartitioner,
    )

    if precision.traits.activation_bits == 8 and not precision.needs_calibration:
        # The first takes linear layers with their ranges at run time, the second all that stays in float.
        return [XnnpackDynamicallyQuantizedPartitioner(), XnnpackPartitioner()]
    return [XnnpackPartitioner()]


def _unchanged(request: LoweringRequest) -> nn.Module:
    return request.module


def _to_half(request: LoweringRequest) -> nn.Module:
    return InHalf(request.module).eval()


class ByteEmbedding(nn.Module):
    """An embedding stored in int8, with a scale for each row: rows are converted after they are picked.

    XNNPACK has no embedding; ExecuTorch's portable op takes tables of any type. Shape: ids `(N, T)` to `(N, T, D)`.
    """

    table: Tensor
    scale: Tensor

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        weight = embedding.weight.detach()
        largest = weight.abs().amax(dim=1, keepdim=True)
        scale = torch.where(largest > 0, largest / 127, 1)
        self.register_buffer("table", (weight / scale).round().to(torch.int8))
        self.register_buffer("scale", scale)

    def forward(self, ids: Tensor) -> Tensor:
        rows = torch.nn.functional.embedding(ids, self.table)
        return rows.to(self.scale.dtype) * torch.nn.functional.embedding(ids, self.scale)


def _with_byte_embeddings(request: LoweringRequest) -> nn.Module:
    """A copy of the tower; embeddings that the plan keeps in floating point stay."""
    tower, kept = copy.deepcopy(request.module), kept_modules(request.plan, KeptPrecision.FLOAT)
    for path, module in list(tower.named_modules()):
        if isinstance(module, nn.Embedding) and not covers(kept, path):
            tower.set_submodule(path, ByteEmbedding(module))
    return tower


def _quantize_linear_to_int4(request: LoweringRequest) -> nn.Module:
    from torchao.quantization.granularity import PerAxis, PerGroup
    from torchao.quantization.quant_api import Int8DynamicActivationIntxWeightConfig, quantize_

    module = _with_byte_embeddings(request)
    in_bytes = kept_modules(request.plan, KeptPrecision.INT8)
    in_float = kept_modules(request.plan, KeptPrecision.FLOAT)
    nibbles = Int8DynamicActivationIntxWeightConfig(
        weight_dtype=torch.int4,  # pyright: ignore[reportAttributeAccessIssue]
        weight_granularity=PerGroup(GROUP),
    )
    quantize_(
        module, nibbles, filter_fn=lambda part, path: _fits_groups(part, path) and not covers(in_bytes + in_float, path)
    )
    bytes_ = Int8DynamicActivationIntxWeightConfig(weight_dtype=torch.int8, weight_granularity=PerAxis(0))
    quantize_(module, bytes_, filter_fn=lambda part, path: isinstance(part, nn.Linear) and covers(in_bytes, path))
    return module


def _fits_groups(module: nn.Module, path: str) -> bool:
    return isinstance(module, nn.Linear) and module.in_features % GROUP == 0


def _quantize_pt2e(request: LoweringRequest) -> nn.Module:
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    dynamic = not request.precision.needs_calibration
    captured = torch.export.export(_with_byte_embeddings(request), (request.example,)).module()
    scheme = get_symmetric_quantization_config(is_per_channel=True, is_dynamic=dynamic)
    quantizer = XNNPACKQuantizer().set_global(scheme)
    in_float = frozenset() if dynamic else float_ops(TargetName.EXECUTORCH, request.isa)
    kept = kept_modules(request.plan, KeptPrecision.FLOAT)
    quantizer.set_filter_function(lambda node: _may_be_int8(node, kept) and _kind(node) not in in_float)
    prepared = prepare_pt2e(captured, quantizer)
    with torch.inference_mode():
        for inputs in request.calibration or [request.example.numpy()]:
            prepared(torch.from_numpy(inputs))
    if request.ranges:
        _take_trained_ranges(prepared, request.ranges)
    return convert_pt2e(prepared)


def _take_trained_ranges(prepared: torch.fx.GraphModule, ranges: TrainedRanges) -> None:
    """Replaces the observers around the modules that have trained ranges, in place."""
    aten = torch.ops.aten
    for node in prepared.graph.nodes:
        stack = list(node.meta.get("nn_module_stack", {}).values())
        if node.target not in (aten.conv2d.default, aten.linear.default) or not stack:
            continue
        observers = {Side.INPUT: [node.args[0]], Side.OUTPUT: list(node.users)}
        for side, neighbours in observers.items():
            if limits := ranges.of(stack[-1][0], side):
                for each in neighbours:
                    if isinstance(each, torch.fx.Node) and each.op == "call_module" and not _is_pooled(each):
                        _set_range(prepared, str(each.target), limits)


def _is_pooled(observer: torch.fx.Node) -> bool:
    """Whether an observer sees an average: it serves the map before the average too, whose range is wider."""
    source = observer.args[0]
    return isinstance(source, torch.fx.Node) and source.target in (
        torch.ops.aten.mean.dim,
        torch.ops.aten.adaptive_avg_pool2d.default,
        torch.ops.aten.avg_pool2d.default,
    )


def _set_range(prepared: torch.fx.GraphModule, name: str, limits: Limits) -> None:
    from torchao.quantization.pt2e.observer import MinMaxObserver, UniformQuantizationObserverBase

    observer = prepared.get_submodule(name)
    if not isinstance(observer, UniformQuantizationObserverBase):
        return
    fixed = MinMaxObserver(
        dtype=observer.dtype,
        qscheme=observer.qscheme,
        quant_min=observer.quant_min,
        quant_max=observer.quant_max,
        eps=float(observer.eps),
    )
    fixed.min_val, fixed.max_val = torch.tensor(limits[0]), torch.tensor(limits[1])
    # Ops that only move values share one observer, which stands under several names.
    for each, module in list(prepared.named_modules(remove_duplicate=False)):
        if module is observer:
            prepared.set_submodule(each, fixed)


def _may_be_int8(node: torch.fx.Node, kept: Sequence[str]) -> bool:
    # The stack maps each enclosing module's path to its path again and its class, the innermost last.
    stack = list(node.meta.get("nn_module_stack", {}).values())
    if stack and covers(kept, stack[-1][0]):
        return False
    return all(NORM_SCOPE not in path and not str(kind).endswith(ByteEmbedding.__name__) for path, kind in stack)


def _kind(node: torch.fx.Node) -> OpKind | None:
    aten = torch.ops.aten
    if node.target is aten.conv2d.default:
        weight = node.args[1]
        shape = weight.meta["val"].shape if isinstance(weight, torch.fx.Node) else ()
        # One input channel for each filter.
        return OpKind.DEPTHWISE if len(shape) == 4 and shape[1] == 1 and shape[0] > 1 else None
    return OpKind.ADD if node.target in (aten.add.Tensor, aten.add_.Tensor) else None


_REDUCTIONS: dict[Precision, Callable[[LoweringRequest], nn.Module]] = {
    Precision.FP16: _to_half,
    Precision.INT8_DYNAMIC: _quantize_pt2e,
    Precision.INT8_STATIC: _quantize_pt2e,
    Precision.INT4_DYNAMIC: _quantize_linear_to_int4,
}
