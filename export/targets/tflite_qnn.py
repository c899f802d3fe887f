"""Snapdragon's NPU by LiteRT: a portable file, and one compiled for each chip, run by the emulator."""

from __future__ import annotations

import re
from pathlib import Path

from pocketclip.export import runtimes
from pocketclip.export.npu import litert_libraries
from pocketclip.export.npu.compiled_file import EmulatedFile, read_graph
from pocketclip.export.npu.emulator import artifact_folder
from pocketclip.export.npu.litert_compiler import Plugin, compile_for
from pocketclip.export.npu.npu_report import read_report, write_report
from pocketclip.export.npu.socs import DEFAULT_SOCS, SOCS
from pocketclip.export.precision import TargetName
from pocketclip.export.targets import tflite
from pocketclip.export.targets.base import LoweringRequest

# In the prepared graph, which has no other place for it.
_SDK = re.compile(rb"v[0-9]{1,3}\.[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,20}")


class TfliteQnnTarget:
    """Writes `model.tflite`, which LiteRT can compile on a phone, and `contexts/NAME.tflite`, compiled for a chip."""

    def lower(self, request: LoweringRequest, folder: Path) -> str:
        portable = folder / tflite.FILE_NAME
        tflite.convert(request, portable, TargetName.TFLITE_QNN)
        socs = [SOCS[name] for name in request.socs or DEFAULT_SOCS]
        with litert_libraries.library_folder() as libraries:
            chips = ((soc, Plugin("Qualcomm", "qualcomm", libraries, soc.name)) for soc in socs)
            contexts = compile_for(chips, portable, folder)
        found = _SDK.search(read_graph(folder / contexts[0].file).content)
        sdk = found[0].decode() if found else litert_libraries.VERSION
        write_report(contexts, folder, sdk=sdk, package=litert_libraries.package_version())
        return tflite.FILE_NAME

    def open(self, model_path: Path, threads: int) -> runtimes.Session:
        folder = artifact_folder(model_path)
        first = read_report(folder).contexts[0]
        return EmulatedFile(folder / first.file, first.soc)

    def open_prepared(self, path: Path, soc: str) -> runtimes.Session:
        return EmulatedFile(path, soc)

    def executed_by(self) -> str:
        return (
            f"emulated Hexagon NPU, {litert_libraries.package_version()}, {runtimes.runtime_version('onnxruntime')}, "
            f"on what {runtimes.runtime_version('litert')} compiled"
        )
