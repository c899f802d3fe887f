"""The public functions about galleries: `pocketclip.index_photos`, `search_photos`, `similar_photos`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.export.errors import GalleryError
from pocketclip.models.progress import OnProgress, silent

if TYPE_CHECKING:
    from PIL import Image

    from pocketclip.export.artifact.reading import Artifact
    from pocketclip.export.gallery.contact_sheet import SheetSection
    from pocketclip.export.gallery.index_folder import GalleryIndex
    from pocketclip.export.gallery.indexing import IndexReport
    from pocketclip.export.gallery.searching import SearchHit, SimilarGroup

_MOST_THREADS = 256


def index_photos(
    folder: str | Path,
    artifact: str | Path,
    out: str | Path,
    *,
    threads: int = 1,
    workers: int = 2,
    on_progress: OnProgress = silent,
) -> IndexReport:
    """Brings an index of a folder's photographs up to date; `search_photos` and `similar_photos` search it.

    Only new and changed photographs are embedded. An indexing that ends early, also by SIGKILL, goes on where it was.

    Args:
        folder: the photographs, also in folders within.
        artifact: the folder of an image artefact, or of a pair.
        out: the index's own folder.
        threads: the number of threads of the runtime.
        workers: the number of threads that decode and resize.
        on_progress: called now and then.

    Raises:
        GalleryError: the folder or the index cannot be used.
        ArtifactError: the artefact cannot be used.
        StorageError: the index cannot be written.
    """
    from pocketclip.export import foreign
    from pocketclip.export.gallery.indexing import index_folder
    from pocketclip.export.precision import Tower
    from pocketclip.models.reading_child import Child

    for name, value in (("threads", threads), ("workers", workers)):
        if not 1 <= value <= _MOST_THREADS:
            raise GalleryError(f"{name} must lie in 1 to {_MOST_THREADS}, got {value}")
    image = _tower(Path(artifact), Tower.IMAGE)

    with Child() as child:
        return foreign.run(
            child,
            index_folder,
            image,
            Path(folder),
            Path(out),
            threads,
            workers,
            about=str(image.folder),
            files=[image.folder / image.manifest.entry_point],
            on_sign=on_progress,
        )


def search_photos(
    index: str | Path,
    query: str | Image.Image | Path,
    *,
    most: int = 20,
    artifact: str | Path | None = None,
) -> list[SearchHit]:
    """The indexed photographs nearest to a sentence or a photograph, the nearest first.

    Args:
        index: the index's folder.
        query: a sentence, or a photograph: a PIL image, upright, or the path of a file.
        most: the maximum number of hits.
        artifact: the folder of the artefacts; None takes the place that the index was made with.

    Raises:
        GalleryError: the index is missing, damaged, or of another artefact.
        ArtifactError: the artefact cannot be used.
        ImageError: the photograph cannot be read.
    """
    from pocketclip.export import foreign
    from pocketclip.export.gallery.indexing import embed_query
    from pocketclip.export.gallery.searching import nearest
    from pocketclip.export.precision import Tower
    from pocketclip.models.reading_child import Child

    if most < 1:
        raise GalleryError(f"most must be 1 or more, got {most}")
    opened = _opened(Path(index))
    tower = Tower.TEXT if isinstance(query, str) else Tower.IMAGE
    place = Path(opened.identity.artifact).parent if artifact is None else Path(artifact)
    chosen = _tower(place, tower)
    if chosen.manifest.model.weights_sha256 != opened.identity.weights_sha256:
        raise GalleryError(
            f"{index} was made with other weights than those of {chosen.folder}",
            fix="give the artefact's folder with --artifact",
        )
    with Child() as child:
        embedding = foreign.run(
            child,
            embed_query,
            chosen,
            query,
            about=str(chosen.folder),
            files=[chosen.folder / chosen.manifest.entry_point],
        )
    if len(embedding) != opened.identity.width:
        raise GalleryError(
            f"{index} has embeddings of {opened.identity.width} values, the artefact of {len(embedding)}"
        )
    return nearest(opened, embedding, most)


def similar_photos(index: str | Path, *, least_cosine: float = 0.98) -> list[SimilarGroup]:
    """Groups of indexed photographs that resemble each other, the most alike first.

    Args:
        index: the index's folder.
        least_cosine: of the embeddings of two photographs that count as alike, 0 to 1.

    Raises:
        GalleryError: the index is missing or damaged, or the cosine is out of range.
    """
    from pocketclip.export.gallery.searching import similar_groups

    if not 0 < least_cosine <= 1:
        raise GalleryError(f"least_cosine must lie above 0 and at most at 1, got {least_cosine}")
    return similar_groups(_opened(Path(index)), least_cosine)


def write_contact_sheet(path: str | Path, title: str, index: str | Path, sections: Sequence[SheetSection]) -> None:
    """Writes what was found as one HTML file with small pictures in it.

    Args:
        path: the HTML file.
        title: of the page.
        index: the index that the photographs are of.
        sections: what to show, in order.

    Raises:
        GalleryError: the index is missing or damaged.
        StorageError: the file cannot be written.
    """
    from pocketclip.export.gallery import contact_sheet

    contact_sheet.write_contact_sheet(Path(path), title, Path(_opened(Path(index)).identity.folder), sections)


def _opened(path: Path) -> GalleryIndex:
    from pocketclip.export.gallery.index_folder import open_index

    return open_index(path)


def _tower(path: Path, tower: object) -> Artifact:
    from pocketclip.export.artifact.reading import find_artifacts

    found = [each for each in find_artifacts([path]) if each.manifest.tower is tower]
    if len(found) != 1:
        raise GalleryError(
            f"exactly one {tower} artefact is needed in {path}, found {len(found)}",
            fix="give the folder of one pair, e.g. artifacts/pocketclip_nano/onnx-fp32",
        )
    return found[0]
