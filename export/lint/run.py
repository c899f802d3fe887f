"""Applies the rules to models, artefacts and bare files."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.export.artifact.lint_finding import LintFinding
from pocketclip.export.artifact.manifest import CONFIG_NAME
from pocketclip.export.artifact.pass_report import PassName
from pocketclip.export.errors import ArtifactCorruptError, ArtifactError, LintRuleError, TargetUnavailableError
from pocketclip.export.lint.graph import Format
from pocketclip.export.lint.graph_rules import tower_by_input
from pocketclip.export.lint.readers import READERS, model_files, read_graph
from pocketclip.export.lint.rules import BY_CODE, RULES, UNREADABLE, Rule
from pocketclip.export.lint.subject import Subject
from pocketclip.export.precision import TargetName, Tower
from pocketclip.models.errors import choices

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from pocketclip.export.artifact.manifest import Manifest
    from pocketclip.export.artifact.reading import Artifact
    from pocketclip.models.config import AnyConfig
    from pocketclip.models.pixels.preprocess import PreprocessSpec

# Characters of a place or message in a finding.
_LONGEST = 1000
_TARGET_OF = {
    Format.ONNX: TargetName.ONNX,
    Format.COREML: TargetName.COREML,
    Format.COREAI: TargetName.COREAI,
    Format.EXECUTORCH: TargetName.EXECUTORCH,
    Format.TFLITE: TargetName.TFLITE,
}


@dataclass(frozen=True)
class Linted:
    """What a subject was found to have.

    `looked_at` has the names of its graphs where it has several, `not_looked_at` what was left out, and why; `gpu` is
    what LiteRT's GPU delegate said, where it was asked.
    """

    label: str
    findings: tuple[LintFinding, ...]
    looked_at: tuple[str, ...] = ()
    not_looked_at: tuple[str, ...] = ()
    gpu: str = ""


def summary(subject: Subject, findings: tuple[LintFinding, ...]) -> Linted:
    """What is shown of a linted subject: without its graph, so that a process can pass it on."""
    graph = subject.graph
    if graph is None:
        return Linted(subject.label, findings)
    return Linted(subject.label, findings, (*graph.parts, *graph.inner), graph.unseen)


def summary_of_file(path: Path, *, npu: bool = False) -> Linted:
    """`lint_file` in short."""
    return summary(*lint_file(path, npu=npu))


def summary_of_artifact(artifact: Artifact, *, npu: bool = False) -> Linted:
    """`lint_artifact` in short."""
    return summary(*lint_artifact(artifact, npu=npu))


def lint(subject: Subject) -> tuple[LintFinding, ...]:
    """All findings about a subject, in the order of the rules."""
    return tuple(
        replace(_finding(rule, spot.where, spot.message), severity=spot.severity or rule.severity)
        for rule in RULES
        if rule.check is not None
        for spot in rule.check(subject)
    )


def parse_codes(codes: Collection[str]) -> frozenset[str]:
    """Codes of rules as a user writes them.

    Raises:
        LintRuleError: there is no such rule; the message lists those that exist.
    """
    for code in codes:
        if code not in BY_CODE:
            raise LintRuleError(f"there is no lint rule {code!r}", fix=f"choose among: {choices(BY_CODE)}")
    return frozenset(codes)


def lint_model(
    config: AnyConfig, weights: str | None, cautions: tuple[str, ...] = ()
) -> list[tuple[Subject, tuple[LintFinding, ...]]]:
    """Both towers of a model as they go to every converter; `cautions` are known of the weights.

    Raises:
        CheckpointError, NonFiniteError: the checkpoint cannot be used.
    """
    from pocketclip.export.passes.tower_module import example_input, tower_module
    from pocketclip.models.registry import build_model

    model = build_model(config, weights)
    return [
        _linted(
            replace(
                module_subject(tower_module(model, tower), config, tower, example_input(model, tower)),
                cautions=cautions,
            )
        )
        for tower in Tower
    ]


def module_subject(module: nn.Module, config: AnyConfig, tower: Tower, example: object) -> Subject:
    """A tower before conversion; `example` is an input of its fixed shape."""
    from torch import Tensor

    from pocketclip.export.lint.read_program import read_program

    assert isinstance(example, Tensor)
    return Subject(
        label=f"{config.name} {tower}",
        tower=tower,
        module=module,
        graph=read_program(module, example),
        model_name=config.name,
        preprocess=config.preprocess if tower is Tower.IMAGE else None,
        normalized=True,
    )


def lint_artifact(artifact: Artifact, *, npu: bool = False) -> tuple[Subject, tuple[LintFinding, ...]]:
    """An artefact on disk: its manifest, golden outputs and model file; `npu` asks about Snapdragon's NPU too.

    Raises:
        ArtifactCorruptError: the model file cannot be read.
        TargetUnavailableError: the packages that read it are missing.
    """
    outputs = artifact.golden(artifact.manifest.golden.outputs)
    subject = _artifact_subject(artifact.label, artifact.folder, artifact.manifest, outputs)
    try:
        graph = read_graph(artifact.model_path)
    except ArtifactCorruptError as error:
        raise ArtifactCorruptError(f"{error}", fix="export it again") from error
    return _linted(replace(subject, graph=graph, npu=npu))


def lint_file(path: Path, *, npu: bool = False) -> tuple[Subject, tuple[LintFinding, ...]]:
    """A model file that need not be ours. It is held against the oldest runtime that we export for.

    Args:
        path: the file or package.
        npu: ask about Snapdragon's NPU too.

    Raises:
        ArtifactError: it is missing, of a kind that no reader takes, or cannot be read.
        TargetUnavailableError: the packages that read it are missing.
    """
    from pocketclip.export.targets import TARGETS, requirement

    graph = read_graph(path)
    target = _TARGET_OF[graph.format]
    return _linted(
        Subject(
            label=str(path),
            tower=None if graph.parts else tower_by_input(graph.inputs),
            graph=graph,
            target=target,
            requires=requirement(target, TARGETS[target].base),
            size_bytes=sum(each.stat().st_size for each in model_files(path)),
            npu=npu,
        )
    )


def lint_export(module: nn.Module, folder: Path, manifest: Manifest, outputs: np.ndarray) -> tuple[LintFinding, ...]:
    """What the export finds in an artefact that it is about to finish, whose files lie in `folder`.

    A file that cannot be read is a finding of its own: the artefact has been proven by then and is kept.
    """
    label = f"{manifest.model.name} {manifest.scheme} {manifest.tower}"
    subject = replace(_artifact_subject(label, folder, manifest, outputs), module=module)
    try:
        return lint(replace(subject, graph=read_graph(folder / manifest.entry_point)))
    except (ArtifactError, TargetUnavailableError) as error:
        # The message names the folder that the artefact is made in, which is renamed when it is done.
        reason = str(error).replace(f"{folder}/", "")
        return (_finding(BY_CODE[UNREADABLE], manifest.entry_point, reason), *lint(subject))


def is_model_file(path: Path) -> bool:
    """Whether a path is of a kind that can be linted by itself."""
    return path.suffix in READERS


def _artifact_subject(label: str, folder: Path, manifest: Manifest, outputs: np.ndarray) -> Subject:
    return Subject(
        label=label,
        tower=manifest.tower,
        target=manifest.target,
        manifest=manifest,
        requires=manifest.requires,
        outputs=outputs,
        model_name=manifest.model.name,
        preprocess=_own_preprocess(folder, manifest),
        normalized=manifest.normalized,
        size_bytes=manifest.model_size_bytes,
        cautions=manifest.cautions,
    )


def _own_preprocess(folder: Path, manifest: Manifest) -> PreprocessSpec | None:
    """What the model's images go through: the application's part, and what a pass has put into the graph."""
    spec = manifest.preprocess
    if spec is None or PassName.FOLD_PREPROCESSING not in manifest.used_passes:
        return spec
    # A JSON file of its own: a configuration that cannot be resolved any more must not end a lint.
    stored = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))["preprocess"]
    return replace(spec, mean=tuple(stored["mean"]), std=tuple(stored["std"]))


def _linted(subject: Subject) -> tuple[Subject, tuple[LintFinding, ...]]:
    return subject, lint(subject)


def _finding(rule: Rule, where: str, message: str) -> LintFinding:
    return LintFinding(rule.code, rule.severity, shortened(where), shortened(message), rule.fix)


def shortened(text: str) -> str:
    """A text from a file, of at most 1,000 characters: names in files from outside have any length."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
