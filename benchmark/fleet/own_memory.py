"""The most memory that this process has had."""

from __future__ import annotations

import sys


def peak_bytes() -> int:
    """The peak of resident memory since the process began; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
