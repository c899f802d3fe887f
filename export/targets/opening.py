"""Which targets are available here, and what opens their files."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.export import runtimes
from pocketclip.export.artifact.batches import FilledSession
from pocketclip.export.errors import ArtifactCorruptError, ModelRunError, TargetUnavailableError
from pocketclip.export.lean_coremltools import import_coremltools
from pocketclip.export.precision import MAKER_TARGETS, TargetName
from pocketclip.export.targets.base import Availability, NpuTarget, Runner, Target
from pocketclip.export.targets.converter_noise import held_stderr, quiet_loggers
from pocketclip.export.targets.table import TARGETS
from pocketclip.export.targets.tested_versions import untested
from pocketclip.models.errors import PocketClipError, extra_command, first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from pocketclip.export.artifact.reading import Artifact
    from pocketclip.export.runtimes import Session


def probe(target: TargetName) -> Availability:
    """Whether the target's packages are installed in versions that were tested, without importing them."""
    entry = TARGETS[target]
    lacking = None if entry.lacking_here is None else entry.lacking_here()
    if lacking is not None:
        return Availability(available=False, reason=lacking.reason, install=lacking.remedy)
    missing = [name for name in entry.packages if _version(name) is None]
    if missing:
        return Availability(
            available=False,
            reason=f"missing {', '.join(missing)}",
            install=extra_command(entry.extra),
        )
    other = untested(entry.packages, entry.extra)
    if other is not None:
        return Availability(available=False, reason=other, install=extra_command(entry.extra))
    return Availability(available=True, version=f"{entry.packages[0]} {_version(entry.packages[0])}")


def load_target(target: TargetName) -> Target:
    """The target's implementation.

    Raises:
        TargetUnavailableError: its packages are not installed; the message has the command that adds them.
    """
    _require(target)
    return _implementation(target)


def _implementation(target: TargetName) -> Target:
    entry = TARGETS[target]
    quiet_loggers()
    if "coremltools" in entry.packages:
        import_coremltools()
    return getattr(importlib.import_module(entry.module), entry.class_name)()


def load_runner(target: TargetName) -> Runner:
    """What runs the target's files. Where that is a runtime alone, no converter and no PyTorch is imported.

    Raises:
        TargetUnavailableError: as `load_target`.
    """
    if target in MAKER_TARGETS:
        # Their portable file is what runs; only compiling needs the maker's SDK.
        _require(TargetName.TFLITE)
        return _implementation(target)
    if target not in _RUN_AS_THEY_ARE:
        return load_target(target)
    _require(target)
    return _RuntimeRunner(runtime_name(target))


# Core ML's and Vulkan's need a reference executor, or a copy, which their modules have.
_RUN_AS_THEY_ARE = frozenset({TargetName.ONNX, TargetName.EXECUTORCH, TargetName.TFLITE})


@dataclass(frozen=True)
class _RuntimeRunner:
    runtime: str

    def open(self, model_path: Path, threads: int) -> Session:
        return runtimes.open_session(self.runtime, str(model_path), threads)

    def executed_by(self) -> str:
        return runtimes.runtime_version(self.runtime)


def _require(target: TargetName) -> None:
    availability = probe(target)
    if not availability.available:
        raise TargetUnavailableError(
            f"target {target} is unavailable: {availability.reason}", fix=f"install it with: {availability.install}"
        )


def runtime_name(target: TargetName) -> str:
    """The name in `export.runtimes` of what runs the target's files."""
    return TARGETS[target].runtime


def open_session(artifact: Artifact, threads: int = 1) -> Session:
    """Loads an artefact for execution on this computer. One for several samples takes fewer too.

    Raises:
        TargetUnavailableError: the runtime is not installed.
        ArtifactCorruptError: the runtime refuses the file.
    """
    session = open_model(artifact.manifest.target, artifact.model_path, threads)
    batch = artifact.manifest.batch
    return session if batch == 1 else FilledSession(session, batch)


def open_model(target_name: TargetName, path: Path, threads: int = 1) -> Session:
    """`open_session` for a model file or package of a target's, wherever it lies."""
    target = load_runner(target_name)
    return _opened(target, path, lambda: target.open(path, threads))


def open_prepared(target_name: TargetName, path: Path, soc: str) -> Session:
    """The graph that a target prepared for the NPU of a chip, run by the emulator; raises as `open_session`."""
    target = load_target(target_name)
    assert isinstance(target, NpuTarget), f"{target_name} prepares no graphs for chips"
    return _opened(target, path, lambda: target.open_prepared(path, soc))


def _opened(target: Runner, path: Path, load: Callable[[], Session]) -> Session:
    try:
        with held_stderr():
            session = load()
    except ArtifactCorruptError as error:
        raise ArtifactCorruptError(f"{error}", fix="export it again") from error
    except PocketClipError:
        raise
    except Exception as error:
        # Each runtime has error types of its own; all of them mean that the file cannot be used.
        raise ArtifactCorruptError(
            f"{target.executed_by()} cannot load {path}: {first_line(error)}", fix="export it again"
        ) from error
    return _WordedSession(session, target, path)


# Of runtimes whose allocations fail.
_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "allocate memory", "out of memory", "Out of memory")


class _WordedSession:
    """A session whose runtime's errors are ours: what is wrong with a file may show when it runs."""

    def __init__(self, session: Session, target: Runner, path: Path) -> None:
        self._session, self._target, self._path = session, target, path

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        try:
            outputs = self._session.run(inputs)
        except PocketClipError:
            raise
        except Exception as error:
            reason = first_line(error)
            if any(words in reason for words in _OUT_OF_MEMORY):
                raise ModelRunError(f"{self._path} cannot be run: it needs more memory than its limit") from error
            raise self._refused(reason) from error
        if not outputs:
            raise self._refused("it gives no output")
        return outputs

    def close(self) -> None:
        self._session.close()

    def _refused(self, reason: str) -> ArtifactCorruptError:
        return ArtifactCorruptError(
            f"{self._target.executed_by()} cannot run {self._path}: {reason}", fix="export it again"
        )


def package_versions(target: TargetName) -> dict[str, str]:
    """Versions of torch, the target's packages and PocketCLIP, for manifests."""
    names = ("pocketclip", "torch", *TARGETS[target].packages)
    return {name: version for name in names if (version := _version(name)) is not None}


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
