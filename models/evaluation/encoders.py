"""What evaluation needs of a model, and the PyTorch models behind it. Exported pairs have the same form in `export`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from pocketclip.models import documents
from pocketclip.models.errors import NonFiniteError
from pocketclip.models.pixels.preprocess import PreprocessSpec
from pocketclip.models.text.tokenizer import TokenizerSpec, load_tokenizer

if TYPE_CHECKING:
    import torch

    from pocketclip.models.towers.clip import AnyModel

Embeddings = NDArray[np.float32]


@dataclass(frozen=True)
class EncoderIdentity:
    """What decides an encoder's embeddings: hashes of the two towers (or of all weights), inputs, and what runs it."""

    image_sha256: str
    text_sha256: str
    inputs: str
    executed_by: str


class TextEncoder(Protocol):
    """What turns sentences into normalised embeddings."""

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """N sentences to normalised `(N, D)`. Raises `NonFiniteError`."""
        ...


class Encoder(TextEncoder, Protocol):
    """A model that turns images and sentences into normalised embeddings."""

    @property
    def identity(self) -> EncoderIdentity: ...

    @property
    def preprocess(self) -> PreprocessSpec: ...

    @property
    def batch_size(self) -> int:
        """How many images `encode_images` is best given at a time."""
        ...

    def encode_images(self, images: NDArray[np.float32]) -> Embeddings:
        """`(N, 3, S, S)` to normalised `(N, D)`. Raises `NonFiniteError`."""
        ...


def describe_inputs(preprocess: PreprocessSpec, tokenizer: TokenizerSpec) -> str:
    """Preprocessing and tokenizer as one word for an identity."""
    return json.dumps([documents.to_builtin(preprocess), documents.to_builtin(tokenizer)], sort_keys=True)


class TorchEncoder:
    """A PyTorch model in eval mode, fp32, in batches."""

    def __init__(self, model: AnyModel, weights_sha256: str, *, batch_size: int, device: str = "cpu") -> None:
        import torch

        self._model = model.to(device)
        self._device = torch.device(device)
        self._tokenizer = load_tokenizer(model.config.tokenizer)
        self.preprocess = model.config.preprocess
        self.batch_size = batch_size
        self.executed_by = f"torch {torch.__version__}" + ("" if device == "cpu" else f" on {device}")
        self.identity = EncoderIdentity(
            image_sha256=weights_sha256,
            text_sha256=weights_sha256,
            inputs=describe_inputs(model.config.preprocess, model.config.tokenizer) + model.config.sha256,
            executed_by=self.executed_by,
        )

    def encode_images(self, images: NDArray[np.float32]) -> Embeddings:
        return self._encode(self._model.encode_image, images)

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        size = self.batch_size
        return np.concatenate(
            [
                self._encode(self._model.encode_text, self._tokenizer(texts[start : start + size]))
                for start in range(0, len(texts), size)
            ]
        )

    def _encode(self, tower: Callable[[torch.Tensor], torch.Tensor], inputs: NDArray[np.generic]) -> Embeddings:
        import torch

        with torch.inference_mode():
            embedding = tower(torch.from_numpy(inputs).to(self._device))
            normalised = torch.nn.functional.normalize(embedding, dim=-1).cpu().numpy()
        return require_finite(normalised, self._model.config.name)


def require_finite(embeddings: Embeddings, model: str) -> Embeddings:
    """The embeddings; `NonFiniteError` where one is NaN or infinite, which would count as a wrong answer."""
    if not np.isfinite(embeddings).all():
        raise NonFiniteError(f"{model} gave NaN or infinite embeddings; its weights or its precision are unusable")
    return embeddings
