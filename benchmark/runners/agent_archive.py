"""Assembles `agent.pyz`, the one file that is pushed to a device, and its sibling that counts instructions.

The archive keeps the repository's folders, so the agent's imports are the same inside and outside. Its bytes
depend on its sources alone: their hash in a record says exactly what measured.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

from pocketclip.benchmark import agent
from pocketclip.export import runtimes

_AGENT = Path(agent.__file__).parent
_EXPORT = Path(runtimes.__file__).parent
_SHEBANG = b"#!/usr/bin/env python3\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)

# name in the archive -> source file; None makes an empty package marker
MEMBERS: dict[str, Path | None] = {
    "__main__.py": _AGENT / "__main__.py",
    "pocketclip/__init__.py": None,
    "pocketclip/benchmark/__init__.py": None,
    "pocketclip/benchmark/agent/__init__.py": None,
    "pocketclip/benchmark/agent/machine.py": _AGENT / "machine.py",
    "pocketclip/benchmark/agent/measurement.py": _AGENT / "measurement.py",
    "pocketclip/benchmark/agent/memory.py": _AGENT / "memory.py",
    "pocketclip/export/__init__.py": None,
    "pocketclip/export/runtimes.py": _EXPORT / "runtimes.py",
}

# The same with another program at its head, which counts instead of timing.
COUNTING_MEMBERS: dict[str, Path | None] = MEMBERS | {
    "__main__.py": _AGENT / "counting.py",
    "pocketclip/benchmark/agent/__main__.py": _AGENT / "__main__.py",
}


# Follows the runtimes' own source.
_SLOWED = """

import time as _time
_open_session = open_session
def open_session(runtime, path, threads=1, **options):
    session = _open_session(runtime, path, threads, **options)
    run = session.run
    def slowed(inputs):
        started = _time.perf_counter_ns()
        results = run(inputs)
        ends = started + (1 + {share}) * (_time.perf_counter_ns() - started)
        while _time.perf_counter_ns() < ends:
            pass
        return results
    session.run = slowed
    return session
"""


def build_agent() -> bytes:
    """The agent's bytes, the same on every machine that has the same sources."""
    return _built(MEMBERS)


def build_counting_agent() -> bytes:
    """The bytes of the agent that marks inferences for a counter of instructions."""
    return _built(COUNTING_MEMBERS)


def build_slowed_agent(share: float) -> bytes:
    """The agent with every inference longer by that share of its own time: a slow-down that a comparison shall find."""
    contents = {name: path.read_bytes() if path else b"" for name, path in MEMBERS.items()}
    contents["pocketclip/export/runtimes.py"] += _SLOWED.format(share=share).encode()
    return build_archive(contents)


def _built(members: dict[str, Path | None]) -> bytes:
    return build_archive({name: path.read_bytes() if path else b"" for name, path in members.items()})


def build_archive(members: dict[str, bytes]) -> bytes:
    """A zip application (see `zipapp`) of the members, in their order, uncompressed and with fixed dates."""
    buffer = io.BytesIO()
    buffer.write(_SHEBANG)
    # Stored, not deflated: compressed bytes differ between versions of zlib.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def digest(content: bytes) -> str:
    """SHA-256 as hex digits."""
    return hashlib.sha256(content).hexdigest()
