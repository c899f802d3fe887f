"""Copying towers and their variants into a bundle's folder."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pocketclip.export.artifact.manifest import GoldenTensor, Manifest
from pocketclip.export.artifact.paths import check_no_links
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.bundle.golden import spread
from pocketclip.export.bundle.manifest import (
    BundledTower,
    Execution,
    NpuVariant,
    ParitySummary,
    Specialization,
    StoredTensor,
    SystemVariant,
    TowerGolden,
)
from pocketclip.export.bundle.tensors import write_tensor
from pocketclip.export.bundle.tolerances import EMULATED, execution_here, tower_tolerances
from pocketclip.export.errors import ArtifactCorruptError
from pocketclip.export.npu.npu_report import NpuContext, NpuReport, read_report
from pocketclip.export.targets import runtime_name


def store_tower(artifact: Artifact, folder: Path) -> BundledTower:
    """Copies a tower's files and golden tensors.

    Raises:
        ArtifactCorruptError: one is a link, or golden values are not finite.
        TargetUnavailableError: its runtime is not installed, so that its golden outputs cannot be told apart.
    """
    manifest = artifact.manifest
    place = str(manifest.tower)
    _copy(artifact, [entry.path for entry in manifest.model_files], folder / place)
    golden = _store_golden(artifact, folder, place)
    return BundledTower(
        **_facts(manifest),
        entry_point=f"{place}/{manifest.entry_point}",
        executed_by=execution_here(manifest.target),
        golden=golden,
        scheme=manifest.scheme,
    )


def store_system_variant(artifact: Artifact, folder: Path, specializations: Sequence[Specialization]) -> SystemVariant:
    """Copies an artefact for newer systems and its golden tensors; raises as `store_tower`."""
    manifest = artifact.manifest
    place = f"{manifest.tower}-{manifest.target}"
    _copy(artifact, [entry.path for entry in manifest.model_files], folder / place)
    golden = _store_golden(artifact, folder, f"{manifest.tower}_{manifest.target}")
    return SystemVariant(
        **_facts(manifest),
        entry_point=f"{place}/{manifest.entry_point}",
        executed_by=execution_here(manifest.target),
        golden=golden,
        scheme=manifest.scheme,
        tower=manifest.tower,
        specializations=tuple(specializations),
    )


def store_variants(artifact: Artifact, folder: Path) -> list[NpuVariant]:
    """Copies the graphs of an artefact for NPUs: a variant for each chip, with the golden tensors that all give.

    Raises:
        ManifestError: its report is missing or damaged.
        ArtifactCorruptError: a file is a link or not listed, or golden values are not finite.
    """
    manifest, report = artifact.manifest, read_report(artifact.folder)
    # Two plans may make artefacts of one scheme, for a chip each.
    golden = _store_golden(artifact, folder, f"{manifest.tower}_{manifest.scheme}_{manifest.sha256[:12]}")
    return [_store_variant(artifact, report, context, golden, folder) for context in report.contexts]


def _store_variant(
    artifact: Artifact, report: NpuReport, context: NpuContext, golden: TowerGolden, folder: Path
) -> NpuVariant:
    manifest, parity = artifact.manifest, artifact.manifest.parity
    place = f"{manifest.tower}-{manifest.target}-{context.soc.lower()}"
    listed = {entry.path for entry in manifest.files}
    paths = context.paths
    if not listed.issuperset(paths):
        raise ArtifactCorruptError(
            f"the graph for {context.soc} of {artifact.label} is not among its files", fix="export it again"
        )
    # In the folders that they have in the artefact, so that a phone knows them as the same files.
    _copy(artifact, paths, folder / place)
    return NpuVariant(
        **_facts(manifest),
        entry_point=f"{place}/{context.file}",
        # The emulator's values do not depend on the computer.
        executed_by=Execution("unknown" if parity is None else parity.executed_by, EMULATED, ()),
        golden=golden,
        scheme=manifest.scheme,
        tower=manifest.tower,
        soc=context.soc,
        sdk=report.sdk,
        graphs=context.graphs,
        on_cpu=context.on_cpu,
    )


def _copy(artifact: Artifact, paths: Sequence[str], place: Path) -> None:
    check_no_links(artifact.folder, paths, error=ArtifactCorruptError)
    for path in paths:
        copy = place / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(artifact.folder / path, copy)


def _facts(manifest: Manifest) -> dict[str, Any]:
    """The fields of a tower and of a variant that do not depend on where their files are."""
    parity = manifest.parity
    return {
        "target": manifest.target,
        "precision": manifest.precision,
        "runtime": runtime_name(manifest.target),
        "requires": manifest.requires,
        "minimum_ios": _ios(manifest.requires),
        "input": manifest.inputs[0],
        "output": manifest.outputs[0],
        "normalized": manifest.normalized,
        "versions": manifest.versions,
        "artifact_sha256": manifest.sha256,
        "parity": None
        if parity is None
        else ParitySummary(
            parity.samples, parity.cosine_mean, parity.cosine_min, parity.top1_agreement, parity.failures
        ),
        "tolerances": tower_tolerances(
            manifest.target, manifest.precision, manifest.used_passes, passed=parity is not None and parity.passed
        ),
    }


def _store_golden(artifact: Artifact, folder: Path, name: str) -> TowerGolden:
    golden = artifact.manifest.golden

    def stored(tensor: GoldenTensor, kind: str) -> StoredTensor:
        return write_tensor(folder, f"golden/{name}_{kind}.bin", spread(artifact.golden(tensor)))

    return TowerGolden(
        inputs=stored(golden.inputs, "inputs"),
        reference=stored(golden.reference, "reference"),
        outputs=stored(golden.outputs, "outputs"),
    )


def _ios(requires: str | None) -> int | None:
    matched = re.fullmatch(r"iOS (\d+)", requires or "")
    return None if matched is None else int(matched[1])
