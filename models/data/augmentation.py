"""Stored image augmentations: a random resized crop, then two operations of RandAugment, re-applied exactly.

The layout and the operations are DataCompDR's (MobileCLIP, Vasu et al. 2024, section 4; the operations are those of
torchvision's `RandAugment` with 2 operations of magnitude 9 in 31 bins).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torchvision.transforms import InterpolationMode, RandomResizedCrop
from torchvision.transforms import functional as transforms

from pocketclip.models.errors import ConfigError, DatasetError
from pocketclip.models.untrusted import json_text

Crop = tuple[int, int, int, int]
"""(top, left, height, width) in pixels of the upright source image."""

TRANSLATION_SIZE = 224
"""Magnitudes of translations are pixels of an image of this side, that of DataCompDR's teachers; at other sizes they
are scaled, so that every size shows the same part of the image."""

OPERATIONS_PER_IMAGE = 2
DEFAULT_RATIO = (3 / 4, 4 / 3)
# Far above what anyone stores: more is damage, and would take minutes for one image.
MOST_OPERATIONS = 16
MOST_AUGMENTATIONS = 1000
MOST_MAGNITUDE = 10_000.0
_MOST_BYTES = 1 << 20

_BIN = 9
_LAST_BIN = 30


@dataclass(frozen=True)
class Operation:
    """One kind of operation: its name, the magnitude drawn for it, whether that gets a random sign, what it does.

    `apply` takes an RGB image and a magnitude, translations already in pixels of this image.
    """

    name: str
    magnitude: float
    signed: bool
    apply: Callable[[Any, float], Any]


def _affine(image: Any, *, shear: tuple[float, float] = (0.0, 0.0), shift: tuple[int, int] = (0, 0)) -> Any:
    # Shears turn about the corner, so that their slope is the magnitude.
    centre = [0, 0] if any(shear) else None
    degrees = [math.degrees(math.atan(slope)) for slope in shear]
    return transforms.affine(image, angle=0.0, translate=list(shift), scale=1.0, shear=degrees, center=centre)


def _share(most: float) -> float:
    """The magnitude of bin 9 on a scale from 0 to `most`, in torchvision's single precision."""
    return float(torch.linspace(0.0, most, _LAST_BIN + 1)[_BIN])


OPERATIONS: tuple[Operation, ...] = (
    Operation("Identity", 0.0, False, lambda image, _: image),
    Operation("ShearX", _share(0.3), True, lambda image, slope: _affine(image, shear=(slope, 0.0))),
    Operation("ShearY", _share(0.3), True, lambda image, slope: _affine(image, shear=(0.0, slope))),
    Operation(
        "TranslateX",
        _share(150 / 331 * TRANSLATION_SIZE),
        True,
        lambda image, pixels: _affine(image, shift=(int(pixels), 0)),
    ),
    Operation(
        "TranslateY",
        _share(150 / 331 * TRANSLATION_SIZE),
        True,
        lambda image, pixels: _affine(image, shift=(0, int(pixels))),
    ),
    Operation("Rotate", _share(30.0), True, lambda image, degrees: transforms.rotate(image, degrees)),
    Operation("Brightness", _share(0.9), True, lambda image, change: transforms.adjust_brightness(image, 1 + change)),
    Operation("Color", _share(0.9), True, lambda image, change: transforms.adjust_saturation(image, 1 + change)),
    Operation("Contrast", _share(0.9), True, lambda image, change: transforms.adjust_contrast(image, 1 + change)),
    Operation("Sharpness", _share(0.9), True, lambda image, change: transforms.adjust_sharpness(image, 1 + change)),
    Operation(
        "Posterize",
        float(8 - round(_BIN / (_LAST_BIN / 4))),
        False,
        lambda image, bits: transforms.posterize(image, int(bits)),
    ),
    Operation(
        "Solarize",
        float(torch.linspace(255.0, 0.0, _LAST_BIN + 1)[_BIN]),
        False,
        lambda image, threshold: transforms.solarize(image, threshold),
    ),
    Operation("AutoContrast", 0.0, False, lambda image, _: transforms.autocontrast(image)),
    Operation("Equalize", 0.0, False, lambda image, _: transforms.equalize(image)),
)
"""In DataCompDR's order: a stored operation is a place in this table and a magnitude."""

_TRANSLATIONS = frozenset(place for place, entry in enumerate(OPERATIONS) if entry.name.startswith("Translate"))
_POSTERIZE = next(place for place, entry in enumerate(OPERATIONS) if entry.name == "Posterize")


@dataclass(frozen=True)
class CompressedAugmentation:
    """One augmentation of one image; `operations` None where RandAugment was left out.

    Raises `DatasetError` for what cannot be applied to any image.
    """

    crop: Crop
    operations: tuple[tuple[int, float], ...] | None

    def __post_init__(self) -> None:
        top, left, height, width = self.crop
        if min(top, left) < 0 or min(height, width) < 1:
            raise DatasetError(f"the crop {self.crop} is not (top, left, height, width) in pixels")
        if self.operations is not None and len(self.operations) > MOST_OPERATIONS:
            raise DatasetError(f"{len(self.operations)} operations on one image; at most {MOST_OPERATIONS} are applied")
        for place, magnitude in self.operations or ():
            if not 0 <= place < len(OPERATIONS) or not abs(magnitude) <= MOST_MAGNITUDE:
                raise DatasetError(
                    f"[{place}, {magnitude}] is not an operation: places are 0 to {len(OPERATIONS) - 1}, magnitudes "
                    f"at most {MOST_MAGNITUDE:g}"
                )
            if place == _POSTERIZE and not 0 <= int(magnitude) <= 8:
                raise DatasetError(f"posterize keeps 0 to 8 bits, got {magnitude}")

    @classmethod
    def from_json(cls, value: Any) -> CompressedAugmentation:
        """Reads `[crop, null or [[place, magnitude], ...]]`; `DatasetError` where it has another form."""
        try:
            crop, operations = value
            top, left, height, width = (_whole(number) for number in crop)
            pairs = None if operations is None else tuple((_whole(place), float(by)) for place, by in operations)
        except (TypeError, ValueError, OverflowError) as error:
            raise DatasetError(
                f"{str(value)[:80]} is not a stored augmentation [crop, [[operation, magnitude], ...]]"
            ) from error
        return cls((top, left, height, width), pairs)

    def to_json(self) -> list[Any]:
        """`[crop, null or [[place, magnitude], ...]]`."""
        return [list(self.crop), None if self.operations is None else [list(pair) for pair in self.operations]]

    def apply(self, image: Image.Image, size: int) -> Image.Image:
        """The augmentation of an upright RGB image, `size` pixels square.

        Raises:
            DatasetError: the crop reaches beyond the image, so that it belongs to another one.
        """
        top, left, height, width = self.crop
        if top + height > image.height or left + width > image.width:
            raise DatasetError(
                f"the crop {self.crop} reaches beyond the image of {image.height} x {image.width} pixels"
            )
        source: Any = image
        try:
            result: Any = transforms.resized_crop(
                source, top, left, height, width, [size, size], interpolation=InterpolationMode.BICUBIC
            )
            for place, magnitude in self.operations or ():
                scaled = magnitude * size / TRANSLATION_SIZE if place in _TRANSLATIONS else magnitude
                result = OPERATIONS[place].apply(result, scaled)
        except Exception as error:
            # Pillow and torchvision raise whatever they meet in numbers that no augmentation has.
            raise DatasetError(f"the augmentation cannot be applied: {error or type(error).__name__}") from error
        return result


def draw_crop(
    image: Image.Image, scale: tuple[float, float], ratio: tuple[float, float] = DEFAULT_RATIO, *, seed: int
) -> Crop:
    """A crop as torchvision's `RandomResizedCrop` draws it; the same one for the same seed."""
    # torchvision draws from torch's global generator alone. Seeding that one object, and not all devices', leaves a
    # trainer's GPU generators as they are.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        top, left, height, width = RandomResizedCrop.get_params(image, list(scale), list(ratio))  # pyright: ignore[reportArgumentType]
    return top, left, height, width


def draw_operations(seed: int) -> tuple[tuple[int, float], ...]:
    """RandAugment's operations with their magnitudes; the draws are torchvision's for a generator of that seed."""
    generator = torch.Generator().manual_seed(seed)
    drawn: list[tuple[int, float]] = []
    for _ in range(OPERATIONS_PER_IMAGE):
        place = int(torch.randint(len(OPERATIONS), (1,), generator=generator))
        operation = OPERATIONS[place]
        negative = operation.signed and bool(torch.randint(2, (1,), generator=generator))
        drawn.append((place, -operation.magnitude if negative else operation.magnitude))
    return tuple(drawn)


def parse_augmentations(data: bytes) -> tuple[CompressedAugmentation, ...]:
    """Reads a `paug.json` member: `{"param_aug": [augmentation, ...]}`, the list also as JSON text within.

    Raises:
        DatasetError: it has another form or is empty.
    """
    try:
        listed = json_text.loads(data, most_bytes=_MOST_BYTES)["param_aug"]
        # The published DataCompDR files hold the list as text.
        listed = json_text.loads(listed, most_bytes=_MOST_BYTES) if isinstance(listed, str) else listed
    except json_text.JsonFault as error:
        raise DatasetError(f"paug.json {error}") from error
    except (KeyError, TypeError) as error:
        raise DatasetError('paug.json is not {"param_aug": [...]}') from error
    if not isinstance(listed, list) or not listed:
        raise DatasetError("paug.json lists no augmentation")
    if len(listed) > MOST_AUGMENTATIONS:
        raise DatasetError(f"paug.json lists {len(listed)} augmentations; at most {MOST_AUGMENTATIONS} are read")
    return tuple(CompressedAugmentation.from_json(entry) for entry in listed)


def require_scale(name: str, scale: Sequence[float]) -> None:
    """Refuses a crop scale that is no range within 0 and 1."""
    if len(scale) != 2 or not 0 < scale[0] <= scale[1] <= 1:
        raise ConfigError(f"{name} must be two shares of the image's area, 0 < least <= most <= 1; got {tuple(scale)}")


def _whole(number: Any) -> int:
    if isinstance(number, bool) or int(number) != number:
        raise ValueError(number)
    return int(number)
