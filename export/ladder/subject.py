"""What a ladder is climbed for: an artefact, the model it was made from, and the samples of every rung."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from pocketclip.export.artifact.manifest import CONFIG_NAME
from pocketclip.export.artifact.precision_plan import PrecisionPlan
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.errors import CalibrationError, WeightsMismatchError
from pocketclip.export.inputs.parity_data import SCENES, find_again, proof_samples, read_parity_data
from pocketclip.export.own_samples import SampleRequest
from pocketclip.export.parity.clip_gates import ClipSet
from pocketclip.export.parity.measures import Embeddings, eager_embeddings
from pocketclip.export.passes.tower_module import example_input
from pocketclip.export.precision import Tower
from pocketclip.models.checkpoints.checkpoint import weights_sha256
from pocketclip.models.config import AnyConfig
from pocketclip.models.registry import FRESH_WEIGHTS, build_model, checkpoint_of, resolve_config
from pocketclip.models.towers.clip import AnyModel

# Of the user's own: among fewer, a share's interval or a list of ten nearest says little.
FEWEST_TO_JUDGE = 100


@dataclass(frozen=True)
class Subject:
    """An artefact and its model, with PyTorch's side of every comparison.

    `inputs` are the samples of every rung, `labels` the prompts of the label set as ids; `eager` is what the trained
    multi-branch model gives for the inputs, normalised unless the artefact leaves that to the host. `trained` is false
    where the weights are fresh random ones, whose embeddings mean nothing; `complete`,
    where only some samples are used. `data` are the user's own samples, None for the built-in ones; `samples_note` says
    what a reader must know of the choice.
    """

    artifact: Artifact
    model: AnyModel
    trained: bool
    complete: bool
    inputs: Sequence[np.ndarray]
    labels: Sequence[np.ndarray]
    eager: Embeddings
    fp32: ClipSet
    counterpart: ClipSet
    data: SampleRequest | None = None
    samples_note: str | None = None

    @property
    def tower(self) -> Tower:
        """The artefact's tower."""
        return self.artifact.manifest.tower

    @property
    def plan(self) -> PrecisionPlan | None:
        """Which modules the artefact keeps finer than its precision."""
        return self.artifact.manifest.plan

    @property
    def raw(self) -> bool:
        """Whether the artefact leaves the L2 norm to the host."""
        return not self.artifact.manifest.normalized

    @property
    def top1_candidates(self) -> Embeddings:
        """The other tower's embeddings that top-1 agreement of the tower's samples is judged on."""
        labels = self.counterpart.labels
        return self.counterpart.samples if labels is None else labels

    @property
    def unjudged(self) -> str | None:
        """Why CLIP-level gates cannot be judged, None where they can."""
        if not self.trained:
            return "the weights are not trained"
        if self.data is not None and len(self.inputs) < FEWEST_TO_JUDGE:
            return f"fewer than {FEWEST_TO_JUDGE} samples of your own were used"
        return None if self.complete else "only some of the samples were used"

    @property
    def example(self) -> Tensor:
        """A valid input for tracing."""
        return example_input(self.model, self.tower)

    def different_samples(self) -> np.ndarray:
        """Places of the inputs that no earlier one equals."""
        first: dict[bytes, int] = {}
        for place, array in enumerate(self.inputs):
            first.setdefault(array.tobytes(), place)
        return np.array(list(first.values()), np.int64)


def load_subject(
    artifact: Artifact, weights: str | None = None, samples: int | None = None, data: SampleRequest | None = None
) -> Subject:
    """Builds the model from the artefact's configuration and runs it eagerly.

    The samples are those that the artefact was proven on; where the user's own are not found again, the built-in ones.

    Args:
        artifact: what shall be verified.
        weights: the checkpoint it was made from; None takes what is shipped with the configuration.
        samples: how many of the parity samples to use, evenly spread; None takes all.
        data: samples of the user's own to take instead.

    Raises:
        WeightsMismatchError: the artefact was made from other weights.
        ConfigError, CheckpointError: its configuration or the checkpoint cannot be read.
        NonFiniteError: the model itself gives NaN or infinity.
        CalibrationError: `data` cannot be used.
    """
    # What an earlier call read may have changed.
    read_parity_data.cache_clear()
    config = resolve_config(str(artifact.folder / CONFIG_NAME), weights=weights)
    if weights is None and artifact.manifest.trained is False:
        weights = FRESH_WEIGHTS
    model = build_model(config, weights)
    expected, found = artifact.manifest.model.weights_sha256, weights_sha256(model)
    if found != expected:
        given = (
            f"--weights {weights}"
            if weights not in (None, FRESH_WEIGHTS)
            else "the weights that come with its configuration"
        )
        raise WeightsMismatchError(
            f"{artifact.folder} was made from weights {expected[:12]}..., {given} are {found[:12]}...",
            fix="give the exported checkpoint with --weights",
        )
    tower = artifact.manifest.tower
    data, samples_note = _choose(artifact, data, config)
    every = proof_samples(config, tower, data)
    images, captions = (spread(every.of(each), samples) for each in Tower)
    labels = list(every.labels)
    image = ClipSet(eager_embeddings(model, Tower.IMAGE, images))
    text = ClipSet(eager_embeddings(model, Tower.TEXT, captions), eager_embeddings(model, Tower.TEXT, labels))
    inputs = images if tower is Tower.IMAGE else captions
    fp32, counterpart = (image, text) if tower is Tower.IMAGE else (text, image)
    return Subject(
        artifact=artifact,
        model=model,
        trained=checkpoint_of(config, weights) is not None,
        complete=len(inputs) == len(every.of(tower)),
        inputs=inputs,
        labels=labels,
        eager=fp32.samples if artifact.manifest.normalized else eager_embeddings(model, tower, inputs, raw=True),
        fp32=fp32,
        counterpart=counterpart,
        data=data,
        samples_note=samples_note,
    )


def _choose(
    artifact: Artifact, data: SampleRequest | None, config: AnyConfig
) -> tuple[SampleRequest | None, str | None]:
    """The user's own samples to climb with, and what to say of them."""
    manifest = artifact.manifest
    proven = manifest.parity_data
    if data is not None and data.source == SCENES:
        return None, None if proven is None else f"on the built-in samples; the proof was made on {proven.source}"
    if data is not None:
        found = read_parity_data(data, config, manifest.tower)
        if proven is not None and found.sha256 == proven.inputs_sha256:
            return data, f"on the data of the proof, {data.source}"
        made_on = "the built-in samples" if proven is None else f"{proven.samples} samples of {proven.source}"
        return data, f"on {len(found.inputs)} samples of {data.source}; the proof was made on {made_on}"
    if proven is None:
        return None, None
    try:
        return find_again(proven, config, manifest.tower), f"on the data of the proof, {proven.source}"
    except CalibrationError as error:
        return None, (
            f"on the built-in samples: the proof was made on {proven.samples} samples of {proven.source}, which are "
            f"not found again ({error}); --parity-data says where they are"
        )


def spread(inputs: Sequence[np.ndarray], samples: int | None) -> list[np.ndarray]:
    """So many of the inputs, evenly spread, the first and the last among them; None takes all."""
    if samples is None or samples >= len(inputs):
        return list(inputs)
    return [inputs[place] for place in np.linspace(0, len(inputs) - 1, samples).round().astype(int)]
