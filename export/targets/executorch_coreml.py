"""ExecuTorch's Core ML delegate: lowered on any machine, run on Apple's devices, proven by our reference executor."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

import coremltools
import numpy as np
import torch

from pocketclip.export import runtimes
from pocketclip.export.errors import ArtifactCorruptError, ConversionError
from pocketclip.export.precision import Precision
from pocketclip.export.targets import delegate_payload
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.coreml import ReferenceSession
from pocketclip.export.targets.schemes import EXECUTORCH_COREML_SCHEMES
from pocketclip.export.targets.whole_delegate import outside_delegate
from pocketclip.models.errors import first_line

FILE_NAME = "model.pte"
BACKEND = "CoreMLBackend"
BYTES_PER_CHANNEL = {"mode": "linear_symmetric", "dtype": "int8", "granularity": "per_channel"}


class ExecuTorchCoreMLTarget:
    """Writes `model.pte` whose whole graph is one call of the Core ML delegate."""

    def lower(self, request: LoweringRequest, folder: Path) -> str:
        from executorch.backends.apple.coreml.compiler import CoreMLBackend
        from executorch.backends.apple.coreml.partition import CoreMLPartitioner
        from executorch.exir import to_edge_transform_and_lower

        # It warns at every model that old systems cannot read it, which the matrix says.
        logging.getLogger("executorch.backends.apple.coreml").setLevel(logging.ERROR)
        precision = coremltools.precision
        ios = request.ios or EXECUTORCH_COREML_SCHEMES[request.precision].minimum_ios
        specs = CoreMLBackend.generate_compile_specs(
            compute_precision=precision.FLOAT32 if request.precision is Precision.FP32 else precision.FLOAT16,
            minimum_deployment_target=coremltools.target[f"iOS{ios}"],
            compute_unit=coremltools.ComputeUnit.ALL,
            op_linear_quantizer_config=BYTES_PER_CHANNEL if request.precision is Precision.INT8_WEIGHTS else None,
        )
        program = torch.export.export(request.module, (request.example,))
        lowered = to_edge_transform_and_lower(program, partitioner=[CoreMLPartitioner(compile_specs=specs)])
        outside = outside_delegate(lowered.exported_program())
        if outside:
            # Its reference would no longer be the delegate's program alone.
            raise ConversionError(f"the Core ML delegate does not take these ops: {', '.join(outside)}")
        (folder / FILE_NAME).write_bytes(lowered.to_executorch().buffer)
        return FILE_NAME

    def open(self, model_path: Path, threads: int) -> runtimes.Session:
        return DelegateSession(model_path)

    def executed_by(self) -> str:
        return (
            f"reference executor, coremltools {metadata.version('coremltools')}, on the delegate's program "
            f"(executorch {metadata.version('executorch')})"
        )


class DelegateSession:
    """The ML program inside a `.pte`, run by the reference executor: right values, no meaningful time."""

    def __init__(self, model_path: Path) -> None:
        with TemporaryDirectory() as scratch:
            package = unpack_delegate(model_path, Path(scratch))
            self._session = ReferenceSession(package)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return self._session.run(inputs)

    def close(self) -> None:
        self._session.close()


def unpack_delegate(model_path: Path, folder: Path) -> Path:
    """Writes the `.mlpackage` that a `.pte` carries for the Core ML delegate into `folder`, which is empty.

    Raises:
        ArtifactCorruptError: the file cannot be read, holds no program for that delegate, or one whose files have
            other names than plain ones.
    """
    from executorch.exir._serialize._program import _extract_delegate_payload

    try:
        payload = _extract_delegate_payload(model_path.read_bytes(), BACKEND)
    except Exception as error:
        # flatbuffers and struct raise whatever a damaged file leads them to.
        raise ArtifactCorruptError(f"{model_path} cannot be read: {first_line(error)}") from error
    if payload is None:
        raise ArtifactCorruptError(f"{model_path} holds no program for the Core ML delegate")
    return unpack_payload(payload, folder, model_path)


def unpack_payload(payload: bytes, folder: Path, model_path: Path) -> Path:
    """The same for a payload that was found in the file at `model_path`."""
    try:
        files = delegate_payload.files_of(payload)
    except delegate_payload.PayloadFault as fault:
        raise ArtifactCorruptError(f"{model_path}: the Core ML delegate's payload {fault}") from None
    packages = {path.parts[0] for path in files if path.parts[0].endswith(".mlpackage")}
    if len(packages) != 1:
        raise ArtifactCorruptError(
            f"{model_path} holds {len(packages) or 'no'} .mlpackage for the Core ML delegate; one is expected"
        )
    delegate_payload.write_files(files, folder)
    return folder / packages.pop()
