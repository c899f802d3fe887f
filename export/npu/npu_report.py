"""What an artefact for NPUs holds beside its portable model: a prepared graph for each chip, and facts about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pocketclip.export.artifact.manifest import NPU_REPORT_NAME
from pocketclip.export.errors import ManifestError
from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.untrusted.names import Matching, RelativePath
from pocketclip.models.untrusted.numbers import Count, FileSize

_VERSION = 1

SocName = Annotated[str, Matching(r"[A-Z]{2,3}[0-9]{3,5}[A-Z]{0,3}", 11, "a name of Qualcomm's such as SM8650")]
# Of any maker: E9965 and Tensor_G5, too.
ChipName = Annotated[
    str, Matching(r"[A-Z]{1,3}[0-9]{3,5}[A-Z]{0,3}|Tensor_G[0-9]", 11, "a name of a chip such as SM8650 or Tensor_G5")
]
SdkVersion = Annotated[str, Matching(r"v?[0-9][0-9.]{0,40}", 42, "numbers with points between them")]


@document
class NpuContext:
    """A graph prepared for one chip: a program for ExecuTorch, an ONNX file and the binary that its node refers to, or
    a file of LiteRT's compiler.

    `graphs` counts the pieces on the NPU, `on_cpu` the ops that are left to the processor: with one and none, values
    never leave the NPU. `spill_bytes` and `fill_bytes` are what an inference moves out of and back into the NPU's own
    memory (VTCM) because it is too small; None where the library says nothing. `ops` counts the ops of the file or the
    program that the graph was prepared from, those on the CPU too; None in reports of before it was counted.
    """

    soc: ChipName
    file: RelativePath
    size_bytes: FileSize
    graphs: Count
    on_cpu: Count
    binary: RelativePath | None = None
    spill_bytes: Count | None = None
    fill_bytes: Count | None = None
    ops: Count | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that a phone with the chip needs."""
        return (self.file,) if self.binary is None else (self.file, self.binary)


@document
class NpuReport:
    """The prepared graphs, the version of the maker's libraries that made them, and of the package they came with."""

    version: int
    sdk: SdkVersion
    package: str
    contexts: tuple[NpuContext, ...]


def read_report(folder: Path) -> NpuReport:
    """That of an artefact's folder.

    Raises:
        ManifestError: it is missing or damaged, or names no graph.
    """
    report = documents.read(NpuReport, folder / NPU_REPORT_NAME, error=ManifestError)
    if not report.contexts:
        raise ManifestError(f"{folder / NPU_REPORT_NAME} names no prepared graph", fix="export it again")
    return report


def write_report(contexts: Sequence[NpuContext], folder: Path, *, sdk: str, package: str) -> None:
    """Writes that of the graphs in an artefact's folder; `sdk` and `package` as `NpuReport` has them."""
    documents.write(NpuReport(_VERSION, sdk, package, tuple(contexts)), folder / NPU_REPORT_NAME)
