"""Embeds the photographs of a folder that an index does not have yet, in a process of its own."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from pocketclip.export.artifact.feeding import image_input
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.encoders import embed
from pocketclip.export.errors import GalleryError, ManifestError
from pocketclip.export.gallery.index_folder import SCHEMA_VERSION, IndexIdentity, IndexWriter, writing
from pocketclip.export.targets import open_session
from pocketclip.models.data.image_files import images_below
from pocketclip.models.data.left_out import LeftOutLog, described
from pocketclip.models.errors import PocketClipError
from pocketclip.models.pixels.images import load_image
from pocketclip.models.pixels.preprocess import PreprocessSpec, preprocess
from pocketclip.models.progress import Progress
from pocketclip.models.text.tokenizer import load_tokenizer
from pocketclip.models.untrusted.names import PLAIN_NAME

# Photographs between two writes to disk: as many are embedded again after a process was killed.
_FLUSH_EVERY = 64
# Decoded photographs that wait for the tower.
_AHEAD = 8
_MOST_NAMED = 20

T = TypeVar("T")


@dataclass(frozen=True)
class IndexReport:
    """What indexing did. `unreadable` counts photographs that could not be read; `first_unreadable` names some.

    `left_out` says in words which files are no photographs; None where all are.
    """

    photos: int
    added: int
    forgotten: int
    unreadable: int
    first_unreadable: tuple[tuple[str, str], ...]
    left_out: str | None


def identity_of(image: Artifact, folder: Path) -> IndexIdentity:
    """The identity of an index of a folder's photographs by an image artefact."""
    manifest = image.manifest
    return IndexIdentity(
        SCHEMA_VERSION,
        _plain(manifest.model.name),
        manifest.model.weights_sha256,
        manifest.sha256,
        manifest.model.embedding_dim,
        str(folder.resolve()),
        str(image.folder.resolve()),
    )


def _plain(name: str) -> str:
    """A model's name as the index has it: another one may hold any character."""
    return re.sub(r"[^A-Za-z0-9_.+-]", "_", name).lstrip(".+-")[: PLAIN_NAME.longest] or "model"


def index_folder(
    image: Artifact, folder: Path, out: Path, threads: int, workers: int, *, sign: Callable[[object], None]
) -> IndexReport:
    """Brings an index up to date: new and changed photographs are embedded, those that are gone are forgotten.

    Args:
        image: the image artefact.
        folder: of the photographs, with the folders in it.
        out: the index's folder.
        threads: of the runtime.
        workers: threads that decode and resize.
        sign: told the `Progress` now and then.

    Raises:
        GalleryError: the folder or the index cannot be used.
        ManifestError, ArtifactCorruptError, NonFiniteError: the artefact cannot.
        StorageError: the index cannot be written.
    """
    if not folder.is_dir():
        raise GalleryError(f"there is no folder {folder}")
    spec = image.manifest.preprocess
    if spec is None:
        raise ManifestError(f"the manifest of {image.folder} has no preprocessing", fix="export it again")
    root, log = folder.resolve(), LeftOutLog()
    versions = _versions(root, out.resolve(), log)
    with writing(out, identity_of(image, folder)) as writer:
        known = writer.index.photos
        gone = [photo for photo in known if photo not in versions]
        for photo in gone:
            writer.forget(photo)
        missing = [
            photo for photo, version in versions.items() if photo not in known or known[photo].version != version
        ]
        done = len(versions) - len(missing)
        sign(Progress("indexing photographs", done, len(versions)))
        unreadable: list[tuple[str, str]] = []
        session = open_session(image, threads)
        try:
            ahead = decoded_ahead((root / photo for photo in missing), spec, workers, image.manifest.batch)
            waiting = 0
            for group in in_groups(zip(missing, ahead, strict=True), image.manifest.batch):
                readable = {photo: pixels for photo, pixels in group if isinstance(pixels, np.ndarray)}
                unreadable += [(photo, str(found)) for photo, found in group if photo not in readable]
                if readable:
                    rows = embed(session, image_input(np.stack(list(readable.values())), image.manifest.inputs[0]))
                    for photo, row in zip(readable, rows, strict=True):
                        writer.add(photo, versions[photo], row)
                done, waiting = done + len(group), waiting + len(group)
                if waiting >= _FLUSH_EVERY:
                    writer.flush()
                    waiting = 0
                    sign(Progress("indexing photographs", done, len(versions)))
        finally:
            session.close()
        _forget_unreadable(writer, unreadable)
        count = len(writer.index.photos)
    return IndexReport(
        count,
        len(missing) - len(unreadable),
        len(gone),
        len(unreadable),
        tuple(unreadable[:_MOST_NAMED]),
        described(log.entries),
    )


def _versions(root: Path, index: Path, log: LeftOutLog) -> dict[str, str]:
    """The photographs below a folder, without those of an index in it, each with its version."""
    found: dict[str, str] = {}
    for path in images_below(root, log):
        name = path.relative_to(root).as_posix()
        version = _version(path)
        if index in path.parents or version is None:
            continue
        if not _is_text(name):
            log.add("files whose names are not valid UTF-8", name)
            continue
        found[name] = version
    return found


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _forget_unreadable(writer: IndexWriter, unreadable: list[tuple[str, str]]) -> None:
    """A photograph that changed into something unreadable is no longer what its row says."""
    for photo, _ in unreadable:
        if photo in writer.index.photos:
            writer.forget(photo)


def _version(path: Path) -> str | None:
    """What changes when a file does; None where it vanished meanwhile."""
    try:
        found = path.stat()
    except OSError:
        return None
    return f"{found.st_mtime_ns}-{found.st_size}"


def in_groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Items in lists of `size`; the last may be shorter."""
    rest = iter(items)
    while group := list(islice(rest, size)):
        yield group


def decoded_ahead(
    paths: Iterable[Path], spec: PreprocessSpec, workers: int, batch: int
) -> Generator[np.ndarray | PocketClipError]:
    """Each photograph, in order, as the tower takes it, `(3, H, W)`, or why it cannot be read; some are decoded ahead.

    Args:
        paths: may be endless: it is read as far as is decoded.
        spec: of the model.
        workers: threads that decode and resize.
        batch: photographs that the tower takes at once.
    """

    def load(path: Path) -> np.ndarray | PocketClipError:
        try:
            return preprocess(load_image(path), spec)
        except PocketClipError as error:
            return error

    with ThreadPoolExecutor(workers) as pool:
        rest = iter(paths)
        waiting = deque(pool.submit(load, path) for path in islice(rest, max(_AHEAD, workers, 2 * batch)))
        while waiting:
            done = waiting.popleft()
            waiting.extend(pool.submit(load, path) for path in islice(rest, 1))
            yield done.result()


def embed_query(artifact: Artifact, query: str | Image.Image | Path) -> np.ndarray:
    """The normalised embedding `(D,)` of a sentence by a text artefact, or of a photograph by an image artefact.

    Raises:
        ImageError: the photograph cannot be read.
        ManifestError, ArtifactCorruptError, NonFiniteError: the artefact cannot be used.
    """
    manifest = artifact.manifest
    session = open_session(artifact, 1)
    try:
        if isinstance(query, str):
            if manifest.tokenizer is None:
                raise ManifestError(f"the manifest of {artifact.folder} has no tokenizer", fix="export it again")
            return embed(session, load_tokenizer(manifest.tokenizer, artifact.folder)(query))[0]
        if manifest.preprocess is None:
            raise ManifestError(f"the manifest of {artifact.folder} has no preprocessing", fix="export it again")
        photograph = load_image(query) if isinstance(query, Path) else query
        return embed(session, image_input(preprocess(photograph, manifest.preprocess)[None], manifest.inputs[0]))[0]
    finally:
        session.close()
