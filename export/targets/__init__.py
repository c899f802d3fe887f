"""The export targets, as a literal table. Each target's module and packages load on first use."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.export import runtimes
from pocketclip.export.artifact.batches import FilledSession
from pocketclip.export.coreai import packages as coreai_packages
from pocketclip.export.errors import (
    ArtifactCorruptError,
    ModelRunError,
    TargetUnavailableError,
    UnknownTargetError,
    UnsupportedPrecisionError,
)
from pocketclip.export.lean_coremltools import import_coremltools
from pocketclip.export.npu import litert_libraries, maker_sdks, qualcomm
from pocketclip.export.npu.makers import MAKERS
from pocketclip.export.precision import MAKER_TARGETS, Precision, TargetName
from pocketclip.export.targets import schemes
from pocketclip.export.targets.base import Availability, NpuTarget, Runner, Target
from pocketclip.export.targets.converter_noise import held_stderr, quiet_loggers
from pocketclip.export.targets.schemes import Scheme
from pocketclip.models.errors import PocketClipError, choices, extra_command, first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from pocketclip.export.artifact.reading import Artifact
    from pocketclip.export.runtimes import Session


@dataclass(frozen=True)
class TargetEntry:
    """A row of the table.

    `schemes` has the precisions it offers, `lacking` says of all others why it does not. `base` is the floating-point
    precision the target is meant for, `int8` its main integer scheme, None where it has none; `packages` are the
    distributions it needs, the first one giving its version; `extra` is the pip extra that brings them; `runtime` the
    name in `export.runtimes`; `lacking_here` says what else this computer lacks, where packages are not all.
    """

    module: str
    class_name: str
    schemes: dict[Precision, Scheme]
    lacking: dict[Precision, str]
    base: Precision
    int8: Precision | None
    packages: tuple[str, ...]
    extra: str
    runtime: str
    lacking_here: Callable[[], qualcomm.Lacking | None] | None = None

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """What the target offers, in the order of the matrix."""
        return tuple(self.schemes)


# Of those that coremltools 9 and ExecuTorch's delegate can both write for.
NEWEST_IOS = 18

TARGETS: dict[TargetName, TargetEntry] = {
    TargetName.ONNX: TargetEntry(
        module="pocketclip.export.targets.onnx",
        class_name="OnnxTarget",
        schemes=schemes.ONNX_SCHEMES,
        lacking=schemes.ONNX_LACKING,
        base=Precision.FP32,
        int8=Precision.INT8_STATIC,
        packages=("onnxruntime", "onnx", "onnxscript"),
        extra="onnx",
        runtime="onnxruntime",
    ),
    TargetName.COREML: TargetEntry(
        module="pocketclip.export.targets.coreml",
        class_name="CoreMLTarget",
        schemes=schemes.COREML_SCHEMES,
        lacking=schemes.COREML_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_WEIGHTS,
        packages=("coremltools",),
        extra="coreml",
        runtime="coreml",
    ),
    TargetName.COREAI: TargetEntry(
        module="pocketclip.export.targets.coreai",
        class_name="CoreAITarget",
        schemes=schemes.COREAI_SCHEMES,
        lacking=schemes.COREAI_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_WEIGHTS,
        packages=("coreai-core", "coreai-torch"),
        extra="coreai",
        runtime="coreai",
        lacking_here=coreai_packages.lacking,
    ),
    TargetName.EXECUTORCH: TargetEntry(
        module="pocketclip.export.targets.executorch",
        class_name="ExecuTorchTarget",
        schemes=schemes.EXECUTORCH_SCHEMES,
        lacking=schemes.EXECUTORCH_LACKING,
        base=Precision.FP32,
        int8=Precision.INT8_STATIC,
        packages=("executorch", "torchao"),
        extra="executorch",
        runtime="executorch",
    ),
    TargetName.EXECUTORCH_COREML: TargetEntry(
        module="pocketclip.export.targets.executorch_coreml",
        class_name="ExecuTorchCoreMLTarget",
        schemes=schemes.EXECUTORCH_COREML_SCHEMES,
        lacking=schemes.EXECUTORCH_COREML_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_WEIGHTS,
        packages=("executorch", "coremltools"),
        extra="executorch,coreml",
        runtime="executorch",
    ),
    TargetName.EXECUTORCH_VULKAN: TargetEntry(
        module="pocketclip.export.targets.executorch_vulkan",
        class_name="ExecuTorchVulkanTarget",
        schemes=schemes.EXECUTORCH_VULKAN_SCHEMES,
        lacking=schemes.EXECUTORCH_VULKAN_LACKING,
        base=Precision.FP16,
        int8=None,
        packages=("executorch",),
        extra="executorch",
        runtime="executorch",
    ),
    TargetName.EXECUTORCH_QNN: TargetEntry(
        module="pocketclip.export.targets.executorch_qnn",
        class_name="ExecuTorchQnnTarget",
        schemes=schemes.EXECUTORCH_QNN_SCHEMES,
        lacking=schemes.QNN_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_STATIC,
        packages=("executorch", "torchao", "onnxruntime-qnn"),
        extra="executorch,qnn",
        runtime="executorch",
        lacking_here=qualcomm.lacking,
    ),
    TargetName.ONNX_QNN: TargetEntry(
        module="pocketclip.export.targets.onnx_qnn",
        class_name="OnnxQnnTarget",
        schemes=schemes.ONNX_QNN_SCHEMES,
        lacking=schemes.QNN_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_STATIC,
        packages=("onnxruntime-qnn", "onnxruntime", "onnx", "onnxscript"),
        extra="onnx,qnn",
        runtime="onnxruntime",
        lacking_here=qualcomm.lacking,
    ),
    TargetName.TFLITE: TargetEntry(
        module="pocketclip.export.targets.tflite",
        class_name="TfliteTarget",
        schemes=schemes.TFLITE_SCHEMES,
        lacking=schemes.TFLITE_LACKING,
        base=Precision.FP32,
        int8=Precision.INT8_STATIC,
        packages=("litert-torch", "ai-edge-litert", "ai-edge-quantizer"),
        extra="tflite",
        runtime="litert",
    ),
    TargetName.TFLITE_QNN: TargetEntry(
        module="pocketclip.export.targets.tflite_qnn",
        class_name="TfliteQnnTarget",
        schemes=schemes.TFLITE_QNN_SCHEMES,
        lacking=schemes.QNN_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_STATIC,
        packages=("litert-torch", "ai-edge-litert", "ai-edge-quantizer", "onnxruntime", "onnx"),
        extra="onnx,tflite",
        runtime="litert",
        lacking_here=litert_libraries.lacking,
    ),
    TargetName.TFLITE_MEDIATEK: TargetEntry(
        module="pocketclip.export.targets.tflite_maker",
        class_name="TfliteMediaTekTarget",
        schemes=schemes.TFLITE_MEDIATEK_SCHEMES,
        lacking=schemes.MAKER_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_STATIC,
        packages=("litert-torch", "ai-edge-litert", "ai-edge-quantizer", MAKERS[TargetName.TFLITE_MEDIATEK].package),
        extra="tflite",
        runtime="litert",
        lacking_here=partial(maker_sdks.lacking, MAKERS[TargetName.TFLITE_MEDIATEK]),
    ),
    TargetName.TFLITE_GOOGLE: TargetEntry(
        module="pocketclip.export.targets.tflite_maker",
        class_name="TfliteGoogleTarget",
        schemes=schemes.TFLITE_GOOGLE_SCHEMES,
        lacking=schemes.MAKER_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_STATIC,
        packages=("litert-torch", "ai-edge-litert", "ai-edge-quantizer", MAKERS[TargetName.TFLITE_GOOGLE].package),
        extra="tflite",
        runtime="litert",
        lacking_here=partial(maker_sdks.lacking, MAKERS[TargetName.TFLITE_GOOGLE]),
    ),
    TargetName.TFLITE_SAMSUNG: TargetEntry(
        module="pocketclip.export.targets.tflite_maker",
        class_name="TfliteSamsungTarget",
        schemes=schemes.TFLITE_SAMSUNG_SCHEMES,
        lacking=schemes.MAKER_LACKING,
        base=Precision.FP16,
        int8=Precision.INT8_STATIC,
        packages=("litert-torch", "ai-edge-litert", "ai-edge-quantizer", MAKERS[TargetName.TFLITE_SAMSUNG].package),
        extra="tflite",
        runtime="litert",
        lacking_here=partial(maker_sdks.lacking, MAKERS[TargetName.TFLITE_SAMSUNG]),
    ),
}


# Delegates that write files which nothing runs yet.
NOT_YET: dict[str, str] = {
    "executorch-coreai": "ExecuTorch 1.5's Core AI delegate has a converter and no runtime "
    "(its backends/apple/coreai/compiler/preprocess.py says so): --target coreai gives the same program as .aimodel",
}


def parse_targets(text: str) -> list[TargetName]:
    """`all` or a comma-separated list of target names.

    Raises:
        UnknownTargetError: a name does not exist; the message lists those that do.
    """
    if text == "all":
        return list(TARGETS)
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        if unknown[0] in NOT_YET:
            raise UnknownTargetError(f"target {unknown[0]} is not offered: {NOT_YET[unknown[0]]}")
        raise UnknownTargetError(f"there is no target {unknown[0]!r}", fix=f"choose among: {choices(TARGETS)}, or all")
    return list(dict.fromkeys(TargetName(name) for name in names))


def parse_precisions(text: str, target: TargetName) -> list[Precision]:
    """The precisions that `text` asks of a target: names, `base`, `int8` or `all`, with commas.

    `int8` is the main scheme with 8 bits of a target that has one; beside other words, it asks nothing of the others.

    Raises:
        UnsupportedPrecisionError: the target does not offer one of them; the message lists what it does.
    """
    entry = TARGETS[target]
    groups = {"base": [entry.base], "int8": [entry.int8] if entry.int8 else [], "all": entry.precisions}
    chosen: dict[Precision, None] = {}
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name in groups:
            chosen.update(dict.fromkeys(groups[name]))
        elif name in entry.precisions:
            chosen[Precision(name)] = None
        else:
            raise _not_offered(target, name)
    if not chosen:
        raise _not_offered(target, names[0])
    return list(chosen)


def _not_offered(target: TargetName, name: str) -> UnsupportedPrecisionError:
    entry = TARGETS[target]
    lacking = Precision.INT8_STATIC if name == "int8" else name
    reason = f" ({entry.lacking[Precision(lacking)]})" if lacking in entry.lacking else ""
    words = [f"base ({entry.base})", *([f"int8 ({entry.int8})"] if entry.int8 else []), "all"]
    return UnsupportedPrecisionError(
        f"target {target} does not offer {name!r}{reason}",
        fix=f"choose among: {choices(entry.precisions)}, or {', '.join(words)}",
    )


def probe(target: TargetName) -> Availability:
    """Whether the target's packages are installed, without importing them."""
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


def requirement(target: TargetName, precision: Precision, ios: int | None = None) -> str:
    """The oldest runtime or system that reads an artefact.

    Raises:
        UnsupportedPrecisionError: the iOS asked for is too old for the precision, or the target is not for iOS.
    """
    scheme = TARGETS[target].schemes[precision]
    if ios is None:
        return scheme.needs
    if scheme.minimum_ios is None:
        raise UnsupportedPrecisionError(f"--ios applies only to Core ML; {target} {precision} needs {scheme.needs}")
    oldest = scheme.oldest_ios or scheme.minimum_ios
    if not oldest <= ios <= NEWEST_IOS:
        raise UnsupportedPrecisionError(
            f"target {target} offers {precision} for iOS {oldest} to {NEWEST_IOS}, not for iOS {ios}"
        )
    return f"iOS {ios}"


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
