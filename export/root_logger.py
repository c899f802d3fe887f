"""Keeps ExecuTorch's modules from changing how a process logs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_root_logger() -> Iterator[None]:
    """Holds back what modules report through the root logger, below warnings, and leaves its level as it was.

    ExecuTorch's modules for Vulkan and Qualcomm set that level when they are imported, and name each op there.
    """
    root = logging.getLogger()
    level, disabled = root.level, root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        root.setLevel(level)
        logging.disable(disabled)
