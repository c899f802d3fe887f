"""Where what took long to fetch or to compute is kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path:
    """The folder `POCKETCLIP_CACHE`; without it `pocketclip` below the user's cache folder. It need not exist."""
    chosen = os.environ.get("POCKETCLIP_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pocketclip"
