"""Artefacts on disk: reading, running, verifying."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.export.artifact import reading
from pocketclip.export.errors import InferenceInputError
from pocketclip.models.progress import CountingWatch, OnProgress, silent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from pocketclip.export.artifact.manifest import Manifest, TensorSpec
    from pocketclip.export.ladder.report import LadderReport
    from pocketclip.export.own_samples import SampleRequest

    Climb = Callable[["Artifact", "VerifyRequest", OnProgress], LadderReport]

_LOG = logging.getLogger("pocketclip.export")
# The search for the place where a rung diverges converts the model again and again, each time without a sign.
_LONGEST_STEP_S = 3600.0


@dataclass(frozen=True)
class VerifyRequest:
    """The inputs of the ladder: the checkpoint, and which and how many samples; see `Artifact.verify`."""

    weights: str | None = None
    samples: int | None = None
    parity_data: str = ""
    parity_samples: int | None = None
    max_skipped: float | None = None

    def data(self) -> SampleRequest | None:
        """The source of samples; None uses those of the export's parity check.

        Raises:
            CalibrationError: nothing exists there.
        """
        from pocketclip.export.inputs.parity_data import SCENES, parse_parity_data
        from pocketclip.export.own_samples import SampleRequest

        if not self.parity_data:
            return None
        own = parse_parity_data(self.parity_data, self.parity_samples, max_skipped=self.max_skipped)
        return own or SampleRequest(SCENES, 0)


@dataclass(frozen=True)
class Artifact:
    """An exported tower on disk, whose files match the hashes in its manifest."""

    files: reading.Artifact

    @property
    def folder(self) -> Path:
        """The folder that holds the model file, the manifest and the golden tensors."""
        return self.files.folder

    @property
    def manifest(self) -> Manifest:
        """The artefact's model, target, precision, inputs and outputs, parity and hashes (docs/bundles.md)."""
        return self.files.manifest

    @property
    def model_path(self) -> Path:
        """The model file, or the folder of a `.mlpackage`."""
        return self.files.model_path

    def run(self, inputs: NDArray[np.generic], *, threads: int = 1) -> NDArray[np.float32]:
        """Runs the tower in its runtime, in this process. `classify` runs artefacts of others in a bounded one.

        Args:
            inputs: `(N, ...)` in the shape and type of `manifest.inputs[0]`: pixels `(N, 3, S, S)` of the image tower,
                token ids `(N, T)` int32 of the text tower. The runtime is fed one sample at a time, or as many as
                the artefact takes at once.
            threads: the number of threads for the runtime.

        Returns:
            Embeddings `(N, D)`.

        Raises:
            InferenceInputError: the array has another shape or type than the manifest declares, or is not finite.
            TargetUnavailableError: the runtime is not installed here.
        """
        from pocketclip.export.parity.measures import run_session
        from pocketclip.export.targets import open_session

        _check_inputs(inputs, self.manifest.inputs[0])
        session = open_session(self.files, threads)
        try:
            rows = run_session(session, list(inputs[:, None]), self.manifest.batch)
        finally:
            session.close()
        return rows

    def verify(
        self,
        *,
        weights: str | Path | None = None,
        samples: int | None = None,
        parity_data: str = "",
        on_progress: OnProgress = silent,
    ) -> LadderReport:
        """Climbs the parity ladder: every form of the tower against PyTorch (docs/verify.md).

        Args:
            weights: the checkpoint that was exported; None uses the one shipped with the model.
            samples: the number of images or captions; None uses all of them.
            parity_data: `scenes` or your own, as for `export`; empty uses those of the parity check, if found.
            on_progress: called as the work advances.

        Raises:
            WeightsMismatchError: the weights are not those that were exported.
            ArtifactCorruptError: the model file cannot be read or run.
        """
        with verifying() as climb:
            given = None if weights is None else str(weights)
            return climb(self, VerifyRequest(given, samples, parity_data), on_progress)


def _check_inputs(inputs: NDArray[np.generic], spec: TensorSpec) -> None:
    import numpy as np

    wanted = tuple(spec.shape[1:])
    # Text cannot be asked whether it is finite, a scalar has no length.
    if inputs.dtype != np.dtype(spec.dtype) or inputs.shape[1:] != wanted or not len(inputs):
        shape = ", ".join(map(str, wanted))
        raise InferenceInputError(
            f"{spec.name} takes a {spec.dtype} array of shape (N, {shape}), N at least 1; "
            f"got {inputs.dtype} of shape {inputs.shape}",
            fix="convert it with numpy's astype and reshape; `embed` of a bundle takes images and sentences",
        )
    if not np.isfinite(inputs).all():
        raise InferenceInputError(f"{spec.name} holds NaN or infinity", fix="give finite values")


def load_artifact(path: str | Path) -> Artifact:
    """Reads an artefact's folder and checks all of it.

    Raises:
        ArtifactNotFoundError: the folder holds no manifest.
        ManifestError: the manifest is malformed, newer than this version, or contradicts itself.
        ArtifactCorruptError: a file is missing, altered or not listed.
    """
    return Artifact(reading.load_artifact(Path(path)))


def find_artifacts(*paths: str | Path) -> list[Artifact]:
    """All artefacts at the paths and below them, in path order. Raises the errors of `load_artifact`."""
    return [Artifact(each) for each in reading.find_artifacts(map(Path, paths))]


def folders_of(artifacts: Artifact | str | Path | Sequence[Artifact | str | Path]) -> list[Path]:
    """The folders of one or several artefacts; paths stay what they are."""
    several = [artifacts] if isinstance(artifacts, Artifact | str | Path) else artifacts
    return [each.folder if isinstance(each, Artifact) else Path(each) for each in several]


def select_pair(artifacts: Sequence[Artifact]) -> tuple[Artifact, Artifact]:
    """The image and the text artefact to use together: exactly one of each, of one model.

    Raises:
        ArtifactNotFoundError: a tower is missing, or there are several to choose from.
    """
    image, text = reading.select_pair([each.files for each in artifacts])
    return Artifact(image), Artifact(text)


def classify(
    image_file: Image.Image | str | Path,
    labels: Sequence[str],
    *,
    image: Artifact,
    text: Artifact,
    templates: str | Path | None = None,
) -> list[tuple[str, float]]:
    """Labels and their probabilities, the most likely first, from an image and a text artefact of one model.

    Args:
        image_file: a PIL image, upright, or the path of an image file.
        labels: the labels to rank.
        image: the artefact of the image tower.
        text: the artefact of the text tower.
        templates: sentences to put each label into, as for `evaluate`: `openai`, `simple`, `scenes`, `pictures` or a
            file; a label's embedding is their mean. None: each label goes through the text tower unchanged.

    Raises:
        LabelError: `labels` is empty or one text, or labels are unseen or the same.
        PromptError: the file of templates cannot be read, or holds none.
        ImageError: the file is not a usable image.
        ModelRunError: a model crashes, hangs or takes too much memory.
    """
    from pocketclip.export import foreign
    from pocketclip.export.ranking import rank_with_pair
    from pocketclip.export.untrained import warn_of_artifacts
    from pocketclip.models.evaluation.prompts import load_templates
    from pocketclip.models.evaluation.zero_shot import checked_labels
    from pocketclip.models.reading_child import Child

    given = checked_labels(labels)
    warn_of_artifacts([image.files, text.files])
    photograph = Path(image_file) if isinstance(image_file, str | Path) else image_file
    with Child() as child:
        ranking = foreign.run(
            child,
            rank_with_pair,
            image.files,
            text.files,
            photograph,
            given,
            None if templates is None else load_templates(str(templates)),
            about=f"{image.folder} or {text.folder}",
            files=[image.model_path, text.model_path],
            on_sign=silent,
        )
    for note in ranking.notes:
        _LOG.info("note: %s", note)
    return list(ranking.labels)


@contextmanager
def verifying() -> Iterator[Climb]:
    """One child process for the ladders of several artefacts; see `Artifact.verify`."""
    from pocketclip.export import foreign
    from pocketclip.export.jobs import memory
    from pocketclip.export.ladder.telling import climb_and_tell
    from pocketclip.models.reading_child import Child

    with Child() as child:

        def climb(artifact: Artifact, request: VerifyRequest, on_progress: OnProgress) -> LadderReport:
            watch = CountingWatch(on_progress)
            return foreign.run(
                child,
                climb_and_tell,
                artifact.files,
                request.weights,
                request.samples,
                request.data(),
                about=str(artifact.folder),
                files=[artifact.model_path],
                on_sign=lambda sign: sign.pass_on(watch),
                memory_bytes=memory.default_limit(),
                idle_s=_LONGEST_STEP_S,
            )

        yield climb
