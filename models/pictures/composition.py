"""The two steps of a build that take time: pictures drawn once for each source, and shards composed from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from pocketclip.models import atomic
from pocketclip.models.pictures import journal
from pocketclip.models.pictures.captions import Subject
from pocketclip.models.pictures.catalogue import Catalogue
from pocketclip.models.pictures.concepts import Concept
from pocketclip.models.pictures.manifest import ShardFile
from pocketclip.models.pictures.plan import (
    Split,
    SplitPlan,
    clipart_subject,
    emoji_subject,
    keys_by_source,
    may_mirror,
)
from pocketclip.models.pictures.shards import ShardTask, write_shard
from pocketclip.models.pictures.sources import TRAINED, Reader
from pocketclip.models.pictures.sprites import SpriteFile, draw_sprites
from pocketclip.models.pictures.workers import results
from pocketclip.models.progress import CountingWatch

CLASSES_FILE = "classnames.txt"
TEMPLATES_FILE = "zeroshot_classification_templates.txt"


def draw_all(
    catalogue: Catalogue,
    plans: Sequence[SplitPlan],
    packages: Mapping[str, Path],
    concepts: Mapping[str, Concept],
    folder: Path,
    pool: ProcessPoolExecutor,
    watch: CountingWatch,
) -> dict[str, SpriteFile]:
    """The pictures that the plans need, by source; those of an earlier build are taken from the folder.

    Raises:
        DatasetError: a package is damaged.
        StorageError: the folder cannot be written.
    """
    wanted = {name: keys for name, keys in keys_by_source(plans).items() if name in packages}
    # The drawings first: they take longest.
    order = sorted(wanted, key=lambda name: catalogue.sources[name].reader is not Reader.CLIPART)
    watch.begin("drawing pictures", len(order))
    running = {
        pool.submit(
            draw_sprites,
            catalogue.sources[name],
            packages[name],
            wanted[name],
            tuple(concepts.values()) if catalogue.sources[name].reader is Reader.ICONIFY else (),
            folder,
        ): name
        for name in order
    }
    found: dict[str, SpriteFile] = {}
    for name, sprites in results(running):
        found[name] = sprites
        watch.advance(1)
    return found


def compose_all(
    plans: Sequence[SplitPlan],
    side: int,
    sprites: Mapping[str, SpriteFile],
    subjects: Mapping[tuple[str, str], Subject],
    mirrored: frozenset[tuple[str, str]],
    folder: Path,
    pool: ProcessPoolExecutor,
    watch: CountingWatch,
) -> dict[Split, tuple[ShardFile, ...]]:
    """Writes the shards of all splits, or those that are missing.

    Raises:
        DatasetError: a drawn picture cannot be read.
        StorageError: the folder cannot be written.
    """
    files = {name: each.path for name, each in sprites.items()}
    tasks = [task for plan in plans for task in _tasks(plan, side, files, subjects, mirrored, folder)]
    digests = {task.path: task.digest() for task in tasks}
    for plan in plans:
        _prepare(folder / plan.split, plan, {task.path for task in tasks})
    finished = journal.read(folder, digests)
    watch.begin("composing samples", sum(len(task.items) for task in tasks))
    watch.advance(sum(len(task.items) for task in tasks if task.path in finished))
    running = {pool.submit(write_shard, task): task for task in tasks if task.path not in finished}
    for task, written in results(running):
        journal.append(folder, task.path, digests[task.path], written)
        finished[task.path] = written
        watch.advance(len(task.items))
    shards: dict[Split, tuple[ShardFile, ...]] = {plan.split: () for plan in plans}
    for task in tasks:
        written = finished[task.path]
        shards[task.split] += (ShardFile(task.path.name, written.sha256, written.size_bytes, len(task.items)),)
    return shards


def subjects_of(
    catalogue: Catalogue, concepts: Mapping[str, Concept], sprites: Mapping[str, SpriteFile]
) -> tuple[dict[tuple[str, str], Subject], frozenset[tuple[str, str]]]:
    """What the pictures for training show, by source and key; and which of them may be mirrored."""
    subjects: dict[tuple[str, str], Subject] = {}
    mirrored: set[tuple[str, str]] = set()
    for name, drawn in sprites.items():
        source = catalogue.sources[name]
        if source.role not in TRAINED:
            continue
        for key in drawn.keys:
            concept = None if source.reader is Reader.CLIPART else concepts[key]
            subjects[name, key] = (
                clipart_subject(drawn.names[key]) if concept is None else emoji_subject(concept, source)
            )
            if may_mirror(concept):
                mirrored.add((name, key))
    return subjects, frozenset(mirrored)


def _tasks(
    plan: SplitPlan,
    side: int,
    sprites: Mapping[str, Path],
    subjects: Mapping[tuple[str, str], Subject],
    mirrored: frozenset[tuple[str, str]],
    folder: Path,
) -> list[ShardTask]:
    tasks: list[ShardTask] = []
    for number, items in enumerate(plan.shards()):
        places = {(item.source, item.key) for item in items}
        captioned = plan.split is Split.TRAIN
        tasks.append(
            ShardTask(
                path=folder / plan.split / f"{number:06d}.tar",
                split=plan.split,
                items=items,
                side=side,
                sprites={name: sprites[name] for name in sorted({source for source, _ in places})},
                subjects={place: subjects[place] for place in places} if captioned else {},
                mirrored=mirrored & places if captioned else frozenset(),
            )
        )
    return tasks


def _prepare(folder: Path, plan: SplitPlan, shards: set[Path]) -> None:
    """Makes a split's folder, without shards that an earlier build had and this one has not."""
    with atomic.storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path in [*folder.glob("*.tar"), *folder.glob(".*.part")]:
            if path not in shards:
                path.unlink()
    if plan.class_names:
        atomic.write_text(folder / CLASSES_FILE, "".join(f"{name}\n" for name in plan.class_names))
        atomic.write_text(folder / TEMPLATES_FILE, "".join(f"{text}\n" for text in plan.templates))
