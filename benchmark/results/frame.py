"""Records as a pandas table, with the columns that CSV files have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pocketclip.benchmark.results.csv_files import DOCUMENT, RECORD_COLUMNS
from pocketclip.benchmark.results.figures import measured_cells
from pocketclip.benchmark.store import Record
from pocketclip.benchmark.store.identity import identity
from pocketclip.models.errors import MissingPackageError

if TYPE_CHECKING:
    import pandas as pd


def to_frame(records: Sequence[Record]) -> pd.DataFrame:
    """One row for each record; times in nanoseconds, sizes in bytes, shares in [0, 1].

    Raises:
        MissingPackageError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise MissingPackageError("a table of records needs pandas", fix="add it with: pip install pandas") from None
    columns = [name for name in RECORD_COLUMNS if name != DOCUMENT]
    return pd.DataFrame([{**identity(each), **measured_cells(each)} for each in records], columns=columns)
