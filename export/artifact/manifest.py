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
     and `cautions` (what the file of the weights did not say, and which choice was taken); `parity_data` (the user's
     own samples that the proof was made on; null where the built-in ones were), and what of such data was left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pocketclip.export.artifact.lint_finding import LintFinding
from pocketclip.export.artifact.listed_files import MOST_MANIFEST_BYTES, FileEntry, hash_file
from pocketclip.export.artifact.parity_report import ParityReport
from pocketclip.export.artifact.pass_report import OPTIONS, PassName, PassReport
from pocketclip.export.artifact.precision_plan import PLAN_NAME, PrecisionPlan
from pocketclip.export.errors import ManifestError
from pocketclip.export.own_samples import MOST_NAMED, OwnSamples, SampleRequest
from pocketclip.export.precision import InstructionSet, Precision, TargetName, Tower, default_instruction_set
from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.pixels.preprocess import PreprocessSpec
from pocketclip.models.text.tokenizer import TokenizerSpec
from pocketclip.models.untrusted.names import Matching, RelativePath, Sha256
from pocketclip.models.untrusted.numbers import Count, Dimension, LogitScale, Shape

SCHEMA_VERSION = 4
MANIFEST_NAME = "manifest.json"
# The model's whole configuration: with the weights, all that is needed to build it in PyTorch again.
CONFIG_NAME = "config.json"
VOCABULARY_NAME = "vocabulary.json"
# The graphs that were prepared for NPUs of single chips, and what is known of them.
NPU_REPORT_NAME = "npu.json"
NPU_CONTEXTS = "contexts"

# What models take and give, and how the axes are named: every target's.
ValueType = Annotated[str, Matching(r"uint8|int32|float32", 7, "uint8, int32 or float32")]
Layout = Annotated[str, Matching(r"[A-Z]{1,8}", 8, "a capital letter for each axis")]


@document
class TensorSpec:
    """An input or output of the model file: fixed shape, dtype, and the range values lie in."""

    name: str
    shape: Shape
    dtype: ValueType
    layout: Layout
    minimum: float
    maximum: float


@document
class GoldenTensor:
    """A stored tensor: raw little-endian values in C order, `shape[0]` samples, each one row of the model's."""

    file: RelativePath
    shape: Shape
    dtype: ValueType


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
    config_sha256: Sha256
    weights_sha256: Sha256
    parameters: Count
    embedding_dim: Dimension
    logit_scale: LogitScale


@document
class CalibrationRecord:
    """The samples that activation ranges were observed on; the hash is over all of them, in their order.

    `skipped` counts samples that could not be used, `first_skipped` names the first with reasons; `left_out` says what
    is no sample; `ignored_profiles` counts images whose colour profile cannot be used (taken as sRGB), the first one
    named.
    """

    source: str
    samples: Count
    inputs_sha256: Sha256
    skipped: Count = 0
    first_skipped: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    ignored_profiles: Count = 0
    first_ignored_profile: str | None = None

    @staticmethod
    def of(source: str, found: OwnSamples) -> CalibrationRecord:
        """The record of what was read."""
        return CalibrationRecord(source, **_facts(found))


@document
class ParityData:
    """The user's own samples that the proof was made on, with the fields of `CalibrationRecord`; `wanted` is how many
    were asked for at most."""

    source: str
    wanted: Count
    samples: Count
    inputs_sha256: Sha256
    skipped: Count = 0
    first_skipped: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    ignored_profiles: Count = 0
    first_ignored_profile: str | None = None

    @staticmethod
    def of(request: SampleRequest, found: OwnSamples) -> ParityData:
        """The record of what was read."""
        return ParityData(request.source, request.samples, **_facts(found))


def _facts(found: OwnSamples) -> dict[str, Any]:
    return {
        "samples": len(found.inputs),
        "inputs_sha256": found.sha256,
        "skipped": len(found.skipped),
        "first_skipped": found.skipped[:MOST_NAMED],
        "left_out": tuple(map(str, found.left_out)),
        "ignored_profiles": len(found.ignored_profiles),
        "first_ignored_profile": next(iter(found.ignored_profiles), None),
    }


@document
class Manifest:
    """Everything an application or a harness must know about one artefact (schema 4)."""

    schema_version: int
    created_at: str
    model: ModelIdentity
    tower: Tower
    target: TargetName
    precision: Precision
    entry_point: RelativePath
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
    inputs_sha256: Sha256 | None = None
    instruction_set: InstructionSet | None = None
    passes: tuple[PassReport, ...] = ()
    lint: tuple[LintFinding, ...] = ()
    plan: PrecisionPlan | None = None
    trained: bool | None = None
    cautions: tuple[str, ...] = ()
    parity_data: ParityData | None = None

    @property
    def batch(self) -> int:
        """How many samples the model takes at once."""
        return self.inputs[0].shape[0]

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
            self.target,
            self.precision,
            mixed=self.plan is not None,
            isa=self.instruction_set,
            passes=names,
            batch=self.batch,
        )

    @property
    def model_files(self) -> tuple[FileEntry, ...]:
        """The model alone, weights in files of their own included, without golden data, vocabulary, and what was
        prepared from it for single chips."""
        golden = self.golden
        tensors = {golden.inputs.file, golden.reference.file, golden.outputs.file}
        others = tensors | {CONFIG_NAME, VOCABULARY_NAME, PLAN_NAME, NPU_REPORT_NAME}
        return tuple(
            entry
            for entry in self.files
            if entry.path == self.entry_point
            or (entry.path not in others and not entry.path.startswith(f"{NPU_CONTEXTS}/"))
        )

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
    batch: int = 1,
) -> str:
    """Target and precision in one word; artefacts that differ from the usual form do not stand for it."""
    own = [] if isa in (None, default_instruction_set(target)) else [isa]
    words = [target, precision, *(["mixed"] if mixed else []), *own, *(name for name in passes if name in OPTIONS)]
    return "-".join([*words, *([f"batch{batch}"] if batch > 1 else [])])


def list_files(folder: Path) -> tuple[FileEntry, ...]:
    """Entries of every file below `folder` except its own manifest, in path order."""
    return tuple(
        FileEntry(path.relative_to(folder).as_posix(), path.stat().st_size, hash_file(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST_NAME
    )


def read_manifest(folder: Path) -> Manifest:
    """Reads `folder/manifest.json` strictly; `export.artifact.checks` compares it with itself and with its files.

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
    return documents.read(Manifest, path, error=ManifestError, most_bytes=MOST_MANIFEST_BYTES)
