"""From a stored sample to what a batch is made of: pixels, token ids and, in reinforced data, teacher embeddings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

from pocketclip.models.data.augmentation import (
    CompressedAugmentation,
    draw_crop,
    draw_operations,
    parse_augmentations,
)
from pocketclip.models.data.embeddings import SampleEmbeddings, read_embeddings
from pocketclip.models.data.order import Cursor, sample_generator, torch_seed
from pocketclip.models.data.references import (
    PLAIN_MEMBERS,
    REINFORCED_MEMBERS,
    RawSample,
    SampleReference,
    ShardFault,
    decode_image,
)
from pocketclip.models.data.shards import AUGMENTATION_MEMBER, EMBEDDING_MEMBERS
from pocketclip.models.data.skips import SkippedSample, reason_of
from pocketclip.models.errors import DatasetError
from pocketclip.models.pixels.colour_profiles import noted_profiles
from pocketclip.models.pixels.preprocess import Interpolation, PreprocessSpec, resize_and_crop
from pocketclip.models.text.tokenizer import Tokenizer

_FILTERS = {
    Interpolation.BILINEAR: InterpolationMode.BILINEAR,
    Interpolation.BICUBIC: InterpolationMode.BICUBIC,
}


@dataclass(frozen=True)
class ReinforcedPart:
    """One synthetic caption of a sample, and the embeddings (D,) of its image, caption and synthetic caption."""

    synthetic_caption: str
    synthetic_token_ids: NDArray[np.int32]
    image: NDArray[np.float32]
    text: NDArray[np.float32]
    synthetic_text: NDArray[np.float32]


@dataclass(frozen=True)
class DecodedSample:
    """`pixels` (S, S, 3) uint8, the caption and its ids (T,); `label` names the class, where the sample has one.

    `ignored_profile` names the sample, with the reason, where its image's colour profile cannot be used.
    """

    pixels: NDArray[np.uint8]
    caption: str
    token_ids: NDArray[np.int32]
    reinforced: ReinforcedPart | None = None
    label: str = ""
    ignored_profile: str | None = None


@dataclass(frozen=True)
class CorruptSample:
    """A sample that could not be decoded; `whole_shard` where it stands for a shard."""

    skipped: SkippedSample
    whole_shard: bool


@dataclass(frozen=True)
class SampleDecoder:
    """Decodes one sample; all that is random follows from `seed`, the epoch and the sample.

    Attributes:
        crop_scale: least and most of the image's area that a random crop keeps; (1, 1) is the preprocessing of
            evaluation. Reinforced data have crops of their own.
        rand_augment: two operations of RandAugment after the crop; reinforced data have operations of their own.
        teacher_width: sum of the teachers' dims in reinforced data; None for plain data.
    """

    preprocess: PreprocessSpec
    tokenizer: Tokenizer
    seed: int
    crop_scale: tuple[float, float]
    teacher_width: int | None = None
    rand_augment: bool = False

    def __call__(self, cursor: Cursor, reference: SampleReference) -> DecodedSample | CorruptSample:
        """The sample, or what is wrong with it."""
        try:
            draws = sample_generator(self.seed, cursor.epoch, reference)
            with noted_profiles() as reasons:
                if self.teacher_width is None:
                    decoded = self._plain(reference.read(PLAIN_MEMBERS), draws)
                else:
                    decoded = self._reinforced(reference.read(REINFORCED_MEMBERS), draws, self.teacher_width)
            return replace(decoded, ignored_profile=f"{reference.name}: {reasons[0]}") if reasons else decoded
        except Exception as error:
            return corrupt_sample(reference, error)

    def _plain(self, raw: RawSample, draws: np.random.Generator) -> DecodedSample:
        image = decode_image(raw.image)
        pixels = np.asarray(self._crop(image, draws))
        return DecodedSample(pixels, raw.caption, self.tokenizer(raw.caption)[0], label=raw.label)

    def _crop(self, image: Any, draws: np.random.Generator) -> Image.Image:
        if self.crop_scale == (1.0, 1.0) and not self.rand_augment:
            return resize_and_crop(image, self.preprocess)
        top, left, height, width = draw_crop(image, self.crop_scale, seed=torch_seed(draws))
        if self.rand_augment:
            operations = draw_operations(torch_seed(draws))
            return CompressedAugmentation((top, left, height, width), operations).apply(
                image, self.preprocess.image_size
            )
        size, filtered = [self.preprocess.image_size] * 2, _FILTERS[self.preprocess.interpolation]
        # torchvision's functions take PIL images, but are typed for tensors.
        cropped: Any = transforms.resized_crop(image, top, left, height, width, size, interpolation=filtered)
        return cropped

    def _reinforced(self, raw: RawSample, draws: np.random.Generator, width: int) -> DecodedSample:
        members = raw.reinforcement or {}
        kind = next((kind for kind in EMBEDDING_MEMBERS if kind in members), None)
        if kind is None or AUGMENTATION_MEMBER not in members:
            raise DatasetError("no stored embeddings and augmentations", fix="create them with pocketclip reinforce")
        augmentations = parse_augmentations(members[AUGMENTATION_MEMBER])
        embeddings = read_embeddings(members[kind], kind)
        _require_shapes(embeddings, len(augmentations), 1 + len(raw.synthetic_captions), width)
        chosen = int(draws.integers(len(augmentations)))
        # Row 0 is the caption's, and stands in where there is no synthetic one.
        row = 1 + int(draws.integers(len(raw.synthetic_captions))) if raw.synthetic_captions else 0
        synthetic = raw.synthetic_captions[row - 1] if row else raw.caption
        image = augmentations[chosen].apply(decode_image(raw.image), self.preprocess.image_size)
        token_ids, synthetic_token_ids = self.tokenizer([raw.caption, synthetic])
        return DecodedSample(
            np.asarray(image),
            raw.caption,
            token_ids,
            ReinforcedPart(
                synthetic, synthetic_token_ids, embeddings.image[chosen], embeddings.text[0], embeddings.text[row]
            ),
            raw.label,
        )


def corrupt_sample(reference: SampleReference, error: Exception) -> CorruptSample:
    """A sample that failed, whatever was raised: no single one ends a run, and too many do."""
    return CorruptSample(SkippedSample(reference.name, reason_of(error)), isinstance(reference, ShardFault))


def _require_shapes(embeddings: SampleEmbeddings, augmentations: int, captions: int, width: int) -> None:
    wanted = {"image_emb": (augmentations, width), "text_emb": (captions, width)}
    for (name, shape), found in zip(wanted.items(), (embeddings.image.shape, embeddings.text.shape), strict=True):
        if found != shape:
            raise DatasetError(f"{name} has the shape {found}; its augmentations, captions and teachers need {shape}")
