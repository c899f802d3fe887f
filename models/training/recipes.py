"""What each recipe makes of the embeddings of a batch: its loss, in named terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from pocketclip.models.training.config import Recipe, TrainingConfig
from pocketclip.models.training.losses import (
    affinity_mimicking,
    contrastive_loss,
    sigmoid_loss,
    similarity_distillation,
    token_loss,
)
from pocketclip.models.training.memory import Remembered
from pocketclip.models.training.student import LossParameters


@dataclass(frozen=True)
class Embedded:
    """What the student made of the whole batch: `(N, D)` each, L2-normalised, with the factor on cosines.

    `synthetic_text` stands for the batch's synthetic captions, where it has them, `remembered` for earlier batches.
    """

    image: Tensor
    text: Tensor
    synthetic_text: Tensor | None
    learned: LossParameters
    remembered: Remembered | None = None

    @property
    def scale(self) -> Tensor:
        """The factor on cosines."""
        return self.learned.scale


@dataclass(frozen=True)
class TeacherView:
    """What one teacher makes of the whole batch: `(N, D_t)` each, L2-normalised, and its factor on cosines."""

    image: Tensor
    text: Tensor
    synthetic_text: Tensor | None
    scale: float


@dataclass(frozen=True)
class Goals:
    """What the student is compared with.

    Equal `caption_ids` (N,) mark equal captions, equal `synthetic_caption_ids` equal synthetic ones. `token_ids`
    (N, T) are the captions' own, where they are to be predicted.
    """

    caption_ids: Tensor
    token_ids: Tensor | None = None
    synthetic_caption_ids: Tensor | None = None
    teachers: tuple[TeacherView, ...] = ()


Terms = Mapping[str, Tensor]
"""The loss by the names of its terms, each weighted: their sum is minimised."""

Objective = Callable[[Embedded, Goals], Terms]


def objective(config: TrainingConfig) -> Objective:
    """The loss of the configured recipe, with the prediction of tokens where it has a weight."""
    own = _OBJECTIVES[config.recipe](config.distillation_share)
    if config.token_weight == 0:
        return own

    def terms(student: Embedded, goals: Goals) -> Terms:
        assert student.learned.tokens is not None and goals.token_ids is not None
        tokens = token_loss(student.image, goals.token_ids, student.learned.tokens)
        return {**own(student, goals), "tokens": config.token_weight * tokens}

    return terms


def _contrastive(_: float) -> Objective:
    return lambda student, goals: {
        "contrastive": contrastive_loss(
            student.image, student.text, student.scale, goals.caption_ids, student.remembered
        )
    }


def _sigmoid(_: float) -> Objective:
    def terms(student: Embedded, goals: Goals) -> Terms:
        bias = student.learned.bias
        assert bias is not None
        return {"sigmoid": sigmoid_loss(student.image, student.text, student.scale, bias, goals.caption_ids)}

    return terms


def _reinforced(weight: float) -> Objective:
    """MobileCLIP, section 4: the same two terms for real and for synthetic captions."""

    def terms(student: Embedded, goals: Goals) -> Terms:
        assert student.synthetic_text is not None
        assert goals.synthetic_caption_ids is not None
        real = _distilled(student, student.text, goals.caption_ids, _texts(goals), goals, weight)
        synthetic = _distilled(
            student, student.synthetic_text, goals.synthetic_caption_ids, _synthetic_texts(goals), goals, weight
        )
        return {**real, **{f"synthetic_{name}": value for name, value in synthetic.items()}}

    return terms


def _distillation(weight: float) -> Objective:
    return lambda student, goals: _distilled(student, student.text, goals.caption_ids, _texts(goals), goals, weight)


def _affinity(weight: float) -> Objective:
    def terms(student: Embedded, goals: Goals) -> Terms:
        (teacher,) = goals.teachers
        mimicry = affinity_mimicking(
            student.image, student.text, student.scale, (teacher.image, teacher.text), teacher.scale
        )
        return _weighted(student, student.text, goals.caption_ids, "affinity", mimicry, weight)

    return terms


_OBJECTIVES: dict[Recipe, Callable[[float], Objective]] = {
    Recipe.CONTRASTIVE: _contrastive,
    Recipe.SIGMOID: _sigmoid,
    Recipe.REINFORCED: _reinforced,
    Recipe.DISTILLATION: _distillation,
    Recipe.AFFINITY: _affinity,
}


def _distilled(
    student: Embedded, text: Tensor, caption_ids: Tensor, wanted: list[Tensor], goals: Goals, weight: float
) -> Terms:
    divergence = similarity_distillation(
        student.image,
        text,
        student.scale,
        [(teacher.image, goal) for teacher, goal in zip(goals.teachers, wanted, strict=True)],
        [teacher.scale for teacher in goals.teachers],
    )
    return _weighted(student, text, caption_ids, "distillation", divergence, weight)


def _weighted(student: Embedded, text: Tensor, caption_ids: Tensor, name: str, term: Tensor, weight: float) -> Terms:
    terms = {name: weight * term}
    if weight < 1:
        # At a weight of 1 its gradients would be zeros that cost a softmax over the batch.
        term = contrastive_loss(student.image, text, student.scale, caption_ids, student.remembered)
        terms["contrastive"] = (1 - weight) * term
    return terms


def _texts(goals: Goals) -> list[Tensor]:
    return [teacher.text for teacher in goals.teachers]


def _synthetic_texts(goals: Goals) -> list[Tensor]:
    texts = [teacher.synthetic_text for teacher in goals.teachers]
    assert all(text is not None for text in texts)
    return [text for text in texts if text is not None]
