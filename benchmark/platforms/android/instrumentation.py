"""`am instrument -r`: what an instrumentation said while it ran and how it ended.

INSTRUMENTATION_STATUS: progress=loaded; warming up
INSTRUMENTATION_STATUS_CODE: 1
INSTRUMENTATION_RESULT: pocketclip=1234 ab12...
INSTRUMENTATION_CODE: -1
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# android.app.Activity.RESULT_OK: what an instrumentation that worked finishes with.
RESULT_OK = -1

_ENTRY = re.compile(r"^INSTRUMENTATION_(STATUS|RESULT|STATUS_CODE|CODE|FAILED|ABORTED): ?(.*)$")
_CRASHED = "Process crashed"


@dataclass(frozen=True)
class Instrumented:
    """An instrumentation that has ended.

    `code` is what it finished with; None where it never did. `results` are its values, `status` the values that it
    told while it ran, each name's last one. `fault` is what Android itself said against it.
    """

    code: int | None
    results: Mapping[str, str] = field(default_factory=dict[str, str])
    status: Mapping[str, str] = field(default_factory=dict[str, str])
    fault: str | None = None

    @property
    def crashed(self) -> bool:
        """Whether its process ended before it had finished."""
        return self.code != RESULT_OK and "shortMsg" in self.results

    @property
    def crash(self) -> str:
        """What Android says of the crash: the exception's class and words, or that the process is gone."""
        words = (self.results.get("shortMsg", ""), self.results.get("longMsg", ""))
        return ": ".join(word.strip() for word in dict.fromkeys(words) if word.strip()) or _CRASHED


def parse_instrumentation(stdout: str, stderr: str = "") -> Instrumented:
    """Reads raw output (`-r`); a value may go over several lines, as a stack does."""
    results: dict[str, str] = {}
    status: dict[str, str] = {}
    code: int | None = None
    fault: str | None = None
    open_entry: tuple[dict[str, str], str] | None = None
    for line in stdout.replace("\r\n", "\n").splitlines():
        entry = _ENTRY.match(line)
        if entry is None:
            if open_entry is not None:
                values, name = open_entry
                values[name] += f"\n{line}"
            continue
        open_entry = None
        kind, rest = entry.groups()
        if kind == "CODE":
            code = int(rest) if re.fullmatch(r"-?[0-9]{1,9}", rest.strip()) else None
        elif kind in ("FAILED", "ABORTED"):
            fault = f"INSTRUMENTATION_{kind}: {rest}"
        elif kind in ("STATUS", "RESULT"):
            name, _, value = rest.partition("=")
            values = status if kind == "STATUS" else results
            values[name] = value
            open_entry = (values, name)
    # `am` words what it refuses as an exception, on stderr or stdout, by version.
    refused = re.search(r"INSTRUMENTATION_FAILED: [^\n]+", f"{stdout}\n{stderr}")
    if "Error" in status and (refused is not None or code is None):
        fault = status["Error"].strip()
    elif fault is None and refused is not None:
        fault = refused[0]
    return Instrumented(code, results, status, fault)
