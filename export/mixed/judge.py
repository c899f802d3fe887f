"""Judges a converted artefact by the budget, on samples that neither ranges nor the parity check use.

Three sets of samples, none of which is in another: calibration samples give ranges and sensitivities; the samples here,
scenes of the validation split with a seed of their own and the calibration photographs mirrored, choose the plan; the
parity samples judge what comes of it. The labelled sets are no evaluation samples either: that is checked by hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ImageOps

from pocketclip.export.artifact.drop_budget import OWN_SETS, DropBudget, Metric
from pocketclip.export.errors import PlanError
from pocketclip.export.inputs.parity_data import judged_hashes
from pocketclip.export.inputs.samples import calibration_photographs, parity_inputs, scene_calibration_inputs
from pocketclip.export.own_samples import SampleRequest, input_hash
from pocketclip.export.parity.measures import cosines, require_finite, run_session
from pocketclip.export.precision import Tower
from pocketclip.models.data.skips import reason_of
from pocketclip.models.pixels.colour_profiles import noted_profiles
from pocketclip.models.pixels.preprocess import normalize, preprocess
from pocketclip.models.scenes import SceneDataset, Split, render_arrays, scene_classes
from pocketclip.models.text.tokenizer import load_tokenizer
from pocketclip.models.untrusted.printable import printable_line

if TYPE_CHECKING:
    from pocketclip.export.runtimes import Session
    from pocketclip.models.config import AnyConfig
    from pocketclip.models.data.left_out import LeftOut
    from pocketclip.models.evaluation.prompts import Templates
    from pocketclip.models.evaluation.samples import Sample
    from pocketclip.models.towers.clip import AnyModel

COSINE_SCENES = 128
LABELLED_SCENES = 384
# Of an image folder, spread evenly over the classes.
MOST_LABELLED = 512
_COSINE_SEED = 13
_LABELLED_SEED = 17
_BATCH = 16
_MOST_NAMED = 5
# The mean over other samples is within two standard errors of this one, 39 times of 40 not below.
_ERRORS = 2.0

Embeddings = NDArray[np.float32]


@dataclass(frozen=True)
class Measured:
    """What an artefact reaches: `value` as it is reported, `safe` as it is held against the budget.

    `lost` is what the budget allows some of: 1 less the safe cosine, or points of accuracy.
    """

    value: float
    safe: float
    met: bool
    lost: float


class Judge(Protocol):
    """A budget with the samples that it is judged on."""

    @property
    def samples(self) -> int: ...

    @property
    def samples_sha256(self) -> str: ...

    @property
    def skipped(self) -> tuple[str, ...]:
        """Samples of the user's that cannot be used, with reasons."""
        ...

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What of the user's set is no sample."""
        ...

    @property
    def ignored_profiles(self) -> tuple[str, ...]:
        """Images of the user's whose colour profile cannot be used, with reasons."""
        ...

    @property
    def allowed(self) -> float:
        """The largest loss that meets the budget."""
        ...

    def judge(self, session: Session) -> Measured:
        """Runs the artefact on the samples. Raises `NonFiniteError`."""
        ...


def make_judge(
    budget: DropBudget,
    model: AnyModel,
    tower: Tower,
    *,
    parity: SampleRequest | None = None,
    max_skipped: float = 0.0,
) -> Judge:
    """The samples that the budget is judged on, and what PyTorch gives for them.

    Args:
        budget: what may be lost.
        model: the trained model.
        tower: the artefact's.
        parity: the user's own data of the parity proof.
        max_skipped: share of the labelled samples that may be left out: unreadable ones, and those that the artefact is
            judged on.

    Raises:
        PlanError: the labelled set holds evaluation or parity samples, or too few of a class.
        DatasetError: the labelled set cannot be read.
        NonFiniteError: the model itself gives NaN or infinity.
    """
    if budget.metric is Metric.COSINE:
        return _CosineJudge(budget, model, tower)
    return _AccuracyJudge(budget, model, tower, parity, max_skipped)


def planning_inputs(config: AnyConfig, tower: Tower) -> list[np.ndarray]:
    """Inputs of batch 1 for the cosine: none that calibration with scenes or the parity check uses."""
    used = {array.tobytes() for array in parity_inputs(config, tower)}
    used |= {array.tobytes() for array in scene_calibration_inputs(config, tower)}
    size = config.preprocess.image_size
    if tower is Tower.IMAGE:
        pixels, _ = render_arrays(Split.VALIDATION, COSINE_SCENES, _COSINE_SEED, size)
        found = [normalize(image, config.preprocess)[None] for image in pixels]
        # Scenes alone promise too much: photographs lose more, and the parity check has as large a share of them.
        found += [preprocess(ImageOps.mirror(image), config.preprocess)[None] for image in calibration_photographs()]
    else:
        # More captions than are wanted: they come from few words, so that others use some of them.
        captions = SceneDataset(Split.VALIDATION, 2 * COSINE_SCENES, seed=_COSINE_SEED).captions()
        found = list(load_tokenizer(config.tokenizer)(list(dict.fromkeys(captions)))[:, None, :])
        found = [array for array in found if array.tobytes() not in used][:COSINE_SCENES]
    return [array for array in found if array.tobytes() not in used]


class _CosineJudge:
    def __init__(self, budget: DropBudget, model: AnyModel, tower: Tower) -> None:
        self._limit = budget.limit
        self.allowed = 1 - budget.limit
        self.skipped: tuple[str, ...] = ()
        self.left_out: tuple[LeftOut, ...] = ()
        self.ignored_profiles: tuple[str, ...] = ()
        self._inputs = planning_inputs(model.config, tower)
        self._expected = _embed(model, tower, self._inputs)
        self.samples, self.samples_sha256 = len(self._inputs), _sha256(self._inputs)

    def judge(self, session: Session) -> Measured:
        outputs = run_session(session, self._inputs)
        require_finite(outputs, "the converted model")
        found = cosines(self._expected, outputs)
        value = float(found.mean())
        safe = value - _ERRORS * float(found.std(ddof=1)) / len(found) ** 0.5
        return Measured(value, safe, safe >= self._limit, 1 - safe)


class _AccuracyJudge:
    """Points of top-1 accuracy that zero-shot classification loses when one tower is the artefact's."""

    def __init__(
        self, budget: DropBudget, model: AnyModel, tower: Tower, parity: SampleRequest | None, max_skipped: float
    ) -> None:
        self.allowed = budget.limit
        labelled = _labelled(budget, model, parity, max_skipped)
        tokenizer = load_tokenizer(model.config.tokenizer)
        prompts = [labelled.templates.prompts(name) for name in labelled.class_names]
        texts = list(tokenizer([prompt for each in prompts for prompt in each])[:, None, :])
        # Rows of the prompts of each class.
        self._classes = np.cumsum([0, *(len(each) for each in prompts)])
        self._labels, self._tower, self.skipped = labelled.labels, tower, labelled.skipped
        self.left_out, self.ignored_profiles = labelled.left_out, labelled.ignored_profiles
        self._images = _embed(model, Tower.IMAGE, labelled.images)
        self._texts = _embed(model, Tower.TEXT, texts)
        self._inputs = labelled.images if tower is Tower.IMAGE else texts
        self.samples, self.samples_sha256 = len(self._labels), _sha256(labelled.images)
        self._expected = self._accuracy(self._images, self._texts)

    def judge(self, session: Session) -> Measured:
        outputs = run_session(session, self._inputs)
        require_finite(outputs, "the converted model")
        image = self._tower is Tower.IMAGE
        found = self._accuracy(outputs if image else self._images, self._texts if image else outputs)
        lost = 100 * (self._expected - found)
        return Measured(lost, lost, lost <= self.allowed, max(0.0, lost))

    def _accuracy(self, images: Embeddings, texts: Embeddings) -> float:
        texts = texts / np.linalg.norm(texts, axis=1, keepdims=True)
        classes = np.add.reduceat(texts, self._classes[:-1], axis=0)
        classes /= np.linalg.norm(classes, axis=1, keepdims=True)
        return float(np.mean((images @ classes.T).argmax(1) == self._labels))


@dataclass(frozen=True)
class _Labelled:
    """Images of batch 1 with labels, and how the classes are worded."""

    images: list[np.ndarray]
    labels: NDArray[np.int64]
    class_names: Sequence[str]
    templates: Templates
    skipped: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    ignored_profiles: tuple[str, ...] = ()


def _labelled(budget: DropBudget, model: AnyModel, parity: SampleRequest | None, max_skipped: float) -> _Labelled:
    config = model.config
    if budget.labelled is None or not budget.labelled.startswith(OWN_SETS):
        return _labelled_scenes(config)
    from pocketclip.models.evaluation.datasets import SetOptions, open_dataset
    from pocketclip.models.evaluation.samples import ClassificationSet

    found = open_dataset(budget.labelled, SetOptions(missing_allowed=max_skipped > 0))
    assert isinstance(found, ClassificationSet)
    samples = list(found.source(0))
    step = max(1, -(-len(samples) // MOST_LABELLED))
    refused = judged_hashes(config, Tower.IMAGE, parity)
    loaded = _loaded(budget.labelled, samples[::step], config, refused, max_skipped)
    return _Labelled(
        loaded.images,
        np.array(loaded.labels),
        found.class_names,
        found.templates,
        tuple(loaded.skipped),
        found.left_out.entries,
        tuple(loaded.ignored_profiles),
    )


@dataclass
class _Loaded:
    """The images of the samples that can be used, their labels, and names of the others with reasons."""

    images: list[NDArray[np.float32]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    ignored_profiles: list[str] = field(default_factory=list)


def _loaded(
    labelled: str, samples: Sequence[Sample], config: AnyConfig, refused: Mapping[str, str], max_skipped: float
) -> _Loaded:
    loaded = _Loaded()
    images, labels, skipped = loaded.images, loaded.labels, loaded.skipped
    for sample in samples:
        try:
            with noted_profiles() as reasons:
                image = sample.load(config.preprocess)[None]
        except Exception as error:
            skipped.append(f"{sample.name}: {reason_of(error)}")
            continue
        # Figures on data that the plan was chosen by prove nothing.
        why = refused.get(input_hash(image))
        if why is not None:
            skipped.append(f"{sample.name}: {why}")
            continue
        images.append(image)
        labels.append(sample.label)
        loaded.ignored_profiles += [printable_line(f"{sample.name}: {reason}") for reason in reasons[:1]]
    if len(skipped) > max_skipped * len(samples) or not images:
        named = "; ".join(skipped[:_MOST_NAMED]) or "it is empty"
        raise PlanError(
            f"{len(skipped)} of {len(samples)} samples of {labelled} cannot be used ({named})",
            fix="repair or remove them, or skip them with --max-skipped SHARE",
        )
    return loaded


def _labelled_scenes(config: AnyConfig) -> _Labelled:
    from pocketclip.models.evaluation.prompts import SceneTemplates

    dataset = SceneDataset(Split.VALIDATION, LABELLED_SCENES, seed=_LABELLED_SEED, size=config.preprocess.image_size)
    labels = dataset.labels()
    shown = np.flatnonzero(labels >= 0)
    images = [normalize(dataset.image(int(place)), config.preprocess)[None] for place in shown]
    names = [entry.name for entry in scene_classes(Split.VALIDATION)]
    return _Labelled(images, labels[shown], names, SceneTemplates())


def labelled_sha256(budget: DropBudget) -> str | None:
    """Identity of a labelled folder: paths, sizes and labels; None for samples that are generated.

    Raises:
        DatasetError: the folder is missing or not laid out in classes.
    """
    if budget.labelled is None or not budget.labelled.startswith(OWN_SETS):
        return None
    from pocketclip.models.evaluation.datasets import SetOptions, open_dataset
    from pocketclip.models.evaluation.samples import ClassificationSet

    found = open_dataset(budget.labelled, SetOptions(missing_allowed=True))
    assert isinstance(found, ClassificationSet)
    return found.sha256


def _embed(model: AnyModel, tower: Tower, inputs: Sequence[np.ndarray]) -> Embeddings:
    encode = model.encode_image if tower is Tower.IMAGE else model.encode_text
    with torch.inference_mode():
        batches = [
            torch.nn.functional.normalize(encode(torch.from_numpy(np.concatenate(list(batch)))), dim=-1)
            for batch in (inputs[start : start + _BATCH] for start in range(0, len(inputs), _BATCH))
        ]
    embeddings = torch.cat(batches).numpy()
    require_finite(embeddings, f"PyTorch ({model.config.name}, {tower} tower)")
    return embeddings


def _sha256(inputs: Sequence[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in inputs:
        digest.update(array.tobytes())
    return digest.hexdigest()
