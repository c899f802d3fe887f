"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    pass


DevicesOption = Annotated[
    Path | None,
    typer.Option("--devices", help="Your table of devices, laid over ours (default: POCKETCLIP_DEVICES)."),
]


StoreOption = Annotated[
    str, typer.Option("--store", help="Where records are kept: a SQLite file or an SQLAlchemy URL.")
]
