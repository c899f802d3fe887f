"""Fresh conversions of a subject's tower, whole or cut, by the artefact's own target."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from torch import nn

from pocketclip.export.errors import ConversionError
from pocketclip.export.inputs.calibration import GENERATED_SCENES, CalibrationSet, load_calibration
from pocketclip.export.ladder.subject import Subject
from pocketclip.export.npu.npu_report import read_report
from pocketclip.export.passes.tower_module import INPUT_NAMES, OUTPUT_NAME
from pocketclip.export.precision import NPU_TARGETS, Precision
from pocketclip.export.targets import load_target
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.converter_noise import held_stderr
from pocketclip.export.targets.rejection import explain
from pocketclip.models.errors import PocketClipError


class Conversions:
    """Converts into a folder of its own, and runs what came out."""

    def __init__(self, subject: Subject, folder: Path) -> None:
        """`folder` takes the converted models; it must outlive this object.

        Raises:
            TargetUnavailableError: the target's packages are missing.
        """
        self.subject = subject
        self.target = load_target(subject.artifact.manifest.target)
        self._folder = folder

    def convert(self, module: nn.Module, precision: Precision) -> Path:
        """The model file of a module that takes the tower's input.

        At the artefact's own precision, modules keep what the artefact's plan says.

        Raises:
            ConversionError: the converter rejected the module; the message names the part.
        """
        subject = self.subject
        request = LoweringRequest(
            module=module,
            example=subject.example,
            input_name=INPUT_NAMES[subject.tower],
            output_name=OUTPUT_NAME,
            precision=precision,
            calibration=self.calibration.inputs if precision.needs_calibration else (),
            isa=subject.artifact.manifest.isa,
            plan=subject.plan if precision is subject.artifact.manifest.precision else None,
            socs=_first_chip(subject),
        )
        folder = self._new_folder()
        try:
            # LiteRT's converter reports its steps on stdout, where tables go.
            with held_stderr(), contextlib.redirect_stdout(io.StringIO()):
                return folder / self.target.lower(request, folder)
        except (PocketClipError, OSError):
            raise
        except Exception as error:
            label = f"{subject.artifact.manifest.target} {precision}"
            raise ConversionError(f"{label} cannot convert the tower: {explain(error, request)}") from error

    def run(
        self, model_path: Path, inputs: Sequence[np.ndarray], advance: Callable[[int], object] = lambda count: None
    ) -> list[np.ndarray]:
        """The model's first output for each input, float32."""
        with held_stderr():
            session = self.target.open(model_path, 1)
        try:
            rows: list[np.ndarray] = []
            for array in inputs:
                rows.append(np.asarray(session.run([array])[0], np.float32))
                advance(1)
            return rows
        finally:
            session.close()

    @functools.cached_property
    def calibration(self) -> CalibrationSet:
        """The generated scenes, which artefacts are calibrated on by default."""
        return load_calibration(GENERATED_SCENES, self.subject.model.config, self.subject.tower)

    @property
    def calibrated_alike(self) -> bool:
        """Whether fresh conversions see the calibration samples that the artefact was made with."""
        manifest = self.subject.artifact.manifest
        if not manifest.precision.needs_calibration or manifest.calibration is None:
            return True
        return manifest.calibration.inputs_sha256 == self.calibration.record.inputs_sha256

    def _new_folder(self) -> Path:
        folder = self._folder / f"conversion-{len(list(self._folder.iterdir()))}"
        folder.mkdir()
        return folder


def _first_chip(subject: Subject) -> tuple[str, ...]:
    """That whose graph is run, where the target prepares one for each chip."""
    artifact = subject.artifact
    return (read_report(artifact.folder).contexts[0].soc,) if artifact.manifest.target in NPU_TARGETS else ()
