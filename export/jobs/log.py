"""`export.log`: why jobs failed or ran again, and what the converters printed."""

from __future__ import annotations

import datetime
import logging
import os
from pathlib import Path

from pocketclip.export.jobs.workers import Outcome
from pocketclip.models import atomic
from pocketclip.models.untrusted.printable import printable_line

LOG_NAME = "export.log"
_LOG = logging.getLogger("pocketclip.export")


class ExportLog:
    """The file in the folder of the artefacts. Workers and other exports append to it: lines are written at once."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOG_NAME

    def begin(self) -> None:
        """Writes down that an export begins, below what others wrote: one may be at work in the same folder.

        Raises:
            StorageError: the folder cannot be written.
        """
        with atomic.storage_errors(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        begun = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._write(f"begun    {begun}, process {os.getpid()}")

    def keep(self, outcome: Outcome) -> None:
        """Writes the reason down where a job failed."""
        job, result = outcome
        reasons = [str(result)] if isinstance(result, Exception) else list(result.failures)
        if reasons:
            self._write(f"failed   {job.label}: {'; '.join(reasons)}")

    def again(self, reason: str) -> None:
        """Writes down that a job has to run again, and logs it."""
        self._write(f"again    {reason}")
        _LOG.info("%s", reason)

    def _write(self, line: str) -> None:
        with atomic.storage_errors(self.path.parent), self.path.open("a", encoding="utf-8") as stream:
            stream.write(f"{printable_line(line)}\n")
