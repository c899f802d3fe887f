"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    pass


DevicesOption = Annotated[
    Path | None,
    typer.Option("--devices", help="Your device table; it extends the built-in one (default: POCKETCLIP_DEVICES)."),
]


StoreOption = Annotated[str, typer.Option("--store", help="The store of records: a SQLite file or an SQLAlchemy URL.")]
