"""The `ship` command: a trial of a study as a folder for apps, with its evidence, here or on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pocketclip.benchmark.commands.options import StoreOption
from pocketclip.benchmark.default_store import DEFAULT_STORE
from pocketclip.models.terminal import command_line


def ship_command(
    study: Annotated[str, typer.Argument(help="The study's name in its store.")],
    pick: Annotated[
        str, typer.Option("--pick", help="knee, fastest or smallest of the front, or a trial's number.")
    ] = "knee",
    to: Annotated[
        str | None,
        typer.Option("--to", help="A folder, or hf:OWNER/REPO on the Hugging Face hub (default: shipped/STUDY)."),
    ] = None,
    labels: Annotated[
        str | None, typer.Option("--labels", help='Labels to embed, e.g. "a red circle,a blue square".')
    ] = None,
    weights_licence: Annotated[
        str | None, typer.Option("--weights-licence", help="Licence of the weights, e.g. Apache-2.0.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository on the hub private.")] = False,
    tuned: Annotated[
        Path | None, typer.Option("--tuned", help="The study's folder, which was tune's --out (default: tune/STUDY).")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Writes a trial as one folder: bundle, artefacts, weights, model card and evidence; uploads it if asked."""
    from pocketclip.benchmark.tune.hub import PREFIX, parse_repository, upload
    from pocketclip.benchmark.tune.picking import pick as pick_trial
    from pocketclip.benchmark.tune.shipping import words_of
    from pocketclip.benchmark.tune.studies import open_study

    repository = parse_repository(to) if to is not None and to.startswith(PREFIX) else None
    opened = open_study(study, out=tuned, store=store)
    out = Path("shipped") / study if to is None or repository is not None else Path(to)
    trial = pick_trial(pick, opened.trials, opened.settings)
    command_line.note(f"shipping {words_of(opened.workshop, trial)}")
    listed = [] if labels is None else [label.strip() for label in labels.split(",") if label.strip()]
    with command_line.progress() as bar:
        shipped = opened.ship(
            out,
            choice=str(trial.number),
            labels=listed,
            weights_licence=weights_licence,
            on_progress=command_line.shown_on(bar, "prompts embedded"),
        )
    console = command_line.console()
    console.print(f"{shipped.folder}: {shipped.model}, {shipped.files} files, {shipped.size_bytes / 1e6:.2f} MB")
    if repository is not None:
        address = upload(out, repository, private=private, message=f"{shipped.model}: trial {trial.number} of {study}")
        console.print(f"uploaded: {address}")
