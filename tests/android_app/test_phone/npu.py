"""Artefacts for NPUs that the test phone's stand-in can run: their prepared graphs are plain ONNX files."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pocketclip.export.artifact.manifest import MANIFEST_NAME, NPU_CONTEXTS, list_files
from pocketclip.export.artifact.reading import Artifact, load_artifact
from pocketclip.export.npu.npu_report import NpuContext, write_report
from pocketclip.export.precision import Precision, TargetName
from pocketclip.models import documents

SDK = "v2.49.40.260810104044"


def stand_in(artifact: Artifact, folder: Path, socs: Sequence[str] = ("SM8550", "SM8650")) -> Artifact:
    """An ONNX artefact as one for NPUs, in another folder: each chip's graph is the model itself."""
    shutil.copytree(artifact.folder, folder)
    (folder / NPU_CONTEXTS).mkdir()
    contexts: list[NpuContext] = []
    for soc in socs:
        file = f"{NPU_CONTEXTS}/{soc.lower()}.onnx"
        shutil.copyfile(artifact.model_path, folder / file)
        contexts.append(NpuContext(soc, file, (folder / file).stat().st_size, 1, 0, ops=4))
    write_report(contexts, folder, sdk=SDK, package="onnxruntime-qnn 2.5.0")
    manifest = replace(
        artifact.manifest, target=TargetName.ONNX_QNN, precision=Precision.FP16, files=list_files(folder)
    )
    documents.write(manifest, folder / MANIFEST_NAME)
    return load_artifact(folder)
