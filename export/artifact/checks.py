"""What the manifest of an artefact must say of itself and of its files, before anything in it is used."""

from __future__ import annotations

from pathlib import Path

from pocketclip.export.artifact.listed_files import check_files, check_model
from pocketclip.export.artifact.manifest import MANIFEST_NAME, GoldenTensor, Manifest
from pocketclip.export.artifact.stored_tensors import MOST_BYTES, size_fault
from pocketclip.export.errors import ArtifactCorruptError, ManifestError
from pocketclip.export.precision import Tower
from pocketclip.models.untrusted.printable import printable_path

# Above the largest CLIP in single precision.
MOST_ARTIFACT_BYTES = 32 << 30
_AGAIN = "export the artefact again"


def check_artifact(folder: Path, manifest: Manifest) -> None:
    """Compares a manifest with itself and with the folder.

    Raises:
        ManifestError: it names what it does not list, or its parts do not fit together.
        ArtifactCorruptError: a file is missing, altered, unlisted, or a link.
    """
    source = folder / MANIFEST_NAME
    check_model(manifest.entry_point, manifest.files, source, error=ManifestError)
    for fault in _faults(manifest):
        raise ManifestError(f"{printable_path(source)}: {fault}", fix=_AGAIN)
    check_files(
        folder, MANIFEST_NAME, manifest.files, most_bytes=MOST_ARTIFACT_BYTES, error=ArtifactCorruptError, fix=_AGAIN
    )


def _faults(manifest: Manifest) -> list[str]:
    golden, width = manifest.golden, manifest.model.embedding_dim
    samples = golden.inputs.shape[:1]
    faults: list[str] = []
    if manifest.inputs:
        wanted = (*samples, *manifest.inputs[0].shape[1:])
        faults += _tensor_faults(manifest, golden.inputs, "inputs", wanted, manifest.inputs[0].dtype)
    else:
        faults.append("the model has no input")
    for name, tensor in (("reference", golden.reference), ("outputs", golden.outputs)):
        faults += _tensor_faults(manifest, tensor, name, (*samples, width), "float32")
    batch = manifest.inputs[0].shape[:1] if manifest.inputs else ()
    if not any(spec.shape == (*batch, width) for spec in manifest.outputs[:1]):
        shapes = [list(spec.shape) for spec in manifest.outputs]
        faults.append(f"the model's output is not its embedding of {width} values (got {shapes})")
    vocabulary = None if manifest.tokenizer is None else manifest.tokenizer.vocabulary
    # A name without a suffix is a vocabulary that comes with this program.
    if vocabulary is not None and ("." in vocabulary or "/" in vocabulary) and not _lists(manifest, vocabulary):
        faults.append(f"the vocabulary {vocabulary!r} is not among the files it lists")
    if manifest.tower is Tower.TEXT and manifest.tokenizer is not None:
        length = manifest.tokenizer.context_length
        if manifest.inputs and manifest.inputs[0].shape != (1, length):
            faults.append(f"the text tower takes {list(manifest.inputs[0].shape)}, its tokenizer makes [1, {length}]")
    return faults


def _tensor_faults(
    manifest: Manifest, tensor: GoldenTensor, name: str, shape: tuple[int, ...], dtype: str
) -> list[str]:
    if (tensor.shape, tensor.dtype) != (shape, dtype):
        return [f"golden {name} are {tensor.dtype} {list(tensor.shape)} where {dtype} {list(shape)} belongs"]
    entry = next((each for each in manifest.files if each.path == tensor.file), None)
    if entry is None:
        return [f"golden {name} {tensor.file!r} are not among the files it lists"]
    fault = size_fault(tensor.shape, tensor.dtype, entry.size_bytes, most_bytes=MOST_BYTES)
    return [] if fault is None else [f"{tensor.file} {fault}"]


def _lists(manifest: Manifest, path: str) -> bool:
    return any(entry.path == path for entry in manifest.files)
