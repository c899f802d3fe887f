"""The phone's state, which every program reads and changes; tests do so from outside. Standard library alone.

/state/services.json  what Android's services would say, read by the bench core too
/state/phone.json     what else there is: properties, settings, packages, faults to come
/state/calls.log      every call of a program, a line each
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

FOLDER = os.environ.get("TEST_PHONE_STATE", "/state")
PACKAGE = "org.pocketclip.bench"


def services() -> dict[str, Any]:
    """Battery, power saver, temperature."""
    with open(f"{FOLDER}/services.json") as stream:
        return json.load(stream)


def phone() -> dict[str, Any]:
    """Everything else."""
    with open(f"{FOLDER}/phone.json") as stream:
        return json.load(stream)


@contextlib.contextmanager
def changing() -> Iterator[dict[str, Any]]:
    """The state in `phone.json`, written back at the end; programs take turns."""
    with open(f"{FOLDER}/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = phone()
        yield state
        partial = f"{FOLDER}/phone.json.partial"
        with open(partial, "w") as stream:
            json.dump(state, stream, indent=2)
        os.replace(partial, f"{FOLDER}/phone.json")


def log_call(program: str) -> list[str]:
    """The arguments of this call, once they are in the log."""
    arguments = sys.argv[1:]
    with open(f"{FOLDER}/calls.log", "a") as stream:
        stream.write(" ".join([program, *arguments]) + "\n")
    return arguments


def refuse(words: str, code: int = 1) -> None:
    """Ends the program with words on stderr."""
    print(words, file=sys.stderr)
    sys.exit(code)
