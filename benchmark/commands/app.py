"""`pocketclip app`: builds the phone apps.

Heavy imports live inside the functions: `--help` must not wait for them.
"""

from __future__ import annotations

from typing import Annotated

import typer

app_app = typer.Typer(help="Builds the phone apps: sample and measuring.", no_args_is_help=True)


@app_app.callback()
def app_command() -> None:
    """Builds the phone apps: sample and measuring."""


@app_app.command("build", no_args_is_help=True)
def build_command(
    platform: Annotated[str, typer.Argument(help="android (Gradle and the Android SDK) or ios (Xcode, on a Mac).")],
    team: Annotated[
        str | None, typer.Option("--team", help="For ios: your Apple developer team, which signs the app.")
    ] = None,
) -> None:
    """Builds the phone apps from the bundled sources and prints their paths.

    android: the measuring app and the sample app. ios: one app that is both.
    """
    from pocketclip.benchmark.api import build_app

    for path in build_app(platform, team=team):
        print(path)
