"""Lint and inspection of model files and artefacts of any origin, in a bounded child process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.export.api.artifacts import Artifact
from pocketclip.export.errors import ArtifactError, LintRuleError, ModelRunError
from pocketclip.models.api import Model
from pocketclip.models.errors import choices
from pocketclip.models.untrusted.files import reading_errors

if TYPE_CHECKING:
    from pocketclip.export.artifact import reading
    from pocketclip.export.coreai.asset_report import AssetReport
    from pocketclip.export.lint.run import Linted
    from pocketclip.export.npu.npu_report import NpuReport
    from pocketclip.export.package_report import PackageReport


@dataclass(frozen=True)
class LintResult:
    """The findings for each subject, and the errors of unreadable ones, by label."""

    linted: tuple[Linted, ...]
    faults: tuple[tuple[str, ArtifactError], ...]


def lint(
    subject: Model | Artifact | str | Path, *, ignore: Collection[str] = (), gpu: bool = False, npu: bool = False
) -> list[Linted]:
    """Checks a model, an artefact or a model file against rules with codes (docs/lint.md).

    Args:
        subject: a model, an artefact, a folder of artefacts, or a .onnx, .tflite, .pte or .mlpackage from anywhere.
        ignore: codes of rules to ignore, e.g. `PC011`.
        gpu: ask LiteRT's GPU delegate about LiteRT files too.
        npu: ask whether files suit Snapdragon's NPU too.

    Returns:
        The findings for each checked graph, empty if nothing was found.

    Raises:
        LintRuleError: a rule code does not exist, or no subject was given.
        ArtifactError: a file cannot be read.
    """
    found = lint_all(subject, ignore=ignore, gpu=gpu, npu=npu)
    if found.faults:
        raise found.faults[0][1]
    return list(found.linted)


def lint_all(
    subject: Model | Artifact | str | Path,
    *,
    changes: Sequence[str] = (),
    weights: str | None = None,
    ignore: Collection[str] = (),
    gpu: bool = False,
    npu: bool = False,
) -> LintResult:
    """Like `lint`, but an unreadable file does not affect the findings for others.

    Args:
        subject: as for `lint`; a string may also name a model.
        changes: modifications of the named model.
        weights: the checkpoint of the named model.
        ignore: codes of rules to ignore.
        gpu: ask LiteRT's GPU delegate about LiteRT files too.
        npu: ask whether files suit Snapdragon's NPU too.

    Raises:
        LintRuleError: no subject was given, changes or weights were given without a model, or a model with `gpu` or
            `npu`.
        UnknownModelError, ConfigError, CheckpointError: the model cannot be built.
        ArtifactNotFoundError: there is no such artefact or file.
    """
    from pocketclip.export.artifact.reading import find_artifacts
    from pocketclip.export.lint.run import is_model_file, parse_codes, summary_of_artifact, summary_of_file
    from pocketclip.models.registry import MODELS, choose_model
    from pocketclip.models.run_folder import is_run_folder

    ignored = parse_codes(ignore)
    of_artifact, of_file = partial(summary_of_artifact, npu=npu), partial(summary_of_file, npu=npu)
    if isinstance(subject, Model):
        _require_neither(gpu, npu)
        return _without(ignored, _lint_model(subject))
    if isinstance(subject, Artifact):
        return _without(ignored, _lint_files(of_artifact, [_named(subject.files)], gpu))
    if not str(subject):
        raise LintRuleError("give a model, an artefact or a model file; --list shows the rules")
    path = Path(subject)
    with reading_errors(path, error=ArtifactError):
        _require_lintable(path)
        on_disk = is_model_file(path) or (path.is_dir() and str(subject) not in MODELS and not is_run_folder(path))
    if on_disk and (changes or weights):
        raise LintRuleError(f"--set and --weights are for models; {subject} is a file or folder")
    if is_model_file(path):
        return _without(ignored, _lint_files(of_file, [(str(path), path, path)], gpu))
    if on_disk:
        artifacts = [_named(each) for each in find_artifacts([path])]
        return _without(ignored, _lint_files(of_artifact, artifacts, gpu))
    _require_neither(gpu, npu)
    return _without(ignored, _lint_model(Model(choose_model(str(subject), changes, weights))))


def inspect(path: str | Path) -> PackageReport | AssetReport | NpuReport:
    """The contents of a Core ML or Core AI model: ops, precisions, sizes, and likely problems on the Neural Engine.

    Of an artefact for NPUs, the graphs that were prepared for each chip.

    Args:
        path: an `.mlpackage`, an `.aimodel`, a `.pte` for Core ML, or an artefact's folder.

    Raises:
        ArtifactNotFoundError: there is no such path.
        ArtifactError: it is neither, or cannot be read.
    """
    from pocketclip.export import foreign
    from pocketclip.models.reading_child import Child

    with reading_errors(Path(path), error=ArtifactError):
        prepared = _prepared_graphs(Path(path))
        if prepared is not None:
            return prepared
        model, ours = _apple_model(Path(path))
    with Child() as child:
        return foreign.read(child, _report, model, ours, about=model, files=[model])


def _named(artifact: reading.Artifact) -> tuple[str, object, Path]:
    return artifact.label, artifact, artifact.model_path


def _lint_model(model: Model) -> LintResult:
    from pocketclip.export.lint.run import lint_model, summary
    from pocketclip.export.targets.converter_noise import quiet_loggers

    quiet_loggers()
    choice = model.choice
    return LintResult(tuple(summary(*each) for each in lint_model(choice.config, choice.weights, choice.cautions)), ())


def _require_neither(gpu: bool, npu: bool) -> None:
    if gpu:
        raise LintRuleError("--gpu is for LiteRT files, not for models", fix="export the model first (--target tflite)")
    if npu:
        raise LintRuleError(
            "--npu is for model files, not for models", fix="export the model first (--target onnx-qnn)"
        )


def _lint_files(
    function: Callable[..., Linted], subjects: Sequence[tuple[str, object, Path]], gpu: bool = False
) -> LintResult:
    """Reads each file in the same child process."""
    from pocketclip.export import foreign
    from pocketclip.export.lint.readers import model_files
    from pocketclip.models.reading_child import Child

    found: list[Linted] = []
    faults: list[tuple[str, ArtifactError]] = []
    with Child() as child:
        for label, subject, path in subjects:
            try:
                # Weights may lie in larger files beside a small one.
                files = foreign.read(child, model_files, path, about=path, files=[path])
                linted = foreign.read(child, function, subject, about=path, files=[*files])
                found.append(_asked(linted, subject, path) if gpu and path.suffix == ".tflite" else linted)
            except ArtifactError as error:
                faults.append((label, error))
    return LintResult(tuple(found), tuple(faults))


def _asked(linted: Linted, subject: object, path: Path) -> Linted:
    """With what LiteRT's GPU delegate says; in a process of its own, since the first device that it took stays."""
    from pocketclip.export import foreign
    from pocketclip.export.lint.gpu_rules import crashed, with_gpu
    from pocketclip.models.reading_child import Child

    with Child() as child:
        try:
            return foreign.run(child, with_gpu, linted, subject, about="the file", files=[path])
        except ModelRunError as error:
            return crashed(linted, str(error))


def _without(ignored: Collection[str], result: LintResult) -> LintResult:
    kept = (
        replace(each, findings=tuple(finding for finding in each.findings if finding.code not in ignored))
        for each in result.linted
    )
    return replace(result, linted=tuple(kept))


def _prepared_graphs(path: Path) -> NpuReport | None:
    """The report of an artefact for NPUs; None where the path is something else."""
    from pocketclip.export.artifact.manifest import MANIFEST_NAME, read_manifest
    from pocketclip.export.artifact.reading import load_artifact
    from pocketclip.export.npu.npu_report import read_report
    from pocketclip.export.precision import NPU_TARGETS

    if not (path / MANIFEST_NAME).is_file() or read_manifest(path).target not in NPU_TARGETS:
        return None
    return read_report(load_artifact(path).folder)


def _apple_model(path: Path) -> tuple[Path, bool]:
    """The package, asset or `.pte` that is meant, and whether it is of an artefact of ours.

    Raises:
        ArtifactNotFoundError: there is no such path.
        ArtifactError: it is neither, or the artefact is for another target.
    """
    from pocketclip.export.artifact.manifest import MANIFEST_NAME
    from pocketclip.export.artifact.reading import load_artifact
    from pocketclip.export.errors import ArtifactError, ArtifactNotFoundError
    from pocketclip.export.lint.readers import READERS
    from pocketclip.export.precision import APPLE_TARGETS

    if not path.exists():
        raise ArtifactNotFoundError(
            f"{path} does not exist", fix="give an .mlpackage, an .aimodel or an artefact's folder"
        )
    if path.suffix in (".mlpackage", ".aimodel") or (path.suffix == ".pte" and path.is_file()):
        return path, False
    if path.suffix in READERS:
        raise ArtifactError(
            f"{path} is no Core ML package and no Core AI asset; only these can be inspected",
            fix="try `pocketclip lint`",
        )
    if not (path / MANIFEST_NAME).is_file():
        raise ArtifactError(f"{path} is no .mlpackage or .aimodel folder and holds no artefact", fix="give one of them")
    artifact = load_artifact(path)
    if artifact.manifest.target not in APPLE_TARGETS:
        raise ArtifactError(
            f"{path} is an artefact of target {artifact.manifest.target}; only those for Core ML, Core AI and NPUs can "
            "be inspected"
        )
    return artifact.model_path, True


def _report(model: Path, ours: bool) -> PackageReport | AssetReport:
    """Reads the file, in the child process."""
    from pocketclip.export.errors import ArtifactCorruptError
    from pocketclip.export.targets.converter_noise import quiet_loggers

    quiet_loggers()
    try:
        if model.suffix == ".aimodel":
            from pocketclip.export.asset_inspection import report_on_asset

            return report_on_asset(model)
        from pocketclip.export.inspection import report_on_delegate, report_on_package

        return report_on_delegate(model) if model.suffix == ".pte" else report_on_package(model)
    except ArtifactCorruptError as error:
        if not ours:
            raise
        raise ArtifactCorruptError(f"{error}", fix="export it again") from error


# Files and folders of models that no reader takes, and what to do.
_NOT_READ = {
    ".mlmodelc": "it is compiled; give the .mlpackage that it was compiled from",
    ".aimodelc": "it is compiled; give the .aimodel that it was compiled from",
    ".mlmodel": "convert it to an .mlpackage with coremltools",
    ".ort": "give the .onnx that it was made from",
}
_CHECKPOINTS = (".pt", ".pth", ".bin", ".ckpt", ".safetensors")


def _require_lintable(path: Path) -> None:
    """Names the kind of a file that exists and is neither a model file nor a configuration."""
    from pocketclip.export.lint.readers import READERS

    suffix = path.suffix.lower()
    if not path.exists() or suffix in READERS or (suffix == ".json" and path.is_file()):
        return
    if suffix not in _NOT_READ and not path.is_file():
        return
    fix = _NOT_READ.get(suffix)
    if fix is None and suffix in _CHECKPOINTS:
        fix = f"a checkpoint is checked with its model: pocketclip lint MODEL --weights {path}"
    raise ArtifactError(f"{path} is not a model file that can be linted; known suffixes: {choices(READERS)}", fix=fix)
