"""Converts PyTorch models to artefacts for phones and checks their parity.

The package is callable: `pocketclip.export(model, target=...)` is `pocketclip.export.api.export`, because the public
function and this package have the same name.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from pocketclip.export.api import export

        return export(*arguments, **options)


sys.modules[__name__].__class__ = _CallablePackage
