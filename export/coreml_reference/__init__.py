"""A reference executor for Core ML programs. It checks a package's parity where Core ML itself cannot run."""

from __future__ import annotations

from pocketclip.export.lean_coremltools import import_coremltools

import_coremltools()

from pocketclip.export.coreml_reference.executor import ReferenceExecutor  # noqa: E402
from pocketclip.export.coreml_reference.program import Program, ValueSpec, load_program  # noqa: E402

__all__ = ["Program", "ReferenceExecutor", "ValueSpec", "load_program"]
