"""ONNX Runtime with Qualcomm's NPU provider on Linux: prepares graphs for chips, and emulates what they compute."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from pocketclip.export.artifact.manifest import NPU_CONTEXTS, NPU_REPORT_NAME
from pocketclip.export.captured_output import captured_output, read_captured
from pocketclip.export.errors import ArtifactCorruptError, ConversionError
from pocketclip.export.npu.npu_report import NpuContext, read_report
from pocketclip.export.npu.qualcomm import moved_bytes, package_version
from pocketclip.export.npu.socs import DEFAULT_SOCS, SOCS, Soc
from pocketclip.models.errors import first_line

if TYPE_CHECKING:
    import onnxruntime

_PROVIDER = "QNNExecutionProvider"
_PREPARED = "EPContext"
# The attribute of a prepared node that names its binary.
_BINARY = "ep_cache_context"
_NAMED_AT_MOST = 5
_MOST_PRINTED_BYTES = 16 << 20


def prepare(model: Path, soc: Soc, folder: Path) -> tuple[NpuContext, str]:
    """Prepares an ONNX file for a chip, into `folder/contexts`.

    Returns:
        What was written, its paths relative to `folder`, and the version of Qualcomm's libraries.

    Raises:
        ConversionError: the NPU does not take the whole graph as one; the message names what it leaves to the CPU.
    """
    import onnx

    path = folder / NPU_CONTEXTS / f"{soc.name.lower()}.onnx"
    path.parent.mkdir(exist_ok=True)
    # The library refuses to write over it.
    path.unlink(missing_ok=True)
    options = {
        "ep.context_enable": "1",
        "ep.context_embed_mode": "0",
        "ep.context_file_path": str(path),
    }
    with captured_output(1, 2) as held:
        try:
            _session(model, soc, options)
        except Exception as error:
            raise ConversionError(
                f"the NPU of {soc.name} ({soc.title}) does not take it: {first_line(error)}"
            ) from error
        said = read_captured(held, _MOST_PRINTED_BYTES)
    if not path.is_file():
        raise ConversionError(
            f"the NPU of {soc.name} takes nothing of it",
            fix="give every input a fixed size; `pocketclip lint --npu` names ops that the NPU refuses",
        )
    nodes = onnx.load(path).graph.node
    prepared = [node for node in nodes if node.op_type == _PREPARED]
    left = [f"{node.op_type} {node.name}".strip() for node in nodes if node.op_type != _PREPARED]
    if left or len(prepared) != 1:
        named = ", ".join(left[:_NAMED_AT_MOST]) + (
            f" and {len(left) - _NAMED_AT_MOST} more" if len(left) > _NAMED_AT_MOST else ""
        )
        raise ConversionError(
            f"the NPU of {soc.name} takes {len(prepared)} pieces of it and leaves to the CPU: {named or 'nothing'}",
            fix="export another precision, or change the modules that these nodes come from",
        )
    attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in prepared[0].attribute}
    binary = path.with_name(attributes[_BINARY].decode())
    spill_bytes, fill_bytes = moved_bytes(said)
    context = NpuContext(
        soc=soc.name,
        file=path.relative_to(folder).as_posix(),
        binary=binary.relative_to(folder).as_posix(),
        size_bytes=path.stat().st_size + binary.stat().st_size,
        graphs=len(prepared),
        on_cpu=len(left),
        spill_bytes=spill_bytes,
        fill_bytes=fill_bytes,
        ops=len(onnx.load(model, load_external_data=False).graph.node),
    )
    return context, attributes["ep_sdk_version"].decode()


class EmulatedContext:
    """A prepared graph, run by the emulator: the NPU's values, no meaningful time."""

    def __init__(self, path: Path, soc: str, prepared_by: str = "another version") -> None:
        """Opens an ONNX file that refers to a graph beside it; `prepared_by` is for messages.

        Raises:
            ArtifactCorruptError: it refers to a file that is not beside it, is for a chip that is not known, or the
                library cannot load it.
        """
        if soc not in SOCS:
            raise ArtifactCorruptError(f"{path} is for {soc}, which is not known here")
        if not (path.parent / binary_name(path)).is_file():
            raise ArtifactCorruptError(f"{path} reads {binary_name(path)}, which is not beside it")
        with captured_output(1, 2):
            try:
                self._session = open_prepared(path, SOCS[soc])
            except Exception as error:
                raise ArtifactCorruptError(
                    f"{path} cannot be loaded: {first_line(error)}; it was prepared by {prepared_by}, "
                    f"this is {package_version()}"
                ) from error
        self._names = [given.name for given in self._session.get_inputs()]

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        given = dict(zip(self._names, inputs, strict=True))
        return [np.asarray(output) for output in self._session.run(None, given)]

    def close(self) -> None:
        del self._session


class EmulatedSession(EmulatedContext):
    """The prepared graph of an artefact for one of its chips."""

    def __init__(self, folder: Path, soc: str | None = None) -> None:
        """Opens the graph for a chip of the artefact; None takes its first one.

        Raises:
            ManifestError: the artefact's report is missing or damaged.
            ArtifactCorruptError: it has no graph for the chip, or as `EmulatedContext`.
        """
        report = read_report(folder)
        context = next((each for each in report.contexts if soc in (None, each.soc)), None)
        if context is None or context.soc not in SOCS:
            known = ", ".join(each.soc for each in report.contexts)
            raise ArtifactCorruptError(f"{folder / NPU_REPORT_NAME} has no graph for {soc}; it has {known}")
        path = folder / context.file
        binary = None if context.binary is None else folder / context.binary
        if binary != path.parent / binary_name(path):
            raise ArtifactCorruptError(
                f"{path} does not read {context.binary or 'its binary'}, which {NPU_REPORT_NAME} names"
            )
        super().__init__(path, context.soc, f"{report.package} (QNN {report.sdk})")


def artifact_folder(model_path: Path) -> Path:
    """That of an artefact whose entry point may be a portable file, or a prepared graph in a folder of its own."""
    folder = model_path.parent
    return folder.parent if folder.name == NPU_CONTEXTS else folder


def binary_name(path: Path) -> str:
    """The name of the one file beside a prepared ONNX file that it refers to.

    Raises:
        ArtifactCorruptError: it is no such file, or refers to a file elsewhere: the library would follow any path.
    """
    import onnx

    try:
        nodes = onnx.load(path, load_external_data=False).graph.node
        read = [
            onnx.helper.get_attribute_value(entry)
            for node in nodes
            for entry in node.attribute
            if entry.name == _BINARY
        ]
    except Exception as error:
        raise ArtifactCorruptError(f"{path} is no ONNX file: {first_line(error)}") from error
    names = [value.decode(errors="replace") for value in read if isinstance(value, bytes)]
    if len(read) != 1 or len(names) != 1 or PurePath(names[0]).name != names[0]:
        raise ArtifactCorruptError(f"{path} does not read one file beside it, as a prepared graph must")
    return names[0]


def inner_values(
    model: Path, probes: Sequence[np.ndarray], soc: str | None = None
) -> tuple[list[str], list[list[np.ndarray]]]:
    """What the emulator computes on the way: the names of all floating values of a model, and their values by probe.

    Args:
        model: the portable ONNX file.
        probes: inputs with batch 1.
        soc: the chip; None takes the first default.

    Raises:
        ArtifactCorruptError: the library does not take the graph.
    """
    import onnx

    graph = onnx.load(model)
    public = {value.name for value in graph.graph.output}
    inner = [name for node in graph.graph.node for name in node.output if name and name not in public]
    graph.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in inner)
    with tempfile.TemporaryDirectory(prefix="pocketclip-npu-") as folder, captured_output(1, 2):
        opened = Path(folder, model.name)
        onnx.save(graph, opened)
        try:
            session = _session(opened, SOCS[soc or DEFAULT_SOCS[0]], {})
        except Exception as error:
            raise ArtifactCorruptError(f"{model} cannot be opened for the NPU: {first_line(error)}") from error
        names = [value.name for value in session.get_outputs() if value.type in ("tensor(float)", "tensor(float16)")]
        given = session.get_inputs()[0].name
        return names, [[np.asarray(each) for each in session.run(names, {given: probe})] for probe in probes]


def open_prepared(path: Path, soc: Soc) -> onnxruntime.InferenceSession:
    """A session for an ONNX file that refers to a prepared graph; nothing of it runs on the CPU. Errors are its own."""
    return _session(path, soc, {"session.disable_cpu_ep_fallback": "1"})


def _session(model: Path, soc: Soc, entries: dict[str, str]) -> onnxruntime.InferenceSession:
    import onnxruntime
    import onnxruntime_qnn

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    for key, value in entries.items():
        options.add_session_config_entry(key, value)
    options.add_provider_for_devices(
        _devices()[:1],
        {
            "backend_path": onnxruntime_qnn.get_qnn_htp_path(),
            # Without it, the library takes an old core and runs out of its memory.
            "soc_model": str(soc.soc_model),
            "enable_htp_fp16_precision": "1",
            # Inputs are quantised on the NPU, not before it.
            "offload_graph_io_quantization": "0",
        },
    )
    return onnxruntime.InferenceSession(str(model), options)


@functools.cache
def _devices() -> list[Any]:
    """What the provider offers, registered once for the process."""
    import onnxruntime
    import onnxruntime_qnn

    onnxruntime.register_execution_provider_library(_PROVIDER, onnxruntime_qnn.get_library_path())
    return [device for device in onnxruntime.get_ep_devices() if device.ep_name == _PROVIDER]
