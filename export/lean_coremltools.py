"""The first import of coremltools, without packages that it looks for and that nothing here needs.

It imports scikit-learn, torchvision, Transformers and ExecuTorch's exporter wherever they are installed, to convert
what comes from them: three quarters of its ten seconds.
"""

from __future__ import annotations

import importlib
import sys

_NOT_NEEDED = ("executorch", "libsvm", "sklearn", "tensorflow", "torchaudio", "torchvision", "transformers", "xgboost")


def import_coremltools() -> None:
    """Imports it, where it has not been imported yet. Later imports of those packages are not touched."""
    if "coremltools" in sys.modules:
        return
    hidden = [name for name in _NOT_NEEDED if name not in sys.modules]
    # An import of a name whose module is None fails as that of a package that is not installed.
    sys.modules.update(dict.fromkeys(hidden))  # pyright: ignore[reportArgumentType, reportCallIssue]
    try:
        importlib.import_module("coremltools")
    finally:
        for name in hidden:
            del sys.modules[name]
