"""One sample on its way into a reinforced shard: what is stored of it, and what the teachers see."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pocketclip.models.data.augmentation import CompressedAugmentation, draw_crop, draw_operations
from pocketclip.models.data.decoding import CorruptSample, corrupt_sample
from pocketclip.models.data.order import sample_generator, torch_seed
from pocketclip.models.data.references import CAPTIONED_MEMBERS, RawSample, SampleReference, decode_image
from pocketclip.models.data.reinforcement import ReinforcementSettings, StoredFormat
from pocketclip.models.data.shards import AUGMENTATION_MEMBER, CAPTION_MEMBER, SYNTHETIC_MEMBER
from pocketclip.models.pixels.colour_profiles import noted_profiles

_QUALITY = 95
# What readers of DataCompDR's layout take, ours and others'.
_STORED_MEMBERS = ("jpg", "jpeg", "png", "webp")


@dataclass(frozen=True)
class PreparedSample:
    """A sample with its augmentations drawn.

    Attributes:
        members: what is stored, embeddings aside, by extension.
        captions: the caption, then the synthetic ones kept.
        pixels: the augmented images `(A, S, S, 3)` uint8 by teacher size S.
        ignored_profile: the sample's name with the reason, where its image's colour profile cannot be used.
    """

    key: str
    members: Mapping[str, bytes]
    captions: tuple[str, ...]
    pixels: Mapping[int, NDArray[np.uint8]]
    ignored_profile: str | None = None


@dataclass(frozen=True)
class SamplePreparer:
    """Reads a sample, draws its augmentations and applies them at every teacher's size."""

    settings: ReinforcementSettings

    def __call__(self, reference: SampleReference) -> PreparedSample | CorruptSample:
        """The sample, or what is wrong with it."""
        try:
            with noted_profiles() as reasons:
                prepared = self._prepare(reference)
            return replace(prepared, ignored_profile=f"{reference.name}: {reasons[0]}") if reasons else prepared
        except Exception as error:
            return corrupt_sample(reference, error)

    def _prepare(self, reference: SampleReference) -> PreparedSample:
        settings = self.settings
        raw = reference.read(CAPTIONED_MEMBERS)
        data, extension, image = stored_image(raw, settings)
        draws = sample_generator(settings.seed, 0, reference)
        augmentations = [self._draw(image, draws) for _ in range(settings.augmentations)]
        synthetic = raw.synthetic_captions[: settings.synthetic]
        sizes = sorted({teacher.image_size for teacher in settings.teachers})
        return PreparedSample(
            reference.key,
            {
                extension: data,
                CAPTION_MEMBER: raw.caption.encode(),
                SYNTHETIC_MEMBER: _json({"syn_text": synthetic}),
                AUGMENTATION_MEMBER: _json({"param_aug": [augmentation.to_json() for augmentation in augmentations]}),
            },
            (raw.caption, *synthetic),
            {size: np.stack([np.asarray(each.apply(image, size)) for each in augmentations]) for size in sizes},
        )

    def _draw(self, image: Image.Image, draws: np.random.Generator) -> CompressedAugmentation:
        crop = draw_crop(image, self.settings.crop_scale, seed=torch_seed(draws))
        operations = draw_operations(torch_seed(draws)) if self.settings.rand_augment else None
        return CompressedAugmentation(crop, operations)


def stored_image(raw: RawSample, settings: ReinforcementSettings) -> tuple[bytes, str, Image.Image]:
    """The bytes that are stored, their extension, and the image that they decode to.

    The bytes stay as they are unless another size or format is asked for, or no shard may hold their format.
    """
    image = decode_image(raw.image)
    extension = raw.extension if settings.image_format is StoredFormat.KEEP else settings.image_format.value
    if extension not in _STORED_MEMBERS:
        extension = StoredFormat.PNG.value
    shorter = min(image.size)
    shrunk = settings.image_size is not None and shorter > settings.image_size
    if not shrunk and extension == raw.extension:
        return raw.image, extension, image
    if shrunk:
        scale = (settings.image_size or shorter) / shorter
        width, height = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    data = _encode(image, extension)
    # A lossy format changes the pixels: teachers have to see what a reader of the shard will see.
    return data, extension, decode_image(data)


def _encode(image: Image.Image, extension: str) -> bytes:
    buffer = io.BytesIO()
    options = {} if extension == StoredFormat.PNG else {"quality": _QUALITY}
    image.save(buffer, "jpeg" if extension in ("jpg", "jpeg") else extension, **options)
    return buffer.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
