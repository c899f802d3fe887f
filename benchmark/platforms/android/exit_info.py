"""`dumpsys activity exit-info PACKAGE` (Android 11 and later): why an app's process ended."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_ENTRY = re.compile(
    r"ApplicationExitInfo #\d+:.*?\bpid=([0-9]{1,9})"
    r".*?\breason=([0-9]{1,9})(?: \(([^\n]*?)\)(?=\s+(?:subreason|status)=))?"
    r".*?\bstatus=(-?[0-9]{1,9})(?:.*?\bdescription=([^\n]*?)(?=\s+(?:state|trace)=|$))?",
    re.DOTALL | re.MULTILINE,
)
# android.app.ApplicationExitInfo's reasons.
_SIGNALED, _LOW_MEMORY, _CRASH, _CRASH_NATIVE, _ANR, _EXCESSIVE, _USER_REQUESTED = 2, 3, 4, 5, 6, 9, 10
_SIGKILL = 9


class Ending(StrEnum):
    """How a process ended, as far as it matters here."""

    CRASHED = "crashed"
    KILLED = "killed"
    OTHER = "other"


@dataclass(frozen=True)
class ProcessExit:
    """The end of a process: Android's number and word of its reason, the exit status or the signal."""

    pid: int
    reason: int
    word: str
    status: int
    description: str

    @property
    def ending(self) -> Ending:
        """Whether it crashed by itself or was killed from outside."""
        if self.reason in (_CRASH, _CRASH_NATIVE):
            return Ending.CRASHED
        if self.reason == _SIGNALED:
            return Ending.KILLED if self.status == _SIGKILL else Ending.CRASHED
        if self.reason in (_LOW_MEMORY, _ANR, _EXCESSIVE, _USER_REQUESTED):
            return Ending.KILLED
        return Ending.OTHER

    @property
    def worded(self) -> str:
        """For messages."""
        signal = f", signal {self.status}" if self.reason in (_SIGNALED, _CRASH_NATIVE) and self.status else ""
        more = f", {self.description}" if self.description not in ("", "null") else ""
        return f"{self.word or f'reason {self.reason}'}{signal}{more}"


def parse_exits(text: str) -> tuple[ProcessExit, ...]:
    """The ends that Android remembers of a package's processes, the newest first."""
    return tuple(
        ProcessExit(int(pid), int(reason), word, int(status), description.strip())
        for pid, reason, word, status, description in _ENTRY.findall(text)
    )
