"""Classes of packages that take seconds to import: an object of one shows that its package was imported."""

from __future__ import annotations

import sys
from typing import Any, TypeGuard


def is_loaded_instance(value: object, module: str, name: str) -> TypeGuard[Any]:
    """Whether the value is of a module's class, without importing the module: no object is of a class never defined.

    Args:
        value: any object.
        module: the module that defines the class.
        name: the class.
    """
    found = sys.modules.get(module)
    return found is not None and isinstance(value, getattr(found, name))
