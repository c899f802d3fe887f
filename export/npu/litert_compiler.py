"""LiteRT's compiler for NPUs: from a `.tflite` to one whose whole graph is prepared for a chip."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pocketclip.export.artifact.manifest import NPU_CONTEXTS
from pocketclip.export.errors import ConversionError
from pocketclip.export.npu.npu_report import NpuContext
from pocketclip.export.npu.qualcomm import moved_bytes

# Below LiteRT's package.
PROGRAM = Path("tools", "apply_plugin_main")
_PARTITIONED = re.compile(
    rb"Partitioned subgraph<\d+>, selected (\d{1,9}) ops, from a total of (\d{1,9}) ops. "
    rb"resulted in (\d{1,9}) partitions"
)
_NAMED_AT_MOST = 5
_FAULT = re.compile(rb"^ERROR: (?:\[[^\]\n]{1,200}\] )?([ -~]{1,300})", re.MULTILINE)
_NOT_LOADED = re.compile(rb"Could not load shared library .{1,4000}\.so: ([ -~]{1,300}?)\.?$", re.MULTILINE)
_LOADED = b"Loaded 1 plugins"


@dataclass(frozen=True)
class Plugin:
    """What the compiler needs to know of a maker and a chip.

    Attributes:
        manufacturer: the maker, as the compiler spells it.
        folder: of the plug-in, below `vendors` in LiteRT's package.
        libraries: the folder of the maker's own.
        model: the chip, as the plug-in spells it.
        flags: further options.
        left_ops: kinds of op that may stay on the CPU.
        preload: a library that must be there before the plug-in.
    """

    manufacturer: str
    folder: str
    libraries: Path
    model: str
    flags: tuple[str, ...] = ()
    left_ops: frozenset[str] = frozenset()
    preload: str | None = None


class NamedChip(Protocol):
    """A chip, for messages and reports."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...


def compile_for(chips: Iterable[tuple[NamedChip, Plugin]], source: Path, folder: Path) -> list[NpuContext]:
    """Compiles a file for chips, each into `folder/contexts`.

    Args:
        chips: each with what compiles for it.
        source: what LiteRT runs on any processor.
        folder: the artefact's.

    Raises:
        ConversionError: the compiler fails, or does not take the whole graph as one; `left_ops` may be left out.
    """
    (folder / NPU_CONTEXTS).mkdir(exist_ok=True)
    return [_compile(source, plugin, chip, folder) for chip, plugin in chips]


def _compile(source: Path, plugin: Plugin, chip: NamedChip, folder: Path) -> NpuContext:
    path = folder / NPU_CONTEXTS / f"{chip.name.lower()}.tflite"
    done = _call(plugin, "apply", (f"--model={source.resolve()}", f"--o={path.resolve()}", *plugin.flags))
    found = _PARTITIONED.search(done.stdout)
    if done.returncode or found is None or not path.is_file():
        reason = _fault(done.stdout) or f"the compiler ended with code {done.returncode}"
        raise ConversionError(f"the NPU of {chip.name} ({chip.title}) does not take it: {reason}")
    taken, total, pieces = (int(number) for number in found.groups())
    left = [] if taken == total else _left_ops(path)
    whole = taken == total and pieces == 1
    if not whole and (not left or any(kind not in plugin.left_ops for kind, _ in left)):
        named = ", ".join(f"{kind} ({tensor})" for kind, tensor in left[:_NAMED_AT_MOST])
        raise ConversionError(
            f"the NPU of {chip.name} takes {pieces} pieces of it and leaves {total - taken} of {total} ops to the CPU: "
            f"{named or 'none'}",
            fix="export another precision, or change the modules that these ops come from",
        )
    spill_bytes, fill_bytes = moved_bytes(done.stdout)
    return NpuContext(
        soc=chip.name,
        file=path.relative_to(folder).as_posix(),
        size_bytes=path.stat().st_size,
        graphs=pieces,
        on_cpu=total - taken,
        spill_bytes=spill_bytes,
        fill_bytes=fill_bytes,
        ops=total,
    )


@functools.cache
def plugin_fault(plugin: Plugin) -> str | None:
    """Why the compiler cannot load a plug-in with the maker's libraries; None where it can."""
    done = _call(plugin, "info", ())
    fault = _fault(done.stdout)
    if fault is not None:
        return fault
    loaded = not done.returncode and _LOADED in done.stdout
    return None if loaded else f"the compiler ended with code {done.returncode}"


def _call(plugin: Plugin, command: str, options: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    import ai_edge_litert

    package = Path(str(ai_edge_litert.__file__)).parent
    # Its own library lies beside the plug-in, the maker's in the folder.
    environment = {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join((str(plugin.libraries), str(package)))}
    if plugin.preload is not None:
        environment["LD_PRELOAD"] = plugin.preload
    # Some plug-ins write beside the process or among temporary files, and leave what they wrote when they fail.
    with tempfile.TemporaryDirectory(prefix="pocketclip-litert-") as scratch:
        return subprocess.run(
            [
                str(package / PROGRAM),
                f"--cmd={command}",
                f"--soc_manufacturer={plugin.manufacturer}",
                f"--soc_model={plugin.model}",
                "--err=--",
                f"--libs={package / 'vendors' / plugin.folder / 'compiler'}",
                *options,
            ],
            cwd=scratch,
            env={**environment, "TMPDIR": scratch},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )


def _fault(said: bytes) -> str | None:
    fault = _NOT_LOADED.search(said) or _FAULT.search(said)
    return None if fault is None else fault[1].decode()


def _left_ops(path: Path) -> list[tuple[str, str]]:
    """The ops of a compiled file that stay outside the NPU: their kinds, and the tensors that they give."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model: Any = flatbuffer_utils.read_model(str(path))
    kinds = {number: name for name, number in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    left = []
    for graph in model.subgraphs:
        for op in graph.operators:
            kind = model.operatorCodes[op.opcodeIndex].builtinCode
            if kind != schema.BuiltinOperator.CUSTOM:
                left.append((kinds[kind], graph.tensors[op.outputs[0]].name.decode(errors="replace")))
    return left
