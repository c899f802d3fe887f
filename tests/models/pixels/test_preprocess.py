"""Preprocessing equals torchvision's, for every kind of picture a phone hands over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data
from torchvision import transforms

from pocketclip.models import get_preprocess
from pocketclip.models.errors import ConfigError, ImageError
from pocketclip.models.pixels.preprocess import Interpolation, PreprocessSpec, load_image, preprocess

PHOTOGRAPH = Image.fromarray(data.astronaut())


def torchvision_result(image: Image.Image, spec: PreprocessSpec) -> np.ndarray:
    interpolation = {
        Interpolation.BILINEAR: transforms.InterpolationMode.BILINEAR,
        Interpolation.BICUBIC: transforms.InterpolationMode.BICUBIC,
    }[spec.interpolation]
    pipeline = transforms.Compose(
        [
            transforms.Resize(spec.image_size, interpolation),
            transforms.CenterCrop(spec.image_size),
            transforms.ToTensor(),
            transforms.Normalize(spec.mean, spec.std),
        ]
    )
    return pipeline(image.convert("RGB")).numpy()


@pytest.mark.parametrize("interpolation", Interpolation)
@pytest.mark.parametrize("size", [(512, 512), (333, 500), (500, 333), (64, 64), (65, 64), (1, 9), (701, 67)])
def test_equals_torchvision(size: tuple[int, int], interpolation: Interpolation) -> None:
    spec = PreprocessSpec(64, interpolation, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    image = PHOTOGRAPH.resize(size)
    found = preprocess(image, spec)
    assert found.shape == (3, 64, 64)
    assert found.dtype == np.float32
    assert np.abs(found - torchvision_result(image, spec)).max() <= 1 / 255 / 0.2


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P", "1", "LA", "I;16"])
def test_colour_modes(mode: str, tmp_path: Path) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.asarray(PHOTOGRAPH.convert("L")).astype(np.uint16) * 257)
        expected = PHOTOGRAPH.convert("L").convert("RGB")
    else:
        image = PHOTOGRAPH.convert(mode)
        expected = image.convert("RGB")
    path = tmp_path / ("photo.tiff" if mode in ("CMYK", "I;16") else "photo.png")
    image.save(path)
    spec = PreprocessSpec(64)
    assert np.abs(preprocess(load_image(path), spec) - torchvision_result(expected, spec)).max() <= 1 / 255


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int, tmp_path: Path) -> None:
    upright = PHOTOGRAPH.crop((0, 0, 300, 200))
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if undo is None else upright.transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "photo.png", exif=exif)
    spec = PreprocessSpec(64)
    np.testing.assert_array_equal(preprocess(load_image(tmp_path / "photo.png"), spec), preprocess(upright, spec))


def test_unreadable_images(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no file"):
        load_image(tmp_path / "missing.png")
    (tmp_path / "text.jpg").write_text("not a picture")
    with pytest.raises(ImageError, match="not an image"):
        load_image(tmp_path / "text.jpg")
    PHOTOGRAPH.save(tmp_path / "cut.jpg")
    whole = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match="cannot decode"):
        load_image(tmp_path / "cut.jpg")


def test_public_name_and_bad_specs() -> None:
    assert get_preprocess("mobileclip_s0")(PHOTOGRAPH).shape == (3, 256, 256)
    with pytest.raises(ConfigError, match="1 to 4096 pixels"):
        PreprocessSpec(0)
    with pytest.raises(ConfigError, match="std must be positive"):
        PreprocessSpec(64, std=(1.0, 0.0, 1.0))
