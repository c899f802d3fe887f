"""The artefact's manifest: what was exported, how to feed it, and the proof that it is right.

An artefact is a folder: the model file(s), `manifest.json` and golden tensors for a self-test, stored as
raw little-endian bytes so that any phone app reads them without a library.

Schema history:
  1: first version.
  2: `calibration` (where ranges came from), `requires` (the oldest runtime or system that reads the file) and
     `inputs_sha256` (what the artefact was made from, by which an export knows that nothing has changed). A manifest
     of version 1 is read with none of them.
  3: `instruction_set` (the processors it is made for), `passes` (how the tower was rewritten, with the proofs), `lint`
     (what rules found) and `plan` (which modules keep more than the precision). An older manifest is read with none.
  4: `trained` (false: the weights are fresh random ones, good for latency alone; null, unknown, in an older manifest)
     and `cautions` (what the file of the weights did not say, and which choice was taken).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from export.errors import ArtifactCorruptError, ManifestError
from export.lint.finding import LintFinding
from export.mixed.plan import PLAN_NAME, PrecisionPlan
from export.parity_report import ParityReport
from export.passes.report import OPTIONS, PassName, PassReport
from export.precision import InstructionSet, Precision, TargetName, Tower, default_instruction_set
from models import documents
from models.documents import document
from models.preprocess import PreprocessSpec
from models.tokenizer import TokenizerSpec

SCHEMA_VERSION = 4
MANIFEST_NAME = "manifest.json"
# The model's whole configuration: with the weights, all that is needed to build it in PyTorch again.
CONFIG_NAME = "config.json"
VOCABULARY_NAME = "vocabulary.json"


@document
class TensorSpec:
    """An input or output of the model file: fixed shape, dtype, and the range values lie in."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    layout: str
    minimum: float
    maximum: float


@document
class FileEntry:
    """A file of the artefact: its path below the folder (POSIX), size and hash."""

    path: str
    size_bytes: int
    sha256: str


@document
class GoldenTensor:
    """A stored tensor: raw little-endian values in C order, `shape[0]` samples of the model's batch 1."""

    file: str
    shape: tuple[int, ...]
    dtype: str


@document
class Golden:
    """Self-test data: real inputs, PyTorch's fp32 outputs, and what this artefact gave for them when exported."""

    inputs: GoldenTensor
    reference: GoldenTensor
    outputs: GoldenTensor


@document
class ModelIdentity:
    """The trained model behind the artefact."""

    name: str
    config_sha256: str
    weights_sha256: str
    parameters: int
    embedding_dim: int
    logit_scale: float


@document
class CalibrationRecord:
    """The samples that activation ranges were observed on; the hash is over all of them, in their order."""

    source: str
    samples: int
    inputs_sha256: str


@document
class Manifest:
    """Everything an application or a harness must know about one artefact (schema 4)."""

    schema_version: int
    created_at: str
    model: ModelIdentity
    tower: Tower
    target: TargetName
    precision: Precision
    entry_point: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    normalized: bool
    preprocess: PreprocessSpec | None
    tokenizer: TokenizerSpec | None
    files: tuple[FileEntry, ...]
    versions: dict[str, str]
    golden: Golden
    parity: ParityReport | None
    calibration: CalibrationRecord | None = None
    requires: str | None = None
    inputs_sha256: str | None = None
    instruction_set: InstructionSet | None = None
    passes: tuple[PassReport, ...] = ()
    lint: tuple[LintFinding, ...] = ()
    plan: PrecisionPlan | None = None
    trained: bool | None = None
    cautions: tuple[str, ...] = ()

    @property
    def isa(self) -> InstructionSet:
        """The instruction set that it is made for."""
        return self.instruction_set or default_instruction_set(self.target)

    @property
    def used_passes(self) -> frozenset[PassName]:
        """The passes that changed the tower."""
        return frozenset(report.name for report in self.passes if report.sites)

    @property
    def scheme(self) -> str:
        """Target and precision in one word, e.g. `onnx-int8-static`; `onnx-int8-static-mixed` with a plan."""
        names = (report.name for report in self.passes if report.name in self.used_passes)
        return scheme_name(
            self.target, self.precision, mixed=self.plan is not None, isa=self.instruction_set, passes=names
        )

    @property
    def model_files(self) -> tuple[FileEntry, ...]:
        """The model alone, weights in files of their own included, without golden data and vocabulary."""
        golden = self.golden
        tensors = {golden.inputs.file, golden.reference.file, golden.outputs.file}
        others = tensors | {CONFIG_NAME, VOCABULARY_NAME, PLAN_NAME}
        return tuple(entry for entry in self.files if entry.path not in others)

    @property
    def model_size_bytes(self) -> int:
        """Bytes of `model_files`."""
        return sum(entry.size_bytes for entry in self.model_files)

    @property
    def sha256(self) -> str:
        """One hash over all files of the artefact, the artefact's identity in records."""
        return hash_files(self.files)


def hash_files(files: Iterable[FileEntry]) -> str:
    """One hash over paths and contents of all files, whatever their order."""
    digest = hashlib.sha256()
    for entry in sorted(files, key=lambda item: item.path):
        digest.update(f"{entry.path}\0{entry.sha256}\n".encode())
    return digest.hexdigest()


def scheme_name(
    target: TargetName,
    precision: Precision,
    *,
    mixed: bool = False,
    isa: InstructionSet | None = None,
    passes: Iterable[PassName] = (),
) -> str:
    """Target and precision in one word; artefacts that differ from the usual form do not stand for it."""
    own = [] if isa in (None, default_instruction_set(target)) else [isa]
    return "-".join(
        [target, precision, *(["mixed"] if mixed else []), *own, *(name for name in passes if name in OPTIONS)]
    )


def hash_file(path: Path) -> str:
    """SHA-256 of a file as hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def list_files(folder: Path) -> tuple[FileEntry, ...]:
    """Entries of every file below `folder` except its own manifest, in path order."""
    return tuple(
        FileEntry(path.relative_to(folder).as_posix(), path.stat().st_size, hash_file(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST_NAME
    )


def read_manifest(folder: Path) -> Manifest:
    """Reads and checks `folder/manifest.json`; the files it lists are not opened.

    Raises:
        ManifestError: missing, malformed, or of a newer schema than this version reads.
    """
    path = folder / MANIFEST_NAME
    version = documents.read_schema_version(path, error=ManifestError)
    if version > SCHEMA_VERSION:
        raise ManifestError(
            f"{path} has schema version {version}; this version reads up to {SCHEMA_VERSION}: "
            "update PocketCLIP or export the artefact again"
        )
    return documents.read(Manifest, path, error=ManifestError)


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Compares size and hash of every listed file.

    Raises:
        ArtifactCorruptError: a file is missing, outside the folder, truncated or altered.
    """
    root = folder.resolve()
    for entry in manifest.files:
        path = root / entry.path
        if not path.resolve().is_relative_to(root):
            raise ArtifactCorruptError(f"{folder}: the manifest names {entry.path!r} outside the artefact's folder")
        fault = file_fault(path, entry)
        if fault is not None:
            raise ArtifactCorruptError(f"{fault}; export the artefact again")


def file_fault(path: Path, entry: FileEntry) -> str | None:
    """What is wrong with the file that a manifest lists, in words; None where size and hash are right."""
    if not path.is_file():
        return f"{path} is missing"
    size = path.stat().st_size
    if size != entry.size_bytes:
        return f"{path} has {size} bytes, its manifest says {entry.size_bytes}: the file is truncated or was replaced"
    digest = hash_file(path)
    if digest != entry.sha256:
        return f"{path} has hash {digest[:12]}..., its manifest says {entry.sha256[:12]}...: the file was altered"
    return None
