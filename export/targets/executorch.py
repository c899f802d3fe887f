"""ExecuTorch: lowered to XNNPACK, quantised with PT2E."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from export import runtimes
from export.precision import Precision
from export.targets.base import LoweringRequest
from export.tower_module import NORM_SCOPE

FILE_NAME = "model.pte"


class ExecuTorchTarget:
    """Writes `model.pte` whose heavy ops run in the XNNPACK delegate."""

    def lower(self, request: LoweringRequest, folder: Path) -> str:
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        module = request.module
        if request.precision is Precision.INT8_STATIC:
            module = _quantize_static(request)
        program = torch.export.export(module, (request.example,))
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        (folder / FILE_NAME).write_bytes(lowered.to_executorch().buffer)
        return FILE_NAME

    def open(self, model_path: Path, threads: int) -> runtimes.Session:
        return runtimes.open_session("executorch", str(model_path), threads)

    def executed_by(self) -> str:
        return runtimes.runtime_version("executorch")


def _quantize_static(request: LoweringRequest) -> nn.Module:
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    captured = torch.export.export(request.module, (request.example,)).module()
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    quantizer.set_filter_function(_may_be_int8)
    prepared = prepare_pt2e(captured, quantizer)
    with torch.inference_mode():
        for inputs in request.calibration:
            prepared(torch.from_numpy(inputs))
    return convert_pt2e(prepared)


def _may_be_int8(node: torch.fx.Node) -> bool:
    # The stack maps each enclosing module's path to its path again and its class.
    return all(NORM_SCOPE not in path for path, _ in node.meta.get("nn_module_stack", {}).values())
