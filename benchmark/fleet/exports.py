"""Exports on the nodes of a fleet: the artefacts come back as files, so that nodes need no folder in common."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pocketclip.benchmark.agent.memory import peak_bytes
from pocketclip.benchmark.errors import FleetAnswerError
from pocketclip.benchmark.fleet.nodes import Call, Nodes
from pocketclip.benchmark.fleet.parcels import Parcel, pack
from pocketclip.benchmark.runners.scratch import scratch_folder
from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.job import ExportJob, ExportResult
from pocketclip.models import atomic
from pocketclip.models.errors import PocketClipError
from pocketclip.models.registry import FRESH_WEIGHTS
from pocketclip.models.untrusted.names import RELATIVE_PATH
from pocketclip.models.user_cache import user_cache

Outcome = tuple[ExportJob, ExportResult | PocketClipError]


@dataclass(frozen=True)
class Exported:
    """What a node gives back: the result, and the artefact's files."""

    result: ExportResult
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class CarriedWeights:
    """A checkpoint on its way to nodes, which may not have its file."""

    name: str
    content: bytes


def exports_on_nodes(
    nodes: Nodes,
    jobs: Sequence[ExportJob],
    *,
    cores: int,
    exporter: Callable[[ExportJob, CarriedWeights | None, int], Exported] | None = None,
) -> Iterator[Outcome]:
    """Yields each job with its result or error as it ends; its artefact is in the job's folder then.

    Args:
        nodes: where to export.
        jobs: what to export.
        cores: of a node, for each job.
        exporter: what a node does; by default `export_on_node`.

    Raises:
        FleetError: no node has so many cores, or the fleet is gone.
        StorageError: an artefact cannot be written here.
    """
    weights = {path: _carried(path) for path in {job.weights for job in jobs}}
    chosen = exporter or export_on_node
    calls = [Call(job, chosen, (job, weights[job.weights], cores)) for job in jobs]
    for job, found in nodes.run(calls, cores=cores):
        if isinstance(found, PocketClipError):
            yield job, found
            continue
        try:
            _write(job, found.files)
            yield job, replace(found.result, folder=job.folder)
        except PocketClipError as error:
            yield job, error


def export_on_node(job: ExportJob, weights: CarriedWeights | None, cores: int) -> Exported:
    """Exports in a folder of this node; what it has loaded stays for the next job of this process."""
    import torch

    from pocketclip.export.jobs.pipeline import export_artifact

    torch.set_num_threads(max(1, cores))
    with scratch_folder("pocketclip-export-") as folder:
        here = replace(job, out=folder, weights=job.weights if weights is None else str(_kept(weights)))
        result = export_artifact(here)
        return Exported(replace(result, peak_bytes=peak_bytes() or 0), pack(result.folder))


def _carried(path: str | None) -> CarriedWeights | None:
    if path is None or path == FRESH_WEIGHTS or not Path(path).is_file():
        return None
    return CarriedWeights(Path(path).name, Path(path).read_bytes())


def _kept(weights: CarriedWeights) -> Path:
    """The file of a checkpoint on this node."""
    key = hashlib.sha256(weights.content).hexdigest()
    suffix = Path(weights.name).suffix
    path = user_cache() / "fleet" / "weights" / f"{key}{suffix if suffix.isascii() else ''}"
    if not path.is_file():
        atomic.write_bytes(path, weights.content)
    return path


def _write(job: ExportJob, files: Parcel) -> None:
    """Puts an artefact into its folder, whole or not at all.

    Raises:
        FleetAnswerError: a file's name leads elsewhere.
        ArtifactCorruptError, ManifestError: it is not what a reader would take.
        StorageError: it cannot be written.
    """
    for name in files:
        if RELATIVE_PATH.fault(name) is not None:
            raise FleetAnswerError(f"an artefact of the fleet has a file whose name {RELATIVE_PATH.fault(name)}")
    with atomic.new_directory(job.folder) as folder:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        load_artifact(folder)
