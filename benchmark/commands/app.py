"""`pocketclip app`: builds the phone apps.

Heavy imports live inside the functions: `--help` must not wait for them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pocketclip.models.terminal import command_line

app_app = typer.Typer(help="Builds the measuring apps for phones.", no_args_is_help=True)


class Platform(StrEnum):
    """The platforms that have an app."""

    ANDROID = "android"
    IOS = "ios"


@app_app.callback()
def app_command() -> None:
    """Builds the measuring apps for phones."""


@app_app.command("build", no_args_is_help=True)
def build_command(
    platform: Annotated[str, typer.Argument(help="android (Gradle and the Android SDK) or ios (Xcode, on a Mac).")],
    team: Annotated[
        str | None, typer.Option("--team", help="For ios: your Apple developer team, which signs the app.")
    ] = None,
) -> None:
    """Builds the app from the bundled sources and prints its path."""
    from pocketclip.benchmark.phone_app.building import build_android, build_ios
    from pocketclip.benchmark.phone_app.sources import app_sources

    chosen = command_line.parse_choice(Platform, "app build", platform)
    folder = app_sources()
    if chosen is Platform.IOS:
        print(build_ios(folder, team))
        return
    for path in build_android(folder, command_line.note):
        print(path)
