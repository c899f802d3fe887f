"""Builds the set: packages, then pictures drawn once, then shards composed from them, each step kept as it is done.

A build that is ended at any moment goes on where it stopped and ends with the same bytes. A package that cannot be had
is named, and the set is built without it; the manifest says what each split lacks.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from pocketclip.models import atomic, documents
from pocketclip.models.data.left_out import LeftOutLog
from pocketclip.models.errors import ConfigError, MissingPackageError
from pocketclip.models.pictures.catalogue import Catalogue
from pocketclip.models.pictures.composition import compose_all, draw_all, subjects_of
from pocketclip.models.pictures.concepts import Concept
from pocketclip.models.pictures.contact_sheet import write_sheet
from pocketclip.models.pictures.drawing import require_renderer
from pocketclip.models.pictures.lists import read_lists
from pocketclip.models.pictures.manifest import (
    MANIFEST_FILE,
    PicturesManifest,
    ShardFile,
    SourceUse,
    SplitUse,
    read_manifest,
)
from pocketclip.models.pictures.packages import package_file
from pocketclip.models.pictures.plan import Split, SplitPlan, whole_plan
from pocketclip.models.pictures.reading import concepts_of
from pocketclip.models.pictures.sources import LABELS, TRAINED, Reader, Role, Source
from pocketclip.models.pictures.sources_page import sources_page
from pocketclip.models.pictures.sprites import SpriteFile, renderer_versions
from pocketclip.models.pictures.workers import drawing_pool
from pocketclip.models.progress import CountingWatch

SOURCES_FILE = "SOURCES.md"
_LOCK_FILE = ".building.lock"
_LOG = logging.getLogger("pocketclip.models")


@dataclass(frozen=True)
class BuildSettings:
    """How a set is built.

    Attributes:
        side: pixels of both sides of an image.
        compositions: how often training shows each picture.
        without: sources that are left out on purpose.
        cache: the folder of packages and drawn pictures.
        workers: processes that draw and compose; the result does not depend on them.
    """

    side: int
    compositions: int
    without: frozenset[str]
    cache: Path
    workers: int

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("size", self.side, 64, 256),
            ("compositions", self.compositions, 1, 100),
            ("workers", self.workers, 1, 256),
        ):
            if not least <= value <= most:
                raise ConfigError(f"{name} must be from {least} to {most}, got {value}")


def build(catalogue: Catalogue, settings: BuildSettings, folder: Path, watch: CountingWatch) -> PicturesManifest:
    """Builds the set in a folder, or what is missing of it there.

    Raises:
        ConfigError: the folder holds a set of other settings or something else, or another build writes into it.
        MissingPackageError: no package can be had, or the renderer for SVG is not installed.
        DatasetError: a package or a drawn picture is damaged.
        StorageError: the disk is full or a folder cannot be written.
        WorkerEndedError: a worker process was ended.
    """
    require_renderer()
    with atomic.storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            held = FileLock(folder / _LOCK_FILE).acquire(timeout=0)
        except Timeout:
            # An OSError of its own kind.
            raise ConfigError(
                f"another build is writing into {folder}", fix="wait for it, or choose another folder"
            ) from None
    with held:
        _claim(folder, settings)
        return _build(catalogue, settings, folder, watch)


def _build(catalogue: Catalogue, settings: BuildSettings, folder: Path, watch: CountingWatch) -> PicturesManifest:
    lists = read_lists(catalogue.lists)
    packages, lacking = _packages(catalogue, settings, watch)
    concepts: dict[str, Concept] = {}
    if LABELS in packages:
        concepts = concepts_of(packages[LABELS])
    else:
        for name in [name for name in packages if _needs_labels(catalogue.sources[name])]:
            del packages[name]
            lacking[name] = f"nothing names its pictures without {LABELS}"
    plans = whole_plan(lists, catalogue.sources, concepts, settings.compositions)
    with drawing_pool(settings.workers) as pool:
        sprites = draw_all(catalogue, plans, packages, concepts, settings.cache / "drawn", pool, watch)
        subjects, mirrored = subjects_of(catalogue, concepts, sprites)
        there = [plan.only({name: drawn.keys for name, drawn in sprites.items()}) for plan in plans]
        shards = compose_all(there, settings.side, sprites, subjects, mirrored, folder, pool, watch)
    manifest = PicturesManifest(
        side=settings.side,
        compositions=settings.compositions,
        complete=True,
        sources=tuple(_source_use(name, source, sprites, lacking) for name, source in catalogue.sources.items()),
        splits=tuple(_split_use(plan, shards[plan.split], lacking, sprites) for plan in plans),
        left_out=_left_out(plans, sprites),
        versions=renderer_versions(),
    )
    atomic.write_text(folder / SOURCES_FILE, sources_page(manifest.sources))
    write_sheet(folder, manifest)
    documents.write(manifest, folder / MANIFEST_FILE)
    return manifest


def _claim(folder: Path, settings: BuildSettings) -> None:
    """Begins a set in the folder, or goes on with the one that is there."""
    if (folder / MANIFEST_FILE).is_file():
        earlier = read_manifest(folder)
        for name, there, asked in (
            ("size", earlier.side, settings.side),
            ("compositions", earlier.compositions, settings.compositions),
        ):
            if there != asked:
                raise ConfigError(
                    f"{folder} holds a set with {name} {there}, asked for is {asked}",
                    fix="use its settings, or another folder",
                )
    elif any(entry.name != _LOCK_FILE for entry in folder.iterdir()):
        raise ConfigError(f"{folder} is not empty and holds no {MANIFEST_FILE}", fix="choose another folder")
    # Until the end it says that it is not complete.
    unfinished = PicturesManifest(side=settings.side, compositions=settings.compositions, complete=False)
    documents.write(unfinished, folder / MANIFEST_FILE)


def _packages(
    catalogue: Catalogue, settings: BuildSettings, watch: CountingWatch
) -> tuple[dict[str, Path], dict[str, str]]:
    """The packages that are there by source, and why others are not."""
    packages: dict[str, Path] = {}
    lacking: dict[str, str] = {}
    watch.begin("getting packages", len(catalogue.sources))
    for name, source in catalogue.sources.items():
        if name in settings.without:
            lacking[name] = "left out with --without"
        else:
            try:
                packages[name] = package_file(source, settings.cache / "packages")
            except MissingPackageError as error:
                lacking[name] = error.what
                _LOG.warning("%s: %s", name, error)
        watch.advance(1)
    if not packages:
        raise MissingPackageError(
            f"none of the {len(catalogue.sources)} packages can be had (first: {next(iter(lacking.values()))})",
            fix=f"check the network, or put the packages into {settings.cache / 'packages'}",
        )
    return packages, lacking


def _needs_labels(source: Source) -> bool:
    return source.role in (*TRAINED, Role.DESIGN) and source.reader is not Reader.CLIPART


def _source_use(name: str, source: Source, sprites: Mapping[str, SpriteFile], lacking: Mapping[str, str]) -> SourceUse:
    return SourceUse(
        name=name,
        package=source.package,
        version=source.version,
        sha256=source.sha256,
        role=source.role,
        licence=source.licence,
        attribution=source.attribution,
        pictures=len(sprites[name].keys) if name in sprites else 0,
        lacking=lacking.get(name),
    )


def _split_use(
    plan: SplitPlan, shards: Sequence[ShardFile], lacking: Mapping[str, str], sprites: Mapping[str, SpriteFile]
) -> SplitUse:
    sources = dict.fromkeys(item.source for item in plan.items)
    reasons = [f"{name}: {lacking[name]}" for name in sources if name in lacking]
    if plan.class_names and LABELS in lacking and plan.split is not Split.PHOTOGRAPHS:
        reasons.append(f"{LABELS}: {lacking[LABELS]}")
    for name in sources:
        missing = {item.key for item in plan.items if item.source == name} - _keys(name, sprites)
        if missing and name in sprites:
            reasons.append(f"{name}: {len(missing)} pictures that are not in it or cannot be drawn")
    shards_sha256 = [shard.sha256 for shard in shards]
    return SplitUse(
        name=plan.split,
        samples=sum(shard.samples for shard in shards),
        whole_samples=len(plan.items),
        classes=len(plan.class_names),
        sha256=hashlib.sha256(json.dumps([plan.split, plan.class_names, shards_sha256]).encode()).hexdigest(),
        shards=tuple(shards),
        lacking=tuple(reasons),
    )


def _keys(name: str, sprites: Mapping[str, SpriteFile]) -> frozenset[str]:
    return sprites[name].keys if name in sprites else frozenset()


def _left_out(plans: Sequence[SplitPlan], sprites: Mapping[str, SpriteFile]) -> tuple[str, ...]:
    """Listed pictures that are not in the set although their package is, by reason."""
    log = LeftOutLog()
    for plan in plans:
        for item in plan.items:
            if item.composition == 0 and item.source in sprites and item.key not in sprites[item.source].keys:
                reason = sprites[item.source].failed.get(item.key, "it is not in the package")
                log.add(f"pictures of {plan.split}: {reason}", f"{item.source} {item.key}")
    return tuple(map(str, log.entries))
