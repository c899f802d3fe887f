"""Stored augmentations are torchvision's, bit for bit, and survive their JSON form."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode, RandAugment, RandomResizedCrop
from torchvision.transforms import functional as transforms

from pocketclip.models.data.augmentation import (
    OPERATIONS,
    TRANSLATION_SIZE,
    CompressedAugmentation,
    draw_crop,
    draw_operations,
    parse_augmentations,
)
from pocketclip.models.errors import DatasetError

DATACOMPDR_OPERATIONS = [
    *("Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness"),
    *("Color", "Contrast", "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize"),
]


def picture(width: int, height: int) -> Any:
    rng = np.random.default_rng([width, height])
    coarse = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def test_order_of_the_table() -> None:
    assert [operation.name for operation in OPERATIONS] == DATACOMPDR_OPERATIONS


@pytest.mark.parametrize("size", [64, 224, 256])
def test_every_operation_is_torchvisions(size: int) -> None:
    image = picture(size, size)
    seen: set[tuple[int, bool]] = set()
    for seed in range(120):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            expected = RandAugment(num_ops=2, magnitude=9, num_magnitude_bins=31)(image)
        operations = draw_operations(seed)
        # torchvision draws magnitudes for the image's own size; stored ones are for one size and scaled when applied.
        found = CompressedAugmentation((0, 0, size, size), operations).apply(image, size)
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected), err_msg=str(operations))
        seen.update((place, magnitude < 0) for place, magnitude in operations)
    signed = {
        (place, sign)
        for place, entry in enumerate(OPERATIONS)
        for sign in ((False, True) if entry.signed else (False,))
    }
    assert seen == signed


def test_crop_is_torchvisions() -> None:
    global_state = torch.random.get_rng_state()
    for seed, size in enumerate([(50, 40), (40, 50), (33, 33), (10, 200), (200, 10), (1, 1)] * 5):
        image = picture(*size)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            expected = RandomResizedCrop.get_params(image, [0.08, 1.0], [3 / 4, 4 / 3])
        crop = draw_crop(image, (0.08, 1.0), seed=seed)
        assert crop == tuple(expected)
        found = CompressedAugmentation(crop, None).apply(image, 32)
        resized = transforms.resized_crop(image, *crop, [32, 32], interpolation=InterpolationMode.BICUBIC)
        np.testing.assert_array_equal(np.asarray(found), np.asarray(resized))
    assert torch.equal(torch.random.get_rng_state(), global_state)


def test_translations_keep_their_share_of_the_image() -> None:
    place = DATACOMPDR_OPERATIONS.index("TranslateX")
    for size in (64, 112, 448):
        image = picture(size, size)
        shifted = CompressedAugmentation((0, 0, size, size), ((place, TRANSLATION_SIZE / 4),)).apply(image, size)
        assert not np.asarray(shifted)[:, : size // 4].any()
        np.testing.assert_array_equal(np.asarray(shifted)[:, size // 4 :], np.asarray(image)[:, : size - size // 4])


@pytest.mark.parametrize("operations", [None, (), ((1, -0.09), (10, 7.0))])
def test_json_round_trip(operations: tuple[tuple[int, float], ...] | None) -> None:
    augmentation = CompressedAugmentation((1, 2, 30, 40), operations)
    listed = json.dumps({"param_aug": [augmentation.to_json()]})
    assert parse_augmentations(listed.encode()) == (augmentation,)
    text_within = json.dumps({"param_aug": json.dumps([augmentation.to_json()])})
    assert parse_augmentations(text_within.encode()) == (augmentation,)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{", "paug.json is no"),
        (b"[]", "paug.json is no"),
        (b'{"param_aug": "no list"}', "paug.json is no"),
        (b'{"param_aug": []}', "lists no augmentation"),
        (b'{"param_aug": [[0, 1, 2, 3]]}', "is not a stored augmentation"),
        (b'{"param_aug": [[[0, 0, 9], null]]}', "is not a stored augmentation"),
        (b'{"param_aug": [[[0, 0, 9.5, 9], null]]}', "is not a stored augmentation"),
        (b'{"param_aug": [[[0, 0, 9, 0], null]]}', "is not .top, left, height, width."),
        (b'{"param_aug": [[[-1, 0, 9, 9], null]]}', "is not .top, left, height, width."),
        (b'{"param_aug": [[[0, 0, 9, 9], [[14, 0.0]]]]}', "places are 0 to 13"),
        (b'{"param_aug": [[[0, 0, 9, 9], [[1, NaN]]]]}', "holds NaN"),
        (b'{"param_aug": [[[0, 0, 9, 9], [[10, 9]]]]}', "posterize keeps 0 to 8 bits"),
    ],
)
def test_malformed_augmentations(content: bytes, complaint: str) -> None:
    with pytest.raises(DatasetError, match=complaint):
        parse_augmentations(content)


def test_crop_of_another_image() -> None:
    with pytest.raises(DatasetError, match="reaches beyond the image of 20 x 30 pixels"):
        CompressedAugmentation((0, 0, 21, 30), None).apply(picture(30, 20), 16)
