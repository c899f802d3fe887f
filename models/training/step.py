"""One step's losses and gradients, the batch in one piece or in several."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pocketclip.models.data.batches import Batch
from pocketclip.models.training.config import Autocast
from pocketclip.models.training.distributed import Processes, unmoved_statistics
from pocketclip.models.training.recipes import Embedded, Goals, Objective, Terms
from pocketclip.models.training.student import LossParameters, Student

Backward = Callable[[Tensor], None]

_DTYPES = {Autocast.BF16: torch.bfloat16, Autocast.FP16: torch.float16}


@dataclass(frozen=True)
class Inputs:
    """A process's share of a batch on its device; synthetic captions, where there are any, follow the real ones."""

    images: Tensor
    token_ids: Tensor

    def parts(self, count: int) -> list[Inputs]:
        """The rows in `count` equal parts, the captions of each image with it."""
        captions = self.token_ids.unflatten(0, (-1, len(self.images)))
        return [
            Inputs(images, ids.flatten(0, 1))
            for images, ids in zip(self.images.chunk(count), captions.chunk(count, dim=1), strict=True)
        ]


def inputs_of(batch: Batch, device: torch.device) -> Inputs:
    """The student's inputs on its device."""
    ids = batch.token_ids
    if batch.synthetic_token_ids is not None:
        ids = torch.cat([ids, batch.synthetic_token_ids])
    images = batch.images.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)
    return Inputs(images, ids.to(device, non_blocking=True))


class GradientPass:
    """Losses and gradients of a student whose loss needs all embeddings of a batch at once.

    With several parts, the embeddings are computed part by part without gradients, the loss gives each embedding its
    gradient, and each part is computed again to carry it on (GradCache, Gao et al. 2021): the gradients are those of
    the whole batch, at the memory of a part. BatchNorm sees one part at a time.
    """

    def __init__(
        self, student: nn.Module, objective: Objective, processes: Processes, *, accumulation: int, autocast: Autocast
    ) -> None:
        self._student, self._objective, self._processes = student, objective, processes
        self._memory = _plain(student).memory
        self._accumulation, self._dtype = accumulation, _DTYPES.get(autocast)

    def run(self, inputs: Inputs, goals: Goals, backward: Backward) -> Terms:
        """Adds the gradients of a batch to the student's parameters.

        Args:
            inputs: this process's share.
            goals: those of the whole batch.
            backward: called once with the loss; a scaler's, where one is used.

        Returns:
            The terms of the loss, detached.
        """
        if self._accumulation == 1:
            terms = self._terms(*self._forward(self._student, inputs), goals)
            backward(_total(terms))
        else:
            terms = self._run_in_parts(inputs.parts(self._accumulation), goals, backward)
        return {name: term.detach() for name, term in terms.items()}

    def _run_in_parts(self, parts: list[Inputs], goals: Goals, backward: Backward) -> Terms:
        student = self._student
        plain = _plain(student)
        with torch.no_grad(), unmoved_statistics(plain):
            cached = [self._forward(plain, part) for part in parts]
        images = torch.cat([image for image, *_ in cached]).requires_grad_()
        per_caption = [text.unflatten(0, (-1, len(image))) for image, text, *_ in cached]
        texts = torch.cat(per_caption, dim=1).flatten(0, 1).requires_grad_()
        learned = cached[0][2].leaves()
        terms = self._terms(images, texts, learned, goals)
        backward(_total(terms))
        image_gradients = torch.chunk(_gradient(images), len(parts))
        text_gradients = torch.unflatten(_gradient(texts), 0, (-1, len(images))).chunk(len(parts), dim=1)
        for place, part in enumerate(parts):
            last = place == len(parts) - 1
            # Processes exchange gradients once, with the last part.
            waits = student.no_sync() if isinstance(student, DistributedDataParallel) and not last else None
            with waits or contextlib.nullcontext():
                image, text, anew = self._forward(student, part)
                # Gradients of the loss's own are whole already: they go in once; zeros keep every parameter in use.
                share = 1.0 if last else 0.0
                carried: list[tuple[Tensor, Tensor]] = [
                    (image, image_gradients[place]),
                    (text, text_gradients[place].flatten(0, 1)),
                    *((new, _gradient(old) * share) for new, old in zip(anew.given, learned.given, strict=True)),
                ]
                torch.autograd.backward([tensor for tensor, _ in carried], [gradient for _, gradient in carried])
        return terms

    def _forward(self, student: nn.Module, inputs: Inputs) -> tuple[Tensor, Tensor, LossParameters]:
        device = inputs.images.device.type
        with torch.autocast(device, self._dtype, enabled=self._dtype is not None):
            return student(inputs.images, inputs.token_ids)

    def _terms(self, image: Tensor, text: Tensor, learned: LossParameters, goals: Goals) -> Terms:
        captions = text.unflatten(0, (-1, len(image))).unbind(0)
        gathered = [self._processes.gather(rows) for rows in captions]
        synthetic = gathered[1] if len(gathered) > 1 else None
        images = self._processes.gather(image)
        remembered = None if self._memory is None else self._memory.content()
        terms = self._objective(Embedded(images, gathered[0], synthetic, learned, remembered), goals)
        if self._memory is not None:
            self._memory.add(images, gathered[0], goals.caption_ids)
        return terms


def _plain(student: nn.Module) -> Student:
    found = student.module if isinstance(student, DistributedDataParallel) else student
    assert isinstance(found, Student)
    return found


def _total(terms: Terms) -> Tensor:
    return torch.stack(list(terms.values())).sum()


def _gradient(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None
    return tensor.grad
