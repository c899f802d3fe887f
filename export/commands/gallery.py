"""The `index` and `search` commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from pocketclip.export.gallery.contact_sheet import SheetSection
    from pocketclip.export.gallery.indexing import IndexReport
    from pocketclip.export.gallery.searching import SearchHit, SimilarGroup
    from pocketclip.models.terminal.table import TerminalTable


def index_command(
    folder: Annotated[Path, typer.Argument(help="Folder of photographs, with the folders in it.")],
    artifact: Annotated[Path, typer.Option("--artifact", help="Folder of an image artefact or of a pair.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the index.")] = Path("gallery"),
    threads: Annotated[int, typer.Option("--threads", min=1, max=256, help="Threads of the runtime.")] = 1,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=256, help="Threads that decode and resize photographs.")
    ] = 2,
) -> None:
    """Embeds the photographs of a folder, so that you can search them. Embeds only what is new or changed.

    You can end it at any moment, and go on with the same command.
    """
    from pocketclip.export import api

    with command_line.progress() as bar:
        report = api.index_photos(
            folder,
            artifact,
            out,
            threads=threads,
            workers=workers,
            on_progress=command_line.shown_on(bar, "photographs"),
        )
    _say(report, out)


def _say(report: IndexReport, out: Path) -> None:
    from pocketclip.models.untrusted.printable import printable_line

    command_line.note(
        f"{out}: {report.photos:,} photographs; {report.added:,} embedded, {report.forgotten:,} forgotten"
    )
    if report.unreadable:
        name, reason = report.first_unreadable[0]
        command_line.note(
            printable_line(f"warning: {report.unreadable:,} photographs cannot be read; the first, {name}: {reason}")
        )
    if report.left_out is not None:
        command_line.note(f"note: {report.left_out}")
    command_line.note(f'next: pocketclip search {out} "a sentence"')


def search_command(
    index: Annotated[Path, typer.Argument(help="Folder of the index.")],
    sentence: Annotated[str | None, typer.Argument(help="What to search for.", show_default=False)] = None,
    like: Annotated[Path | None, typer.Option("--like", help="Search for photographs like this one.")] = None,
    similar: Annotated[
        bool, typer.Option("--similar", help="Group photographs that resemble each other, such as duplicates.")
    ] = False,
    least_cosine: Annotated[
        float, typer.Option("--least-cosine", min=0.0, max=1.0, help="With --similar: what counts as alike.")
    ] = 0.98,
    most: Annotated[int, typer.Option("--most", min=1, help="Maximum number of hits or groups.")] = 20,
    artifact: Annotated[
        Path | None,
        typer.Option("--artifact", help="Folder of the artefacts (default: where the index was made)."),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="HTML file that shows what was found.")] = None,
) -> None:
    """Searches indexed photographs by a sentence, by a photograph, or for those that resemble each other."""
    from pocketclip.export import api
    from pocketclip.export.errors import GalleryError

    if sum((sentence is not None, like is not None, similar)) != 1:
        raise GalleryError("search takes one of: a sentence, --like PHOTOGRAPH, --similar")
    if similar:
        groups = api.similar_photos(index, least_cosine=least_cosine)
        command_line.console().print(groups_table(groups[:most]))
        command_line.note(f"{len(groups)} groups with {sum(len(group.photos) for group in groups)} photographs")
        _write_sheet(html, "Photographs that resemble each other", index, _sections_of_groups(groups[:most]))
        return
    query = sentence if like is None else like
    assert query is not None
    hits = api.search_photos(index, query, most=most, artifact=artifact)
    command_line.console().print(hits_table(hits))
    _write_sheet(html, str(query), index, _sections_of_hits(hits))


def hits_table(hits: list[SearchHit]) -> TerminalTable:
    """The hits, the nearest first."""
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column

    rows = [(hit.photo, f"{hit.cosine:.3f}") for hit in hits]
    return TerminalTable((name_column("photograph"), *figure_columns("cosine")), rows)


def groups_table(groups: list[SimilarGroup]) -> TerminalTable:
    """A row for each photograph of each group."""
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column

    rows = [
        (photo, str(number), f"{group.cosine:.3f}") for number, group in enumerate(groups, 1) for photo in group.photos
    ]
    return TerminalTable((name_column("photograph"), *figure_columns("group", "cosine")), rows)


def _sections_of_hits(hits: list[SearchHit]) -> list[SheetSection]:
    from pocketclip.export.gallery.contact_sheet import SheetEntry, SheetSection

    return [SheetSection("", tuple(SheetEntry(hit.photo, f"cosine {hit.cosine:.3f}") for hit in hits))]


def _sections_of_groups(groups: list[SimilarGroup]) -> list[SheetSection]:
    from pocketclip.export.gallery.contact_sheet import SheetEntry, SheetSection

    return [
        SheetSection(f"Group {number}, cosine {group.cosine:.3f}", tuple(map(SheetEntry, group.photos)))
        for number, group in enumerate(groups, 1)
    ]


def _write_sheet(path: Path | None, title: str, index: Path, sections: list[SheetSection]) -> None:
    from pocketclip.export import api

    if path is not None:
        api.write_contact_sheet(path, title, index, sections)
        command_line.note(f"wrote {path}")
