"""From PyTorch to proven artefacts for phones.

The package can be called: `pocketclip.export(model, target=...)` is `pocketclip.export.api.export`, since a library's
function and the folder of its code have the same name here.
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
