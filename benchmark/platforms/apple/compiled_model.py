"""Compiles a Core ML package on a Mac, so that a phone need not."""

from __future__ import annotations

import os
from pathlib import Path

from pocketclip.benchmark.errors import MeasurementError, MissingProgramError
from pocketclip.benchmark.platforms.apple.watched import run_watched

_SECONDS = 600.0


def compile_model(package: Path, folder: Path) -> Path:
    """Compiles a `.mlpackage` into a `.mlmodelc` folder in `folder`, which exists.

    Raises:
        MissingProgramError: Xcode is not installed.
        MeasurementError: Core ML's compiler refuses the model.
    """
    command = ["xcrun", "coremlcompiler", "compile", str(package), str(folder)]
    try:
        ended = run_watched(command, timeout_seconds=_SECONDS, environment=os.environ, enough=lambda _: False)
    except OSError as error:
        raise MissingProgramError(
            f"cannot start xcrun: {error.strerror or error}", fix="install Xcode 15 or later"
        ) from error
    compiled = folder / f"{package.stem}.mlmodelc"
    if ended.exit_code != 0 or not compiled.is_dir():
        raise MeasurementError(
            f"load-failed: Core ML's compiler refuses {package.name}: {ended.describe()}", fix="export it again"
        )
    return compiled
