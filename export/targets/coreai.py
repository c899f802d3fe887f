"""Core AI, Core ML's successor: an `.aimodel` converted by Apple's package and run by Apple's runtime."""

from __future__ import annotations

import contextlib
import copy
import io
import re
import warnings
from pathlib import Path

import torch
from torch import nn

from pocketclip.export import runtimes
from pocketclip.export.coreai.packages import import_converter
from pocketclip.export.coreai.process import CoreAIProcess
from pocketclip.export.precision import Precision
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.coreai_activations import round_inputs
from pocketclip.export.targets.coreai_range import check_half_range
from pocketclip.export.targets.coreai_weights import store_weights
from pocketclip.export.targets.in_half import InHalf

FILE_NAME = "model.aimodel"
_FILE = re.compile(r'File "([^"]+)"')


class CoreAITarget:
    """Writes `model.aimodel`, a folder with one function, `main`."""

    def lower(self, request: LoweringRequest, folder: Path) -> str:
        converter = import_converter()
        program = _captured(reduced(request), request)
        _name_files_only(program)
        converting = converter.TorchConverter(mode=converter.TorchConverter.Mode.DEBUG)
        # It reports its steps on stdout, where tables go.
        with contextlib.redirect_stdout(io.StringIO()):
            converted = converting.add_exported_program(
                program, input_names=[request.input_name], output_names=[request.output_name]
            ).to_coreai()
        converted.save_asset(folder / FILE_NAME)
        return FILE_NAME

    def open(self, model_path: Path, threads: int) -> runtimes.Session:
        return CoreAIProcess(model_path)

    def executed_by(self) -> str:
        return f"Core AI's runtime, {runtimes.runtime_version('coreai')}"


def reduced(request: LoweringRequest) -> nn.Module:
    """The tower at its precision, with the float interface that manifests promise.

    Raises:
        NonFiniteError: on real inputs, a value leaves the range of half floats.
    """
    if request.precision is Precision.FP32:
        return request.module
    check_half_range(_captured(request.module, request), [*request.samples, *request.calibration])
    tower = copy.deepcopy(request.module)
    if request.precision.quantized:
        store_weights(tower, request)
    if request.precision.needs_calibration:
        round_inputs(tower, request)
    return InHalf(tower).eval()


def _captured(module: nn.Module, request: LoweringRequest) -> torch.export.ExportedProgram:
    """The program that Apple's converter takes, op for op."""
    converter = import_converter()
    with warnings.catch_warnings():
        # PyTorch warns of its own use of what it will remove.
        warnings.simplefilter("ignore", FutureWarning)
        program = torch.export.export(module, (request.example,))
        return program.run_decompositions(converter.get_decomp_table())


def _name_files_only(program: torch.export.ExportedProgram) -> None:
    """Takes the folders of this computer out of the lines of code that a program's ops come from, in place.

    The lines go into the asset: Apple's debugger shows them, and without them the runtime shows few values inside.
    """
    for node in program.graph.nodes:
        trace = node.meta.get("stack_trace")
        if trace:
            # Apple's converter would put the current folder before a bare name.
            node.meta["stack_trace"] = _FILE.sub(lambda found: f'File "/source/{Path(found[1]).name}"', trace)
