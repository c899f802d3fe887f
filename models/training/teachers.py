"""What the student is compared with: embeddings stored in the data, or models that run beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from pocketclip.models.config import MAX_LOGIT_SCALE
from pocketclip.models.data.batches import Batch
from pocketclip.models.data.mixture import parse_mixture
from pocketclip.models.data.reinforcement import stored_teachers
from pocketclip.models.data.source import ShardSource
from pocketclip.models.errors import ConfigError, NonFiniteError
from pocketclip.models.pixels.preprocess import Interpolation, PreprocessSpec
from pocketclip.models.registry import build_trained_model
from pocketclip.models.text.tokenizer import Tokenizer, load_tokenizer
from pocketclip.models.towers.clip import AnyModel, reparameterize
from pocketclip.models.training.config import TrainingConfig
from pocketclip.models.training.distributed import Processes
from pocketclip.models.training.recipes import Goals, TeacherView


class Teachers(Protocol):
    """Gives the views of all teachers on a process's share of a batch."""

    def views(self, batch: Batch, device: torch.device) -> list[TeacherView]: ...


@dataclass(frozen=True)
class NoTeachers:
    """Of recipes that compare the student with the data alone."""

    def views(self, batch: Batch, device: torch.device) -> list[TeacherView]:
        return []


@dataclass(frozen=True)
class StoredTeachers:
    """Embeddings that come with the batch, the teachers' side by side.

    `dims` are their widths, `scales` their factors on cosines.
    """

    dims: tuple[int, ...]
    scales: tuple[float, ...]

    def views(self, batch: Batch, device: torch.device) -> list[TeacherView]:
        stored = batch.teachers
        assert stored is not None
        columns = [_slices(rows.to(device), self.dims) for rows in (stored.image, stored.text, stored.synthetic_text)]
        return [
            TeacherView(image, text, synthetic, scale)
            for image, text, synthetic, scale in zip(*columns, self.scales, strict=True)
        ]


class OnlineTeacher:
    """A model that sees the student's augmented images and captions, at its own resolution and with its tokenizer."""

    def __init__(self, model: AnyModel, student: PreprocessSpec, device: torch.device) -> None:
        self.model = reparameterize(model).to(device).requires_grad_(False)
        self._tokenizer: Tokenizer = load_tokenizer(model.config.tokenizer)
        self._own, self._student = model.config.preprocess, student
        self.scale = model.scale().item()

    @torch.no_grad()
    def view(self, batch: Batch, device: torch.device) -> TeacherView:
        """This teacher's embeddings of the batch's images and real captions."""
        images = _as_seen_by(batch.images.to(device), self._student, self._own)
        ids = torch.from_numpy(self._tokenizer(batch.captions)).to(device)
        model: AnyModel = self.model  # pyright: ignore[reportAssignmentType]
        image = functional.normalize(model.encode_image(images).float(), dim=-1)
        text = functional.normalize(model.encode_text(ids).float(), dim=-1)
        if not (image.isfinite().all() and text.isfinite().all()):
            raise NonFiniteError(
                f"the teacher {model.config.name} gives NaN or infinite embeddings", fix="use another one"
            )
        return TeacherView(image, text, None, self.scale)


@dataclass(frozen=True)
class OnlineTeachers:
    """Models that run beside the student."""

    members: tuple[OnlineTeacher, ...]

    def views(self, batch: Batch, device: torch.device) -> list[TeacherView]:
        return [member.view(batch, device) for member in self.members]


def load_teachers(config: TrainingConfig, student: PreprocessSpec, device: torch.device) -> Teachers:
    """The teachers that the recipe needs: models, embeddings stored in the data, or none.

    Raises:
        ConfigError: a teacher would have random weights, or the data hold no embeddings.
        DatasetError: the shards do not say how wide their teachers' embeddings are.
        UnknownModelError, CheckpointError: as `build_trained_model`.
    """
    if config.recipe.needs_teachers:
        return OnlineTeachers(
            tuple(OnlineTeacher(build_trained_model(reference), student, device) for reference in config.teachers)
        )
    if not config.recipe.needs_stored_embeddings:
        return NoTeachers()
    parts = parse_mixture(config.data)
    source = parts[0].source
    if len(parts) > 1 or not isinstance(source, ShardSource):
        raise ConfigError(
            f"{config.data} has no teachers' embeddings, which recipe {config.recipe} needs",
            fix=f"create shards with `pocketclip reinforce --data {config.data} --teacher MODEL --out FOLDER`",
        )
    if config.teacher_dims is not None:
        return StoredTeachers(config.teacher_dims, (MAX_LOGIT_SCALE,) * len(config.teacher_dims))
    teachers = stored_teachers(source)
    return StoredTeachers(
        tuple(teacher.dim for teacher in teachers), tuple(teacher.logit_scale for teacher in teachers)
    )


def gathered_goals(batch: Batch, views: Sequence[TeacherView], processes: Processes) -> Goals:
    """The goals of the whole batch from every process's share."""

    def gather(rows: Tensor) -> Tensor:
        return processes.gather(rows.to(processes.device))

    def gather_some(rows: Tensor | None) -> Tensor | None:
        return None if rows is None else gather(rows)

    return Goals(
        gather(batch.caption_ids),
        gather(batch.token_ids),
        gather_some(batch.synthetic_caption_ids),
        tuple(
            TeacherView(gather(view.image), gather(view.text), gather_some(view.synthetic_text), view.scale)
            for view in views
        ),
    )


def _slices(rows: Tensor, dims: tuple[int, ...]) -> list[Tensor]:
    if rows.shape[-1] != sum(dims):
        raise ConfigError(
            f"the stored embeddings have {rows.shape[-1]} columns, the teachers' widths {dims} sum to {sum(dims)}",
            fix="give the right widths with --teacher-dims",
        )
    return [functional.normalize(each, dim=-1) for each in rows.float().split(dims, dim=-1)]


def _as_seen_by(images: Tensor, student: PreprocessSpec, teacher: PreprocessSpec) -> Tensor:
    if student == teacher:
        return images
    mean, std = _channels(student.mean, images), _channels(student.std, images)
    images = images * std + mean
    if student.image_size != teacher.image_size:
        mode = "bicubic" if teacher.interpolation is Interpolation.BICUBIC else "bilinear"
        size = (teacher.image_size, teacher.image_size)
        images = functional.interpolate(images, size, mode=mode, antialias=True, align_corners=False).clamp(0, 1)
    return (images - _channels(teacher.mean, images)) / _channels(teacher.std, images)


def _channels(values: tuple[float, float, float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device).view(3, 1, 1)
