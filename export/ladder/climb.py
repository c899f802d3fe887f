"""Climbing the ladder: each form of the tower on the same samples, judged against eager PyTorch and the form before."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np
import torch
from torch import nn

from pocketclip.export.artifact.feeding import AdaptedSession, artifact_input
from pocketclip.export.artifact.pass_report import ON_IMAGES
from pocketclip.export.errors import ConversionError, ExportError
from pocketclip.export.ladder import locate
from pocketclip.export.ladder.budgets import budget_of
from pocketclip.export.ladder.conversion import Conversions
from pocketclip.export.ladder.inputs import inputs_rung
from pocketclip.export.ladder.report import Agreement, Divergence, LadderReport, Method, Rung, RungName, Status
from pocketclip.export.ladder.subject import Subject
from pocketclip.export.parity.budgets import Budget
from pocketclip.export.parity.clip_budgets import clip_budget_for
from pocketclip.export.parity.clip_gates import ClipGates, ClipSet, judge
from pocketclip.export.parity.measures import Embeddings, cosines, measure, missed
from pocketclip.export.passes.pipeline import apply_passes
from pocketclip.export.passes.registry import PASSES
from pocketclip.export.passes.tower_module import ImageTowerModule, TextTowerModule, tower_module
from pocketclip.export.precision import Precision, Tower
from pocketclip.export.targets import TARGETS, open_session, package_versions
from pocketclip.models.towers.open_clip_model import OpenClipTextTower
from pocketclip.models.towers.text_tower import TextTower

# The worst samples, on which a failing rung is searched.
PROBES = 2

Rewrite = Callable[[nn.Module], nn.Module]


class Watch(Protocol):
    """Who is told how far the ladder is."""

    def begin(self, label: str, total: int | None) -> None:
        """A rung begins, with that many samples."""
        ...

    def advance(self, count: int) -> None:
        """So many more samples are done."""
        ...

    def note(self, message: str) -> None:
        """Something worth a line, such as a step of a bisection."""
        ...


class Silent:
    """A `Watch` that tells nobody."""

    def begin(self, label: str, total: int | None) -> None:
        del label, total

    def advance(self, count: int) -> None:
        del count

    def note(self, message: str) -> None:
        del message


@dataclass(frozen=True)
class _Form:
    """A rung that computes embeddings, and the way to search it where it fails."""

    name: RungName
    executed_by: str
    budget: Budget
    outputs: Callable[[], list[np.ndarray]]
    # Takes probes, what eager PyTorch gives for them, and what this form gave.
    locate: Callable[[locate.Probes, Embeddings, Embeddings], Divergence | None]


def climb(subject: Subject, *, rewrite: Rewrite | None = None, watch: Watch | None = None) -> LadderReport:
    """Climbs until a rung fails, and says where that one diverges.

    Args:
        subject: the artefact with its model and samples.
        rewrite: graph passes between reparameterising and exporting, a module to an equal one; None takes those that
            the manifest names. Where there are none, there is no rung for them. Passes that change what is fed take no
            part: the rungs are fed the model's own inputs.
        watch: told how far it is.

    Raises:
        TargetUnavailableError: the target's packages are missing.
        ArtifactCorruptError: the runtime refuses the artefact.
        UnsupportedOpError: Core ML's reference executor lacks an op of it.
    """
    with TemporaryDirectory(prefix="pocketclip-ladder-") as scratch:
        chosen = rewrite or _passes_of(subject)
        return _Ladder(subject, Conversions(subject, Path(scratch)), chosen, watch or Silent()).climb()


def _passes_of(subject: Subject) -> Rewrite | None:
    """The manifest's passes, applied and proven anew."""
    names = [report.name for report in subject.artifact.manifest.passes if report.sites and report.name in PASSES]
    passes = [PASSES[name] for name in names if name not in ON_IMAGES]
    if not passes:
        return None
    proof = [torch.from_numpy(subject.inputs[0]).clone(memory_format=torch.contiguous_format)]
    return lambda tower: apply_passes(tower, passes, proof).module


class _Ladder:
    def __init__(self, subject: Subject, conversions: Conversions, rewrite: Rewrite | None, watch: Watch) -> None:
        self._subject, self._conversions = subject, conversions
        self._rewrite, self._watch = rewrite, watch
        self._manifest = subject.artifact.manifest
        self._gates: ClipGates | None = None

    def climb(self) -> LadderReport:
        subject = self._subject
        count = len(subject.inputs)
        inputs = inputs_rung(subject)
        sound = Status.PASSED if inputs.status is Status.PASSED else Status.NOT_REACHED
        # Eager PyTorch has run already, without which there is no subject.
        rungs = [inputs, Rung(RungName.EAGER, f"torch {torch.__version__}", sound, count)]
        previous = subject.eager
        for form in self._forms():
            if any(rung.status is not Status.PASSED for rung in rungs):
                rungs.append(Rung(form.name, form.executed_by, Status.NOT_REACHED, 0))
                continue
            self._watch.begin(str(form.name), count)
            rung, outputs = self._judge(form, previous)
            rungs.append(rung)
            previous = previous if outputs is None else outputs
            if form.name is RungName.ARTEFACT and outputs is not None:
                self._gates = self._judge_gates(outputs)
        return LadderReport(
            artifact=subject.artifact.label,
            artifact_sha256=self._manifest.sha256,
            weights_sha256=self._manifest.model.weights_sha256,
            rungs=tuple(rungs),
            gates=self._gates,
            created_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            versions=package_versions(self._manifest.target),
            samples_note=subject.samples_note,
        )

    @functools.cached_property
    def _folded(self) -> nn.Module:
        return tower_module(self._subject.model, self._subject.tower, raw=self._subject.raw)

    @functools.cached_property
    def _tower(self) -> nn.Module:
        """What is exported."""
        # Passes may work in place: the form before them is compared with later.
        return self._folded if self._rewrite is None else self._rewrite(copy.deepcopy(self._folded))

    @functools.cached_property
    def _program(self) -> torch.fx.GraphModule:
        program = torch.export.export(self._tower, (self._subject.example,)).module()
        assert isinstance(program, torch.fx.GraphModule)
        return program

    @functools.cached_property
    def _converted(self) -> Path:
        return self._conversions.convert(self._tower, Precision.FP32)

    def _forms(self) -> list[_Form]:
        torch_version = f"torch {torch.__version__}"
        reparameterised = _Form(
            RungName.REPARAMETERISED,
            torch_version,
            self._budget(RungName.REPARAMETERISED),
            lambda: self._run_module(self._folded),
            lambda probes, *_: locate.between_modules(
                _multibranch(self._subject), self._folded, probes, self._budget(RungName.REPARAMETERISED).snr_db
            ),
        )
        passes = _Form(
            RungName.PASSES,
            torch_version,
            self._budget(RungName.PASSES),
            lambda: self._run_module(self._tower),
            lambda probes, *_: locate.between_modules(
                self._folded, self._tower, probes, self._budget(RungName.PASSES).snr_db
            ),
        )
        program = _Form(
            RungName.PROGRAM,
            f"torch.export {torch.__version__}",
            self._budget(RungName.PROGRAM),
            lambda: self._run_module(self._program),
            lambda probes, *_: locate.in_program(
                self._tower, self._program, probes, self._budget(RungName.PROGRAM).snr_db
            ),
        )
        artifact = _Form(
            RungName.ARTEFACT,
            self._conversions.target.executed_by(),
            self._budget(RungName.ARTEFACT),
            self._run_artifact,
            lambda probes, expected, given: locate.in_artifact(
                self._conversions,
                self._tower,
                self._program,
                probes,
                expected,
                given,
                self._budget(RungName.ARTEFACT),
                self._watch.note,
            ),
        )
        plain = self._manifest.precision is not Precision.FP32
        offered = Precision.FP32 in TARGETS[self._manifest.target].schemes
        return [
            reparameterised,
            *([passes] if self._rewrite is not None else []),
            program,
            *([self._converted_form()] if plain and offered else []),
            artifact,
        ]

    def _converted_form(self) -> _Form:
        return _Form(
            RungName.CONVERTED,
            self._conversions.target.executed_by(),
            self._budget(RungName.CONVERTED),
            lambda: self._conversions.run(self._converted, self._subject.inputs, self._watch.advance),
            lambda probes, *_: locate.in_conversion(
                self._conversions,
                self._tower,
                self._program,
                self._converted,
                Precision.FP32,
                probes,
                self._budget(RungName.CONVERTED).snr_db,
                self._watch.note,
            ),
        )

    def _budget(self, name: RungName) -> Budget:
        return budget_of(name, self._manifest.target, self._manifest.precision, self._manifest.used_passes)

    def _run_module(self, module: nn.Module) -> list[np.ndarray]:
        rows: list[np.ndarray] = []
        with torch.inference_mode():
            for array in self._subject.inputs:
                rows.append(module(torch.from_numpy(array)).numpy())
                self._watch.advance(1)
        return rows

    def _run_artifact(self) -> list[np.ndarray]:
        return self._run_on_artifact(self._subject.inputs)

    def _run_on_artifact(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        own, manifest = self._subject.model.config.preprocess, self._manifest
        session = AdaptedSession(
            open_session(self._subject.artifact), lambda array: artifact_input(array, own, manifest)
        )
        try:
            rows: list[np.ndarray] = []
            for array in inputs:
                rows.append(np.asarray(session.run([array])[0], np.float32))
                self._watch.advance(1)
            return rows
        finally:
            session.close()

    def _judge(self, form: _Form, previous: Embeddings) -> tuple[Rung, Embeddings | None]:
        """The rung, and its embeddings where they are finite."""
        subject, eager = self._subject, self._subject.eager
        rung = Rung(form.name, form.executed_by, Status.FAILED, len(subject.inputs))
        try:
            outputs = np.concatenate(form.outputs())
        except ConversionError as error:
            return dataclasses.replace(rung, failures=(str(error),)), None
        if outputs.shape != eager.shape:
            failure = f"the embeddings are of shape {outputs.shape}, PyTorch's of {eager.shape}"
            return dataclasses.replace(rung, failures=(failure,)), None
        finite = np.isfinite(outputs).all(1)
        if finite.all():
            against_eager = measure(eager, outputs, subject.top1_candidates)
            against_previous = measure(previous, outputs, subject.top1_candidates)
            failures = [f"against eager: {failure}" for failure in missed(against_eager, form.budget, len(outputs))]
            failures += [
                f"against the rung before: {failure}" for failure in missed(against_previous, form.budget, len(outputs))
            ]
            rung = dataclasses.replace(
                rung,
                status=Status.FAILED if failures else Status.PASSED,
                against_eager=Agreement(**against_eager),
                against_previous=Agreement(**against_previous),
                failures=tuple(failures),
            )
            if not failures:
                return rung, outputs
        else:
            failure = (
                f"NaN or infinite values for {int((~finite).sum())} of {len(outputs)} samples "
                f"(first: sample {int(finite.argmin())})"
            )
            rung = dataclasses.replace(rung, failures=(failure,))
        self._watch.note(f"{form.name}: failed; searching for the divergence")
        worst = np.argsort(np.where(finite, cosines(eager, np.nan_to_num(outputs)), -np.inf))[:PROBES]
        try:
            divergence = form.locate([subject.inputs[place] for place in worst], eager[worst], outputs[worst])
        except ExportError as error:
            # A search that cannot be made must not cost what the rung found.
            divergence = Divergence(Method.NONE, f"the search ended early: {error}")
        return dataclasses.replace(rung, divergence=divergence), outputs if finite.all() else None

    def _judge_gates(self, outputs: Embeddings) -> ClipGates:
        subject = self._subject
        labels = None
        if subject.tower is Tower.TEXT:
            self._watch.begin("labels", len(subject.labels))
            labels = _normalized(np.concatenate(self._run_on_artifact(subject.labels)))
        return judge(
            subject.tower,
            subject.fp32,
            ClipSet(_normalized(outputs), labels),
            subject.counterpart,
            keep=subject.different_samples(),
            budget=clip_budget_for(self._manifest.target, self._manifest.precision, self._manifest.used_passes),
            unjudged=subject.unjudged,
        )


def _multibranch(subject: Subject) -> nn.Module:
    """The tower as it was trained, behind the interface of the exported one: modules have the same paths."""
    if subject.tower is Tower.IMAGE:
        module = ImageTowerModule(subject.model.image_encoder)
    else:
        encoder = subject.model.text_encoder
        assert isinstance(encoder, TextTower | OpenClipTextTower)
        module = TextTowerModule(encoder)
    if subject.raw:
        module.l2_norm = nn.Identity()
    return module.eval()


def _normalized(embeddings: Embeddings) -> Embeddings:
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
