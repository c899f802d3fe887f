"""Pixels mean the same on every device: transparency, colour profiles, orientation, depths, sizes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pocketclip.models import create_model
from pocketclip.models.errors import ImageError
from pocketclip.models.evaluation.batches import decoded_batches
from pocketclip.models.evaluation.folders import ImageFile, file_samples
from pocketclip.models.pixels.colour_profiles import IGNORED
from pocketclip.models.pixels.images import MAX_PIXELS, PixelBudget, decode_image, load_image
from pocketclip.models.pixels.preprocess import Interpolation, PreprocessSpec, preprocess, resize_and_crop
from pocketclip.models.pixels.upright_rgb import to_rgb
from tests.app_golden.encoded import display_p3, png

TESTS = Path(__file__).parents[2]
CASES = TESTS / "cases"
GOLDENS = TESTS / "app_golden"
ENCODED = json.loads((GOLDENS / "encoded.json").read_text())
SPEC = PreprocessSpec(64)


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(decode_image(content, "it"))


def saved(image: Image.Image, kind: str = "png", **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


@pytest.mark.parametrize("entry", ENCODED, ids=lambda entry: entry["name"])
def test_encoded_golden_files(entry: dict[str, object]) -> None:
    found = np.asarray(load_image(GOLDENS / "encoded" / str(entry["name"])))
    wanted = np.fromfile(GOLDENS / "encoded" / f"{entry['name']}.rgb", np.uint8)
    np.testing.assert_array_equal(found, wanted.reshape(found.shape))


def test_opacity_over_white_is_rounded_to_the_nearest_whether_colours_were_multiplied_or_not() -> None:
    opacity, colour = np.mgrid[0:256, 0:256].astype(np.uint8)
    found = pixels(saved(Image.fromarray(np.dstack([colour] * 3 + [opacity]))))[..., 0]
    a, c = opacity.astype(int), colour.astype(int)
    np.testing.assert_array_equal(found, (a * c + (255 - a) * 255 + 127) // 255)
    # What phones have: multiplied colours, rounded to the nearest.
    np.testing.assert_array_equal(found, (a * c + 127) // 255 + 255 - a)


def test_what_lies_under_transparent_pixels_is_not_seen() -> None:
    found = [load_image(GOLDENS / "encoded" / f"sticker_over_{each}.png") for each in ("white", "black", "green")]
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()
    corner = np.asarray(load_image(CASES / "transparent-sticker" / "sticker_white.png"))[0, 0]
    assert corner.tolist() == [255, 255, 255]


@pytest.fixture(scope="module")
def embed() -> object:
    model = create_model("pocketclip_nano", weights=None)
    model.eval()

    def embedding(image: Image.Image) -> np.ndarray:
        with torch.no_grad():
            found = model.encode_image(torch.from_numpy(preprocess(image, model.config.preprocess)[None]))[0].numpy()
        return found / np.linalg.norm(found)

    return embedding


def test_a_phone_and_python_embed_the_sticker_and_the_wide_gamut_photo_alike(embed: object) -> None:
    sticker = load_image(CASES / "transparent-sticker" / "sticker_white.png")
    stored = Image.open(CASES / "transparent-sticker" / "sticker_white.png").convert("RGBA")
    multiplied = np.asarray(stored).astype(int)
    phone = (multiplied[..., :3] * multiplied[..., 3:] + 127) // 255 + 255 - multiplied[..., 3:]
    photo = load_image(CASES / "wide-gamut-photo" / "p3.png")
    converted = load_image(CASES / "wide-gamut-photo" / "p3_as_srgb.png")
    assert np.asarray(photo)[100, 160].tolist() == [90, 204, 0]
    for one, other in ((sticker, Image.fromarray(phone.astype(np.uint8))), (photo, converted)):
        assert embed(one) @ embed(other) == pytest.approx(1, abs=1e-5)  # type: ignore[operator]


def test_profiles_that_move_nothing_leave_every_pixel(tmp_path: Path) -> None:
    from PIL import ImageCms

    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    before = IGNORED.count
    np.testing.assert_array_equal(pixels(saved(image, icc_profile=srgb)), np.asarray(image))
    assert IGNORED.count == before


def test_a_profile_that_cannot_be_used_is_counted_and_the_pixels_stay() -> None:
    image = Image.fromarray(np.full((4, 4, 3), (120, 200, 60), np.uint8))
    good = display_p3()
    for profile in (b"x", good[:90], good[:-20], good[:16] + b"CMYK" + good[20:], bytes(4000)):
        before = IGNORED.count
        np.testing.assert_array_equal(pixels(saved(image, icc_profile=profile)), np.asarray(image))
        assert IGNORED.count == before + 1
    # A profile of RGB says nothing about greys.
    assert pixels(saved(image.convert("L"), icc_profile=good))[0, 0].tolist() == [160, 160, 160]
    assert IGNORED.count == before + 1


def test_commands_say_that_a_profile_was_not_used() -> None:
    program = (
        "import typer; from pocketclip.models.terminal import command_line; app = command_line.new_app('x', 'x')\n"
        "@app.command()\n"
        "def go(): \n"
        "    from pathlib import Path\n"
        "    from pocketclip.models.pixels.images import load_image\n"
        "    load_image(Path('profile_cut_off.png'))\n"
        "command_line.run(app)"
    )
    # Without an argument, Typer shows help.
    run = subprocess.run(
        [sys.executable, "-c", program.replace("run(app)", "run(lambda: app([], standalone_mode=False))")],
        cwd=GOLDENS / "encoded", env={"PYTHONPATH": str(TESTS.parent)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stderr.startswith("note: 1 image with a colour profile that cannot be used, the first: profile_cut_off")
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["negative_rational.jpg", "odd_type.jpg"])
def test_a_damaged_exif_block_still_turns_the_photograph(name: str) -> None:
    image = load_image(CASES / "exif-unwritable-tag" / name)
    plain = load_image(CASES / "exif-unwritable-tag" / "plain.png")
    assert image.size == (200, 320)
    turned = plain if plain.size == image.size else plain.rotate(-90, expand=True)
    assert np.abs(np.asarray(image).astype(int) - np.asarray(turned)).mean() < 3


def test_an_evaluation_reads_photographs_with_damaged_exif() -> None:
    folder = CASES / "exif-unwritable-tag"
    files = [ImageFile(path.name, path.stat().st_size, 0) for path in sorted(folder.iterdir())]
    batches = list(decoded_batches(file_samples(folder, files, 0, 0), SPEC, 2, skip_corrupt=False))
    assert sum(len(batch.places) for batch in batches) == 3
    assert not any(batch.skipped for batch in batches)


def test_exif_blocks_of_every_kind_of_damage_are_upright_or_turned_and_never_an_error() -> None:
    image = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(2, 4, 3))
    good = saved(image, "jpeg", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0")
    assert pixels(good).shape == (4, 2, 3)
    generator = np.random.default_rng(3)
    place = good.index(b"Exif\0\0") + 6
    for _ in range(400):
        damaged = bytearray(good)
        damaged[int(generator.integers(place, place + 26))] = int(generator.integers(256))
        assert pixels(bytes(damaged)).shape in ((2, 4, 3), (4, 2, 3))


def test_sixteen_bits_are_their_upper_eight_and_floats_from_0_to_1() -> None:
    values = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    wanted = [0, 0, 1, 128, 255]
    assert pixels(saved(Image.fromarray(values)))[0, :, 0].tolist() == wanted
    assert pixels(saved(Image.fromarray(values), "tiff"))[0, :, 0].tolist() == wanted
    assert np.asarray(to_rgb(Image.fromarray(values.astype(np.int32))))[0, :, 0].tolist() == wanted
    pgm = b"P5 5 1 65535\n" + values.astype(">u2").tobytes()
    assert pixels(pgm)[0, :, 0].tolist() == wanted
    floats = np.array([[0, 0.25, 0.5, 1]], np.float32)
    assert pixels(saved(Image.fromarray(floats), "tiff"))[0, :, 0].tolist() == [0, 64, 128, 255]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array([[0, 70000]], np.int32), "from 0 to 70000"),
        (np.array([[-1, 7]], np.int32), "from -1 to 7"),
        (np.array([[0, 200]], np.int32), "from 0 to 200"),
        (np.array([[0, 1.5]], np.float32), "from 0 to 1.5"),
        (np.array([[0, 254.0]], np.float32), "from 0 to 254"),
        (np.array([[0, np.nan, 1]], np.float32), "from nan to nan"),
        (np.array([[0, np.inf]], np.float32), "from 0 to inf"),
    ],
)
def test_numbers_without_an_agreed_white_are_refused(values: np.ndarray, words: str) -> None:
    with pytest.raises(ImageError, match=f"it holds .* {words}.*8 or 16 bits"):
        pixels(saved(Image.fromarray(values), "tiff"))


def test_key_colours_of_sixteen_bits_and_of_four() -> None:
    colours = png(2, 1, 16, 2, [bytes([0x12, 0x34] * 3 + [0x40, 0] * 3)], tRNS=bytes([0x12, 0x34] * 3))
    assert pixels(colours)[0].tolist() == [[255] * 3, [64] * 3]
    greys = png(4, 1, 4, 0, [bytes([0x03, 0x3F])], tRNS=b"\0\3")
    assert pixels(greys)[0, :, 0].tolist() == [0, 255, 255, 255]
    assert pixels(png(2, 1, 4, 0, [bytes([0x35])], tRNS=b"\0\5"))[0, :, 0].tolist() == [51, 255]


@pytest.mark.parametrize("interpolation", Interpolation)
def test_narrow_images_have_the_pixels_of_the_whole_resize(interpolation: Interpolation) -> None:
    generator = np.random.default_rng(7)
    resampling = Image.Resampling[interpolation.name]
    compared = 0
    for _ in range(300):
        shorter, ratio = int(generator.integers(1, 40)), float(np.exp(generator.uniform(np.log(4.2), 4)))
        sides = (shorter, int(shorter * ratio) + 1)
        width, height = sides if generator.integers(2) else sides[::-1]
        size = int(generator.integers(1, 64))
        image = Image.fromarray(generator.integers(0, 256, (height, width, 3), np.uint8))
        scaled = (size, int(size * height / width)) if width <= height else (int(size * width / height), size)
        left, top = round((scaled[0] - size) / 2), round((scaled[1] - size) / 2)
        wanted = image.resize(scaled, resampling).crop((left, top, left + size, top + size))
        found = resize_and_crop(image, PreprocessSpec(size, interpolation=interpolation))
        assert found.tobytes() == wanted.tobytes(), (width, height, size)
        compared += max(scaled) > 4 * size
    assert compared > 250


# In a process of its own, which says how much memory it took at most.
_MEASURED = """
import re, sys
from pathlib import Path
from pocketclip.models.pixels.preprocess import PreprocessSpec, load_image, preprocess
found = preprocess(load_image(Path(sys.argv[1])), PreprocessSpec(int(sys.argv[2])))
levels = (found * 255).round().astype(int).reshape(3, -1)
# Not getrusage: its greatest memory begins with that of the process that started this one.
memory = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024
print(levels.min(1).tolist(), levels.max(1).tolist(), memory)
"""


def measured(path: Path, size: int) -> tuple[list[int], int]:
    """The one colour of the preprocessed image, and the process's greatest memory in MiB."""
    command = [sys.executable, "-W", "error", "-c", _MEASURED, str(path), str(size)]
    run = subprocess.run(command, env={"PYTHONPATH": str(TESTS.parent)}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    lowest, highest, memory = run.stdout.replace("] ", "]\n").splitlines()
    assert lowest == highest
    return json.loads(lowest), int(memory)


@pytest.mark.parametrize("name", ["thin.png", "strip.png"])
def test_a_narrow_image_takes_the_memory_of_its_pixels(name: str) -> None:
    colour, memory = measured(CASES / "extreme-aspect-ratio" / name, 256)
    assert colour == [220, 30, 30]
    assert memory < 150


@pytest.mark.slow
@pytest.mark.parametrize(("sides", "most"), [((12000, 9000), 800), ((12240, 16320), 1300)])
def test_photographs_of_108_and_200_megapixels_are_taken_without_a_word(
    sides: tuple[int, int], most: int, tmp_path: Path
) -> None:
    Image.new("1", sides, 1).save(tmp_path / "photo.png")
    colour, memory = measured(tmp_path / "photo.png", 64)
    assert colour == [255, 255, 255]
    assert memory < most


@pytest.mark.parametrize("sides", [(20000, 15001), (40000, 40000)])
def test_larger_ones_are_refused_in_one_line_before_they_are_decoded(sides: tuple[int, int]) -> None:
    header = png(*sides, 1, 0, [])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match=f"{sides[0]} x {sides[1]} = .*300,000,000 are allowed"):
            decode_image(header, "it")
    # Part of a photograph that is taken may be cut out without a warning.
    assert Image.MAX_IMAGE_PIXELS == MAX_PIXELS


def test_formats_that_start_programs_are_no_images() -> None:
    with pytest.raises(ImageError, match="not an image"):
        decode_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n", "it")


def test_threads_decode_no_more_than_the_budget_together() -> None:
    budget, lock = PixelBudget(100), threading.Lock()
    held: list[int] = []
    most: list[int] = []

    def decode(pixels: int) -> None:
        with budget.reserved(pixels):
            with lock:
                held.append(min(pixels, 100))
                most.append(sum(held))
            time.sleep(0.002)
            with lock:
                held.remove(min(pixels, 100))

    # Larger than the budget: alone.
    threads = [threading.Thread(target=partial(decode, pixels)) for pixels in [30, 30, 100, 250, 60, 40] * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert max(most) <= 100
    assert len(most) == 30
    assert not held


def test_a_failed_image_gives_its_budget_back() -> None:
    whole = saved(Image.new("RGB", (30, 30), (1, 2, 3)))
    for _ in range(3):
        with pytest.raises(ImageError, match="cannot decode it"):
            decode_image(whole[: len(whole) // 2], "it")
    from pocketclip.models.pixels.images import DECODING

    with DECODING.reserved(MAX_PIXELS):
        pass
