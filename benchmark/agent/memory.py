"""Memory of the own process, in bytes. What a system does not tell is None."""

from __future__ import annotations

import sys
from typing import Optional


def resident_bytes() -> Optional[int]:
    """Memory resident now (Linux and Android only)."""
    return _status_bytes("VmRSS:")


def peak_bytes() -> Optional[int]:
    """The highest resident memory since the start, or since `reset_peak` where that worked."""
    peak = _status_bytes("VmHWM:")
    if peak is not None:
        return peak
    try:
        import resource
    except ImportError:  # Windows
        return None
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes everywhere but on Apple's systems.
    return highest if sys.platform == "darwin" else highest * 1024


def proportional_bytes() -> Optional[int]:
    """Resident memory, pages shared with other processes counted in part (PSS)."""
    return _bytes("/proc/self/smaps_rollup", "Pss:")


def file_mapped_bytes() -> Optional[int]:
    """Resident pages of files, which the system may drop and read again."""
    return _status_bytes("RssFile:")


def reset_peak() -> bool:
    """Makes the peak start again from what is resident now; False where the system does not let us."""
    try:
        with open("/proc/self/clear_refs", "w") as stream:
            stream.write("5")
    except OSError:
        return False
    return True


def _status_bytes(field: str) -> Optional[int]:
    return _bytes("/proc/self/status", field)


def _bytes(path: str, field: str) -> Optional[int]:
    try:
        with open(path) as stream:
            for line in stream:
                if line.startswith(field):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None
