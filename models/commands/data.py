"""The commands `pocketclip data`: data sets that are built from public packages, and vocabularies of captions."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from pocketclip.models.pictures.manifest import PicturesManifest
    from pocketclip.models.progress import OnProgress, Progress

_SETS = ("pictures",)
_EVERY_SECONDS = 15.0

data_app = command_line.new_app("data", "Builds data sets and vocabularies.")


@data_app.callback()
def data() -> None:
    """Builds data sets and vocabularies."""


@data_app.command("build", short_help="Builds a data set from public packages.", no_args_is_help=True)
def build_command(
    name: Annotated[str, typer.Argument(help="The data set: pictures.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Folder of the set; a build that was ended goes on there.")],
    without: Annotated[
        list[str] | None,
        typer.Option("--without", help="Leave out a source, e.g. photographs or openclipart. Repeatable."),
    ] = None,
    size: Annotated[int, typer.Option("--size", min=64, max=256, help="Side of an image in pixels.")] = 96,
    compositions: Annotated[
        int, typer.Option("--compositions", min=1, max=100, help="How often training shows each picture.")
    ] = 6,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=256, help="Processes (default: one per core).")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder of downloaded packages (default: the user's cache).")
    ] = None,
) -> None:
    """Builds shards of real pictures with captions from packages that npm and apt-get download (400 MB)."""
    if name not in _SETS:
        from pocketclip.models.errors import ConfigError, choices

        raise ConfigError(f"there is no data set {name!r} to build", fix=f"choose among: {choices(_SETS)}")
    from pocketclip.models.api import build_pictures

    started = time.monotonic()
    with command_line.progress() as bar:
        manifest = build_pictures(
            out,
            without=without or (),
            size=size,
            compositions=compositions,
            workers=workers,
            cache=cache,
            on_progress=_Shown(command_line.shown_on(bar, name), quiet=not bar.disable),
        )
    _print(manifest, out, time.monotonic() - started)


class _Shown:
    """Moves the bar; off a terminal, writes a line for each part of the work and now and then between."""

    def __init__(self, move: OnProgress, *, quiet: bool) -> None:
        self._move, self._quiet = move, quiet
        self._task, self._said = "", 0.0

    def __call__(self, reached: Progress) -> None:
        self._move(reached)
        now = time.monotonic()
        if self._quiet or (reached.task == self._task and now - self._said < _EVERY_SECONDS):
            return
        self._task, self._said = reached.task, now
        of = "" if reached.total is None else f" of {reached.total:,}"
        command_line.note(f"{reached.task}: {reached.done:,}{of}")


@data_app.command("vocabulary", short_help="Lists the tokens that captions use.", no_args_is_help=True)
def vocabulary_command(
    data: Annotated[str, typer.Option("--data", help="Captions, as `train --data` takes them.")],
    out: Annotated[Path, typer.Option("--out", help="The .json file.")],
    min_count: Annotated[int, typer.Option("--min-count", min=1, help="How often a token must occur.")] = 1,
) -> None:
    """Writes the token ids that captions use: a text tower needs a row for each, instead of 49,408 rows.

    Train with it: --set tokenizer.vocabulary=FILE.
    """
    from pocketclip.models.api import build_vocabulary

    with command_line.progress() as bar:
        vocabulary = build_vocabulary(
            data,
            out,
            min_count=min_count,
            on_progress=_Shown(command_line.shown_on(bar, "captions"), quiet=not bar.disable),
        )
    command_line.note(f"wrote {out}: {len(vocabulary):,} token ids")
    words = shlex.join(["--set", f"tokenizer.vocabulary={out}", "--data", data])
    command_line.note(f"next: pocketclip train {words} --out runs/mine")


def _print(manifest: PicturesManifest, out: Path, seconds: float) -> None:
    from pocketclip.models.commands.train_display import duration
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column, word_column

    command_line.console().print(
        TerminalTable(
            columns=(
                name_column("split"),
                *figure_columns("pictures", "classes", "shards", "MB"),
                word_column("lacks"),
            ),
            rows=[
                (
                    split.name,
                    f"{split.samples:,}",
                    f"{split.classes:,}" if split.classes else "",
                    f"{len(split.shards):,}",
                    f"{sum(shard.size_bytes for shard in split.shards) / 1e6:.0f}",
                    f"{split.whole_samples - split.samples:,}" if split.partial else "",
                )
                for split in manifest.splits
            ],
            title=f"{out}: {manifest.side} x {manifest.side} pixels, built in {duration(seconds)}",
        )
    )
    for split in manifest.splits:
        if split.partial:
            command_line.note(f"note: {split.name} is partial: {'; '.join(split.lacking)}")
    for words in manifest.left_out:
        command_line.note(f"note: left out: {words}")
    command_line.note(f"next: pocketclip train --data webdataset:{out}/train --out runs/pictures")
