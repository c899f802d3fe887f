"""The JVM build of the app's bench core: a jar, built by Maven from the app's own sources."""

from __future__ import annotations

import os
from pathlib import Path

from benchmark.errors import EmulatorError

REPOSITORY = Path(__file__).parents[3]
PROOF = REPOSITORY / "android_app" / "proof"
# A jar built elsewhere.
VARIABLE = "POCKETCLIP_BENCH_JAR"


def bench_jar() -> Path:
    """The jar, built first where none is there for these sources.

    Raises:
        EmulatorError: it is not built and cannot be; the message says why.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    raise EmulatorError("to follow")
