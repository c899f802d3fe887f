"""CLIP-style models for phones: MobileCLIP's encoders, their modifications, training and evaluation.

The public names load on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.clip import ClipModel, reparameterize
    from models.registry import create_model, get_preprocess, get_tokenizer, load_config

_HOMES = {
    "ClipModel": "models.clip",
    "create_model": "models.registry",
    "get_preprocess": "models.registry",
    "get_tokenizer": "models.registry",
    "load_config": "models.registry",
    "reparameterize": "models.clip",
}

__all__ = ["ClipModel", "create_model", "get_preprocess", "get_tokenizer", "load_config", "reparameterize"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'models' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
