"""Teachers: models with trained weights that embed images and captions, each in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from pocketclip.models.checkpoints.checkpoint import weights_sha256
from pocketclip.models.data.reinforcement import TeacherRecord
from pocketclip.models.errors import NonFiniteError
from pocketclip.models.pixels.preprocess import normalize
from pocketclip.models.registry import build_trained_model
from pocketclip.models.text.tokenizer import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    from pocketclip.models.config import AnyConfig
    from pocketclip.models.towers.clip import AnyModel


@dataclass(frozen=True)
class Teacher:
    """A model in eval mode on its device, with its tokenizer; `record` identifies it."""

    record: TeacherRecord
    config: AnyConfig
    model: AnyModel
    tokenizer: Tokenizer
    device: torch.device

    def embed_images(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`(N, S, S, 3)` uint8 at the teacher's size to L2-normalised `(N, dim)`.

        Raises:
            NonFiniteError: an embedding is NaN or infinite.
        """
        images = torch.from_numpy(normalize(pixels, self.config.preprocess)).to(self.device)
        with torch.inference_mode():
            return self._normalised(self.model.encode_image(images))

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Captions to L2-normalised `(N, dim)`; `NonFiniteError` as for images."""
        token_ids = torch.from_numpy(self.tokenizer(texts)).to(self.device)
        with torch.inference_mode():
            return self._normalised(self.model.encode_text(token_ids))

    def _normalised(self, embeddings: torch.Tensor) -> NDArray[np.float32]:
        rows = functional.normalize(embeddings.float(), dim=-1).cpu().numpy()
        if not np.isfinite(rows).all():
            raise NonFiniteError(f"the teacher {self.record.reference} gives embeddings that are NaN or infinite")
        return rows


def load_teacher(reference: str, device: torch.device | str = "cpu") -> Teacher:
    """The teacher that `MODEL` or `MODEL=CHECKPOINT` names.

    Raises:
        UnknownModelError, ConfigError: no such model, or one that would have fresh random weights.
        CheckpointError: the checkpoint cannot be read or does not fit.
    """
    model = build_trained_model(reference)
    config = model.config
    record = TeacherRecord(
        reference=reference,
        name=config.name,
        dim=config.embedding_dim,
        logit_scale=model.scale().item(),
        image_size=config.preprocess.image_size,
        weights_sha256=weights_sha256(model),
    )
    target = torch.device(device)
    return Teacher(record, config, model.to(target), load_tokenizer(config.tokenizer), target)
