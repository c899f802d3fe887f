"""Single files of open_clip: its package imports torchvision, timm and transformers, which takes seconds."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from types import ModuleType


@functools.cache
def open_clip_file(name: str) -> ModuleType:
    """A module of open_clip that imports no other of it, executed by itself, once.

    Raises:
        ModuleNotFoundError: open_clip is not installed.
    """
    package = importlib.util.find_spec("open_clip")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'open_clip'", name="open_clip")
    spec = importlib.util.spec_from_file_location(f"open_clip_{name}", Path(package.origin).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
