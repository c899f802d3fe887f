"""Model files to compare: artefacts, and files that are none beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pocketclip.benchmark.errors import CountingError
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.errors import TargetUnavailableError
from pocketclip.export.parity.budgets import BUDGETS, Budget, budget_for
from pocketclip.export.precision import Precision, TargetName
from pocketclip.export.targets import TARGETS

PLAIN = "plain"
_ABSENT = {
    TargetName.COREML: "Core ML",
    TargetName.COREAI: "Core AI",
    TargetName.EXECUTORCH_COREML: "Core ML",
    TargetName.EXECUTORCH_VULKAN: "a GPU with Vulkan",
    TargetName.EXECUTORCH_QNN: "a Snapdragon NPU",
    TargetName.ONNX_QNN: "a Snapdragon NPU",
    TargetName.TFLITE_QNN: "a Snapdragon NPU",
    TargetName.TFLITE_MEDIATEK: "a MediaTek NPU",
    TargetName.TFLITE_GOOGLE: "a Google Tensor NPU",
    TargetName.TFLITE_SAMSUNG: "an Exynos NPU",
}


@dataclass(frozen=True)
class Candidate:
    """A model file to count.

    `subject` says whose file it is, e.g. `pocketclip_nano image`; of one subject and runtime, candidates are told
    apart by `label` and compared. `files` are pushed side by side, the model first. `inputs` and `reference` have
    samples first: `(samples, ...)` and `(samples, values)`, the reference being PyTorch's in fp32. The model takes
    `batch` samples at once.
    """

    subject: str
    runtime: str
    label: str
    files: tuple[Path, ...]
    inputs: npt.NDArray[np.generic]
    reference: npt.NDArray[np.generic]
    budget: Budget
    batch: int = 1

    @property
    def name(self) -> str:
        """For messages, e.g. `pocketclip_nano image, litert, int8-static`."""
        return f"{self.subject}, {self.runtime}, {self.label}"


def candidate_of(artifact: Artifact) -> Candidate:
    """The candidate that an artefact's folder holds; its label is its scheme without the target.

    Raises:
        TargetUnavailableError: the artefact's runtime does not run on Arm Linux.
    """
    manifest = artifact.manifest
    runtime = TARGETS[manifest.target].runtime
    if needed := _ABSENT.get(manifest.target):
        raise TargetUnavailableError(
            f"{artifact.label} needs {needed}, which emulated phones do not have",
            fix="give folders of onnx, executorch or tflite artefacts",
        )
    golden = {manifest.golden.inputs.file, manifest.golden.reference.file, manifest.golden.outputs.file}
    rest = (artifact.folder / entry.path for entry in manifest.files if entry.path not in golden)
    return Candidate(
        subject=f"{manifest.model.name} {manifest.tower}",
        runtime=runtime,
        label=manifest.scheme.removeprefix(f"{manifest.target}-"),
        files=(artifact.model_path, *(path for path in rest if path != artifact.model_path)),
        inputs=artifact.golden(manifest.golden.inputs),
        reference=artifact.golden(manifest.golden.reference),
        budget=budget_for(manifest.target, manifest.precision, manifest.used_passes),
        batch=manifest.batch,
    )


def plain_candidate(model_path: Path, like: Artifact, label: str = PLAIN) -> Candidate:
    """A model file that is no artefact, to be compared with one: of the same model, tower and runtime, in fp32.

    Inputs and reference are the artefact's, for both compute the same.

    Raises:
        TargetUnavailableError: as `candidate_of`.
        CountingError: there is no such file.
    """
    if not model_path.is_file():
        raise CountingError(f"there is no model file {model_path}", fix="give FILE=ARTEFACT with the path of one")
    known = candidate_of(like)
    budget = BUDGETS[like.manifest.target, Precision.FP32]
    return Candidate(known.subject, known.runtime, label, (model_path,), known.inputs, known.reference, budget)
