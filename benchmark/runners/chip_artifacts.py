"""Artefacts for NPUs as a phone takes them: the graph for its chip, and nothing else."""

from __future__ import annotations

import dataclasses

from pocketclip.benchmark.errors import DeviceUnsupportedError
from pocketclip.benchmark.records.placement import NpuPlacement
from pocketclip.benchmark.runners.bundled_manifest import BundledManifest
from pocketclip.export.artifact.manifest import FileEntry, Manifest
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.errors import ManifestError
from pocketclip.export.npu.npu_report import NpuContext, NpuReport, read_report
from pocketclip.export.npu.socs import SOCS
from pocketclip.export.precision import QNN_TARGETS
from pocketclip.models.documents import document
from pocketclip.models.errors import choices


@document
class ChipManifest(BundledManifest):
    """The manifest of an artefact for NPUs with the graph for one chip as its model; the identity is the artefact's."""

    placement: NpuPlacement | None = None
    chip_files: tuple[str, ...] = ()

    @property
    def model_files(self) -> tuple[FileEntry, ...]:
        """What the phone gets."""
        return tuple(entry for entry in self.files if entry.path in self.chip_files)


def for_chip(artifact: Artifact, chip: str | None, device: str) -> Artifact:
    """An artefact for NPUs with the graph for a chip as its model; `device` is for messages.

    Raises:
        DeviceUnsupportedError: it has none for the chip, or the device does not tell its chip.
        ManifestError: its report is missing or damaged, or names files that it does not list.
    """
    report = read_report(artifact.folder)
    there = choices(context.soc for context in report.contexts)
    if chip is None:
        raise DeviceUnsupportedError(
            f"{device} does not tell its chip, and {artifact.label} has graphs for {there} alone",
            fix="measure an artefact for the CPU there",
        )
    context = next((each for each in report.contexts if each.soc == chip), None)
    if context is None:
        fix = (
            f"export it again with --soc {chip}"
            if chip in SOCS
            else "measure an artefact for the CPU there: graphs cannot be prepared for this chip"
        )
        raise DeviceUnsupportedError(f"{artifact.label} has no graph for {chip} of {device}, it has {there}", fix=fix)
    manifest = artifact.manifest
    if not {entry.path for entry in manifest.files}.issuperset(context.paths):
        raise ManifestError(f"{artifact.label} does not list the graph for {chip}", fix="export it again")
    fields = {each.name: getattr(manifest, each.name) for each in dataclasses.fields(Manifest)}
    chosen = ChipManifest(
        **{**fields, "entry_point": context.file},
        artifact_sha256=manifest.sha256,
        artifact_scheme=manifest.scheme,
        bundled_parity=manifest.bundled_parity if isinstance(manifest, BundledManifest) else None,
        placement=_placement(report, context),
        chip_files=context.paths,
    )
    return Artifact(artifact.folder, chosen)


def placement_of(artifact: Artifact) -> NpuPlacement | None:
    """Where the ops of an artefact for NPUs are: of the graph that was chosen, else of its first; None of others."""
    manifest = artifact.manifest
    if isinstance(manifest, ChipManifest):
        return manifest.placement
    if manifest.target not in QNN_TARGETS:
        return None
    try:
        report = read_report(artifact.folder)
    except ManifestError:
        # Whoever opens the artefact says so.
        return None
    return _placement(report, report.contexts[0])


def _placement(report: NpuReport, context: NpuContext) -> NpuPlacement:
    return NpuPlacement(context.soc, report.sdk, context.graphs, context.ops, context.on_cpu, context.size_bytes)
