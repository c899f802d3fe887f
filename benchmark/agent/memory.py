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


def reset_peak() -> bool:
    """Makes the peak start again from what is resident now; False where the system does not let us."""
    try:
        with open("/proc/self/clear_refs", "w") as stream:
            stream.write("5")
    except OSError:
        return False
    return True


def _status_bytes(field: str) -> Optional[int]:
    try:
        with open("/proc/self/status") as stream:
            for line in stream:
                if line.startswith(field):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None
