"""What `bench --artifact` measures: artefacts, and the two towers of bundles in the form of artefacts.

A bundle keeps of an artefact what an app needs. So its golden samples are fewer and its proof is a summary; the
identity in records is the artefact's own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pocketclip.benchmark.records.benchmark import BundledParity
from pocketclip.benchmark.runners.bundled_manifest import BundledManifest
from pocketclip.benchmark.runners.scratch import scratch_folder
from pocketclip.export.artifact.manifest import (
    NPU_REPORT_NAME,
    SCHEMA_VERSION,
    FileEntry,
    Golden,
    GoldenTensor,
    hash_file,
)
from pocketclip.export.artifact.names import BUNDLE_NAME
from pocketclip.export.artifact.reading import Artifact, find_artifacts
from pocketclip.export.bundle.licences import is_untrained
from pocketclip.export.bundle.manifest import (
    BundledModel,
    BundledTower,
    NpuVariant,
    StoredTensor,
    SystemVariant,
    Variant,
)
from pocketclip.export.bundle.reading import OpenedBundle, read_bundle
from pocketclip.export.npu.npu_report import NpuContext, write_report
from pocketclip.export.precision import Tower


@contextmanager
def measurable_artifacts(paths: Iterable[Path]) -> Iterator[tuple[Artifact, ...]]:
    """Artefacts at the paths or below them, then the towers of the bundles among the paths that are not among those.

    Towers of bundles are usable within the block: their files are linked to in a folder that is laid out as an
    artefact's.

    Raises:
        ArtifactNotFoundError: a path does not exist or holds neither; and as `find_artifacts` and `read_bundle`.
    """
    chosen = list(paths)
    bundles = [path for path in chosen if (path / BUNDLE_NAME).is_file()]
    others = [path for path in chosen if path not in bundles]
    found = find_artifacts(others) if others else []
    with ExitStack() as folders:
        for path in bundles:
            bundle = read_bundle(path)
            folder = folders.enter_context(scratch_folder("pocketclip-towers-"))
            known = {each.manifest.sha256 for each in found}
            found += [each for each in bundled_towers(bundle, folder) if each.manifest.sha256 not in known]
        yield tuple(found)


def bundled_towers(bundle: OpenedBundle, folder: Path) -> list[Artifact]:
    """Both towers as artefacts, image first, then their variants, in subfolders of an empty folder."""
    manifest = bundle.manifest
    found = [
        _artifact(bundle, tower, kind, folder / kind)
        for kind, tower in ((Tower.IMAGE, manifest.image), (Tower.TEXT, manifest.text))
    ]
    for kind in Tower:
        by_source: dict[str, list[NpuVariant]] = {}
        for variant in manifest.variants_of(kind):
            if isinstance(variant, SystemVariant):
                found.append(_artifact(bundle, variant, kind, folder / variant.place))
            else:
                by_source.setdefault(variant.artifact_sha256, []).append(variant)
        found += [
            _npu_artifact(bundle, variants, kind, folder / f"{kind}-npu-{place}")
            for place, variants in enumerate(by_source.values())
        ]
    return found


def _npu_artifact(bundle: OpenedBundle, variants: Sequence[NpuVariant], kind: Tower, folder: Path) -> Artifact:
    """The variants of one artefact for several chips, as that artefact without its portable file."""
    artifact = _artifact(bundle, variants[0], kind, folder)
    files = {entry.path: entry for entry in artifact.manifest.files}
    contexts: list[NpuContext] = []
    for variant in variants:
        theirs = _link_files(bundle, variant, folder)
        files |= {entry.path: entry for entry in theirs}
        file = PurePosixPath(variant.entry_point).relative_to(variant.place).as_posix()
        others = [entry.path for entry in theirs if entry.path != file]
        contexts.append(
            NpuContext(
                soc=variant.soc,
                file=file,
                size_bytes=sum(entry.size_bytes for entry in theirs),
                graphs=variant.graphs,
                on_cpu=variant.on_cpu,
                binary=others[0] if others else None,
            )
        )
    write_report(contexts, folder, sdk=variants[0].sdk, package=variants[0].executed_by.runtime)
    report = folder / NPU_REPORT_NAME
    files[NPU_REPORT_NAME] = FileEntry(NPU_REPORT_NAME, report.stat().st_size, hash_file(report))
    listed = tuple(sorted(files.values(), key=lambda entry: entry.path))
    return Artifact(folder, replace(artifact.manifest, files=listed))


def _link_files(bundle: OpenedBundle, model: BundledModel, folder: Path) -> list[FileEntry]:
    """Links the files of a model, all that its own folder holds; as an artefact lists them."""
    listed = [entry for entry in bundle.manifest.files if PurePosixPath(entry.path).parts[0] == model.place]
    files = [replace(entry, path=PurePosixPath(entry.path).relative_to(model.place).as_posix()) for entry in listed]
    for entry, source in zip(files, listed, strict=True):
        if not (folder / entry.path).exists():
            _link(bundle.folder / source.path, folder / entry.path)
    return files


def _artifact(bundle: OpenedBundle, tower: BundledTower | Variant, kind: Tower, folder: Path) -> Artifact:
    place = tower.place
    files = _link_files(bundle, tower, folder)
    by_path = {entry.path: entry for entry in bundle.manifest.files}
    golden: list[GoldenTensor] = []
    stored = tower.golden
    for name, tensor in (("inputs", stored.inputs), ("reference", stored.reference), ("outputs", stored.outputs)):
        golden.append(_golden(bundle, tensor, name, folder))
        files.append(FileEntry(golden[-1].file, by_path[tensor.file].size_bytes, by_path[tensor.file].sha256))
    parity = tower.parity
    manifest = BundledManifest(
        schema_version=SCHEMA_VERSION,
        created_at=bundle.manifest.created_at,
        model=bundle.manifest.model,
        tower=kind,
        target=tower.target,
        precision=tower.precision,
        entry_point=PurePosixPath(tower.entry_point).relative_to(place).as_posix(),
        inputs=(tower.input,),
        outputs=(tower.output,),
        normalized=tower.normalized,
        preprocess=bundle.manifest.preprocess if kind is Tower.IMAGE else None,
        tokenizer=None,
        files=tuple(sorted(files, key=lambda entry: entry.path)),
        versions=tower.versions,
        golden=Golden(*golden),
        parity=None,
        requires=tower.requires,
        trained=False if is_untrained(bundle.manifest) else None,
        artifact_sha256=tower.artifact_sha256,
        artifact_scheme=tower.scheme,
        bundled_parity=None
        if parity is None
        else BundledParity(
            parity.samples, parity.cosine_mean, parity.cosine_min, parity.top1_agreement, parity.failures
        ),
    )
    return Artifact(folder, manifest)


def _golden(bundle: OpenedBundle, tensor: StoredTensor, name: str, folder: Path) -> GoldenTensor:
    file = f"golden_{name}.bin"
    _link(bundle.folder / tensor.file, folder / file)
    return GoldenTensor(file, tensor.shape, str(tensor.dtype))


def _link(source: Path, goal: Path) -> None:
    """Gives a file a second name; never by a symbolic link, which nobody who reads artefacts follows."""
    goal.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, goal, follow_symlinks=False)
    except (OSError, NotImplementedError):
        # Another file system, one without links, or a file of another user's.
        shutil.copyfile(source, goal)
