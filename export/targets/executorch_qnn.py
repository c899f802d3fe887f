"""Snapdragon's NPU by ExecuTorch: a program for each chip, quantised with PT2E, run by the emulator.

Qualcomm's delegate knows no float ops between integers: all values are of one kind, integers or half floats.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import torch
from torch import nn

from pocketclip.export import runtimes
from pocketclip.export.artifact.manifest import NPU_CONTEXTS
from pocketclip.export.captured_output import captured_output, read_captured
from pocketclip.export.errors import ConversionError
from pocketclip.export.npu.executorch_program import EmulatedProgram
from pocketclip.export.npu.npu_report import NpuContext, write_report
from pocketclip.export.npu.qualcomm import moved_bytes, package_version, sdk_folder, sdk_version
from pocketclip.export.npu.socs import DEFAULT_SOCS, SOCS, Soc
from pocketclip.export.precision import Precision
from pocketclip.export.root_logger import quiet_root_logger
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.whole_delegate import delegate_calls, delegated_ops, outside_delegate
from pocketclip.models.errors import first_line

if TYPE_CHECKING:
    from executorch.exir import EdgeProgramManager

_MOST_PRINTED_BYTES = 16 << 20


class ExecuTorchQnnTarget:
    """Writes `contexts/NAME.pte` for each chip, whose whole graph is one call of Qualcomm's delegate."""

    def lower(self, request: LoweringRequest, folder: Path) -> str:
        socs = [SOCS[name] for name in request.socs or DEFAULT_SOCS]
        (folder / NPU_CONTEXTS).mkdir(exist_ok=True)
        with _qualcomms_package():
            module = _reduced(request, socs[0])
        contexts = [_prepare(module, request, soc, folder) for soc in socs]
        write_report(contexts, folder, sdk=sdk_version(), package=package_version())
        return contexts[0].file

    def open(self, model_path: Path, threads: int) -> runtimes.Session:
        return EmulatedProgram(model_path)

    def open_prepared(self, path: Path, soc: str) -> runtimes.Session:
        return EmulatedProgram(path)

    def executed_by(self) -> str:
        return f"emulated Hexagon NPU, {package_version()}, {runtimes.runtime_version('executorch')}"


def _reduced(request: LoweringRequest, soc: Soc) -> nn.Module:
    """The tower at its precision, the same for all chips."""
    if request.precision is Precision.FP16:
        return request.module
    from pocketclip.export.targets.qnn_quantizer import quantize

    return quantize(request, soc)


def _prepare(module: nn.Module, request: LoweringRequest, soc: Soc, folder: Path) -> NpuContext:
    with _qualcomms_package() as held:
        try:
            lowered = _lower(module, request, soc)
            program = lowered.exported_program()
            outside, calls, ops = outside_delegate(program), delegate_calls(program), delegated_ops(program)
            buffer = lowered.to_executorch().buffer
        except Exception as error:
            raise ConversionError(
                f"the NPU of {soc.name} ({soc.title}) does not take it: {first_line(error)}"
            ) from error
        said = read_captured(held, _MOST_PRINTED_BYTES)
    if outside or calls != 1:
        raise ConversionError(
            f"the NPU of {soc.name} takes {calls} pieces of it and leaves to the CPU: "
            f"{', '.join(outside) or 'nothing'}",
            fix="export another precision, or change the modules that these ops come from",
        )
    spill_bytes, fill_bytes = moved_bytes(said)
    path = folder / NPU_CONTEXTS / f"{soc.name.lower()}.pte"
    path.write_bytes(buffer)
    return NpuContext(
        soc=soc.name,
        file=path.relative_to(folder).as_posix(),
        size_bytes=len(buffer),
        graphs=calls,
        on_cpu=len(outside),
        spill_bytes=spill_bytes,
        fill_bytes=fill_bytes,
        ops=ops + len(outside),
    )


def _lower(module: nn.Module, request: LoweringRequest, soc: Soc) -> EdgeProgramManager:
    from executorch.backends.qualcomm.serialization.qc_schema import QcomChipset
    from executorch.backends.qualcomm.utils import utils as qualcomm

    options = qualcomm.generate_htp_compiler_spec(use_fp16=request.precision is Precision.FP16)
    specs = qualcomm.generate_qnn_executorch_compiler_spec(QcomChipset[soc.name], options)
    return qualcomm.to_edge_transform_and_lower_to_qnn(module, (request.example,), specs)


@contextmanager
def _qualcomms_package() -> Iterator[IO[bytes]]:
    """Meanwhile, Qualcomm's part of ExecuTorch may run; gives the file that takes what it prints.

    It turns off PyTorch's fast kernels on AMD's processors, for the whole process.
    """
    enabled = torch.backends.mkldnn.enabled
    try:
        with sdk_folder(), quiet_root_logger(), captured_output(1, 2) as held:
            yield held
    finally:
        torch.backends.mkldnn.enabled = enabled
