"""CLIP-style models for phones: MobileCLIP's encoders, their modifications, training and evaluation.

The public names load on first use, so importing the package is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pocketclip.models.registry import create_model, get_preprocess, get_tokenizer, load_config
    from pocketclip.models.towers.clip import ClipModel, reparameterize

_HOMES = {
    "ClipModel": "pocketclip.models.towers.clip",
    "create_model": "pocketclip.models.registry",
    "get_preprocess": "pocketclip.models.registry",
    "get_tokenizer": "pocketclip.models.registry",
    "load_config": "pocketclip.models.registry",
    "reparameterize": "pocketclip.models.towers.clip",
}

__all__ = ["ClipModel", "create_model", "get_preprocess", "get_tokenizer", "load_config", "reparameterize"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pocketclip.models' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
