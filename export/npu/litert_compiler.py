"""LiteRT's compiler for Qualcomm's NPU: from a `.tflite` to one whose whole graph is prepared for a chip."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from pocketclip.export.errors import ConversionError
from pocketclip.export.npu.litert_libraries import library_folder
from pocketclip.export.npu.npu_report import NpuContext
from pocketclip.export.npu.qualcomm import moved_bytes
from pocketclip.export.npu.socs import Soc

_COMPILER = Path("tools", "apply_plugin_main")
_PLUGIN = Path("vendors", "qualcomm", "compiler", "libLiteRtCompilerPlugin_Qualcomm.so")
_PARTITIONED = re.compile(
    rb"Partitioned subgraph<\d+>, selected (\d{1,9}) ops, from a total of (\d{1,9}) ops. "
    rb"resulted in (\d{1,9}) partitions"
)
_NAMED_AT_MOST = 5
_FAULT = re.compile(rb"^ERROR: (?:\[[^\]\n]{1,200}\] )?([ -~]{1,300})", re.MULTILINE)


def compile_file(source: Path, soc: Soc, path: Path, folder: Path) -> NpuContext:
    """Compiles a file for a chip.

    Args:
        source: what LiteRT runs on any processor.
        soc: the chip.
        path: of the file to write, in `folder`.
        folder: the artefact's.

    Raises:
        ConversionError: the compiler fails, or does not take the whole graph as one.
    """
    import ai_edge_litert

    package = Path(str(ai_edge_litert.__file__)).parent
    with library_folder() as libraries:
        command = [
            str(package / _COMPILER),
            "--cmd=apply",
            f"--model={source}",
            f"--o={path}",
            "--soc_manufacturer=Qualcomm",
            f"--soc_model={soc.name}",
            "--err=--",
            f"--libs={(package / _PLUGIN).parent}",
        ]
        # Its own library lies beside the plug-in, Qualcomm's in the folder.
        places = os.pathsep.join((str(libraries), str(package)))
        done = subprocess.run(
            command,
            env={**os.environ, "LD_LIBRARY_PATH": places},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    found = _PARTITIONED.search(done.stdout)
    if done.returncode or found is None or not path.is_file():
        fault = _FAULT.search(done.stdout)
        reason = fault[1].decode() if fault else f"the compiler ended with code {done.returncode}"
        raise ConversionError(f"the NPU of {soc.name} ({soc.title}) does not take it: {reason}")
    taken, total, pieces = (int(number) for number in found.groups())
    if taken != total or pieces != 1:
        raise ConversionError(
            f"the NPU of {soc.name} takes {pieces} pieces of it and leaves {total - taken} of {total} ops to the CPU: "
            f"{', '.join(_left_ops(path)) or 'none'}",
            fix="export another precision, or change the modules that these ops come from",
        )
    spill_bytes, fill_bytes = moved_bytes(done.stdout)
    return NpuContext(
        soc=soc.name,
        file=path.relative_to(folder).as_posix(),
        size_bytes=path.stat().st_size,
        graphs=pieces,
        on_cpu=total - taken,
        spill_bytes=spill_bytes,
        fill_bytes=fill_bytes,
        ops=total,
    )


def _left_ops(path: Path) -> list[str]:
    """The kinds of op of a compiled file that stay outside the NPU, with the tensors that they give."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model: Any = flatbuffer_utils.read_model(str(path))
    kinds = {number: name for name, number in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    left = []
    for graph in model.subgraphs:
        for op in graph.operators:
            kind = model.operatorCodes[op.opcodeIndex].builtinCode
            if kind != schema.BuiltinOperator.CUSTOM:
                left.append(f"{kinds[kind]} ({graph.tensors[op.outputs[0]].name.decode(errors='replace')})")
    return left[:_NAMED_AT_MOST]
