"""Small image files of every kind that decoders treat differently, and the upright pixels that all devices must see."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from pocketclip.models.pixels.exif import read_orientation
from pocketclip.models.pixels.images import decode_image

_SEED = 5
_SIDES = (24, 16)
_ORIENTATION = 0x0112
# Chromaticities of Display P3: red, green, blue. White is D65.
_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
_D65, _D50 = np.array([0.95047, 1.0, 1.08883]), np.array([0.96422, 1.0, 0.82521])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@dataclass(frozen=True)
class EncodedImage:
    """An image file and what is in it.

    Attributes:
        name: the file's name.
        content: its bytes.
        orientation: EXIF's, 1 to 8.
        decoded: (h, w, 4) uint8, the stored pixels in sRGB, not turned, colours multiplied by opacity: what a phone's
            decoder hands over.
        upright: (H, W, 3) uint8, what a model may be given.
        tolerance: steps by which another decoder may be off, since the file's format leaves them open.
    """

    name: str
    content: bytes
    orientation: int
    decoded: np.ndarray
    upright: np.ndarray
    tolerance: int


def encoded_images() -> list[EncodedImage]:
    """The files, the same on every call."""
    generator = np.random.default_rng(_SEED)
    made = {**_transparent(generator), **_profiled(generator), **_deep(generator), **_others(generator)}
    return [_described(name, content) for name, content in made.items()]


def display_p3(gamma: float = 2.2) -> bytes:
    """A minimal ICC profile (version 2) with the primaries of Display P3."""
    primaries = np.array([[x / y, 1, (1 - x - y) / y] for x, y in _P3]).T
    primaries = primaries * np.linalg.solve(primaries, _D65)
    cones = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ _D65))
    adapted = np.linalg.inv(_BRADFORD) @ cones @ _BRADFORD @ primaries
    tags = {b"wtpt": _xyz(_D50)}
    for place, channel in enumerate(b"rgb"):
        tags[bytes([channel]) + b"XYZ"] = _xyz(adapted[:, place])
        tags[bytes([channel]) + b"TRC"] = b"curv" + struct.pack(">IIHxx", 0, 1, round(gamma * 256))
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(body), len(data))
        body += data
    header = struct.pack(">I4sI4s4s4s", 128 + len(table) + len(body), b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H4s4s", 2020, 1, 1, 0, 0, 0, b"acsp", b"none").ljust(44, b"\0")
    return (header + _xyz(_D50)[8:]).ljust(128, b"\0") + table + body


def png(width: int, height: int, depth: int, colour_type: int, rows: list[bytes], **chunks: bytes) -> bytes:
    """A PNG file from packed rows, with chunks such as `tRNS` before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", _chunk("IHDR", header), *(_chunk(name, data) for name, data in chunks.items())]
    parts += [_chunk("IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), _chunk("IEND", b"")]
    return b"".join(parts)


def with_orientation(orientation: int, *, damaged: bool = False) -> bytes:
    """An EXIF block; a damaged one has a text tag of a type that no writer takes."""
    entries = [struct.pack("<HHIHH", _ORIENTATION, 3, 1, orientation, 0)]
    if damaged:
        entries.append(struct.pack("<HHII", 0x0131, 12, 1, 40))
    body = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries) + bytes(4)
    return b"Exif\0\0" + body.ljust(40, b"\0") + struct.pack("<d", 1.5)


def _chunk(name: str, data: bytes) -> bytes:
    named = name.encode() + data
    return struct.pack(">I", len(data)) + named + struct.pack(">I", zlib.crc32(named))


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def _waves(generator: np.random.Generator, channels: int = 3) -> np.ndarray:
    """(16, 24, channels) uint8: soft waves, in which turns and mirrors show."""
    rows, columns = np.mgrid[0 : _SIDES[1], 0 : _SIDES[0]]
    phases = generator.uniform(0, 6.28, channels)
    waves = [np.sin(columns / 5 + rows / 7 * (channel + 1) + phases[channel]) for channel in range(channels)]
    return np.clip(128 + 127 * np.stack(waves, -1), 0, 255).astype(np.uint8)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def _transparent(generator: np.random.Generator) -> dict[str, bytes]:
    rows, columns = np.mgrid[0:16, 0:24]
    disc = (rows - 8) ** 2 + (columns - 12) ** 2 < 40
    stickers = {}
    for under, value in (("white", 255), ("black", 0), ("green", (0, 255, 0))):
        pixels = np.full((16, 24, 4), 255, np.uint8)
        pixels[..., :3] = value
        pixels[disc, :3] = (210, 20, 30)
        pixels[..., 3] = disc * 255
        stickers[f"sticker_over_{under}.png"] = _saved(Image.fromarray(pixels), "png")
    # Every opacity, with colours at random.
    half = generator.integers(0, 256, (32, 32, 4), np.uint8)
    half[..., 3] = np.arange(1024).reshape(32, 32) // 4
    palette = Image.fromarray(generator.integers(0, 4, (16, 24), np.uint8), "P")
    palette.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200, 90, 90, 90])
    greys = generator.integers(0, 4, (16, 24), np.uint8)
    digits = ["".join(f"{value:02b}" for value in row) for row in greys]
    packed = [int(row, 2).to_bytes(len(row) // 8, "big") for row in digits]
    return stickers | {
        "half_transparent.png": _saved(Image.fromarray(half), "png"),
        "half_transparent.webp": _saved(Image.fromarray(half), "webp", lossless=True, exact=True),
        "grey_and_opacity.png": _saved(Image.fromarray(_waves(generator, 2), "LA"), "png"),
        "palette_opacities.png": _saved(palette, "png", transparency=bytes([0, 80, 200, 255])),
        "grey_key_2_bits.png": png(24, 16, 2, 0, packed, tRNS=b"\0\2"),
        "one_bit_key.png": png(24, 16, 1, 0, [row.tobytes()[:3] for row in greys * 81], tRNS=b"\0\1"),
        "colour_key.png": png(2, 1, 8, 2, [bytes([9, 8, 7, 9, 8, 6])], tRNS=bytes([0, 9, 0, 8, 0, 7])),
    }


def _profiled(generator: np.random.Generator) -> dict[str, bytes]:
    pixels = _waves(generator)
    pixels[4:12, 6:18] = (120, 200, 60)
    image, opaque = Image.fromarray(pixels), np.dstack([pixels, np.full((16, 24), 255, np.uint8)])
    opaque[:4, :, 3] = 100
    broken = bytes(display_p3()[:90])
    return {
        "display_p3.png": _saved(image, "png", icc_profile=display_p3()),
        "display_p3.jpg": _saved(image, "jpeg", quality=95, subsampling=0, icc_profile=display_p3()),
        "display_p3_half_transparent.png": _saved(Image.fromarray(opaque), "png", icc_profile=display_p3()),
        "display_p3_turned.webp": _saved(
            image, "webp", lossless=True, icc_profile=display_p3(), exif=with_orientation(6)
        ),
        "profile_cut_off.png": _saved(image, "png", icc_profile=broken),
    }


def _deep(generator: np.random.Generator) -> dict[str, bytes]:
    greys = np.linspace(0, 65535, 24 * 16).astype(">u2").reshape(16, 24)
    colours = generator.integers(0, 65536, (16, 24, 3)).astype(">u2")
    return {
        "grey_16_bits.png": png(24, 16, 16, 0, [row.tobytes() for row in greys]),
        "grey_16_bits_key.png": png(2, 1, 16, 0, [bytes([0x12, 0x34, 0x12, 0x35])], tRNS=bytes([0x12, 0x34])),
        "colour_16_bits.png": png(24, 16, 16, 2, [row.tobytes() for row in colours]),
        "one_bit.png": _saved(Image.fromarray(generator.integers(0, 2, (16, 24)).astype(bool)), "png"),
    }


def _others(generator: np.random.Generator) -> dict[str, bytes]:
    pixels = _waves(generator)
    image = Image.fromarray(pixels)
    options = {"quality": 95, "subsampling": 0}
    turned = {
        f"orientation_{each}.jpg": _saved(image, "jpeg", exif=with_orientation(each), **options) for each in range(1, 9)
    }
    frames = [Image.fromarray(np.full((16, 24, 3), value, np.uint8)) for value in (70, 180)]
    return turned | {
        "damaged_exif.jpg": _saved(image, "jpeg", exif=with_orientation(6, damaged=True), **options),
        "damaged_exif.png": _saved(image, "png", exif=with_orientation(8, damaged=True)),
        "cmyk.jpg": _saved(Image.fromarray(_waves(generator, 4), "CMYK"), "jpeg", **options),
        "grey.jpg": _saved(Image.fromarray(pixels[..., 0]), "jpeg", quality=95),
        "narrow.png": _saved(Image.fromarray(np.tile(np.array([220, 30, 30], np.uint8), (3000, 1, 1))), "png"),
        "two_frames.gif": _saved(frames[0], "gif", save_all=True, append_images=frames[1:]),
        "two_frames.webp": _saved(frames[0], "webp", save_all=True, append_images=frames[1:], lossless=True),
    }


def _described(name: str, content: bytes) -> EncodedImage:
    image = Image.open(io.BytesIO(content))
    image.load()
    straight = _straight(name, image)
    opacity = straight[..., 3:].astype(np.uint32)
    decoded = np.concatenate([(opacity * straight[..., :3] + 127) // 255, opacity], -1).astype(np.uint8)
    orientation = read_orientation(image.info.get("exif", b""))
    upright = np.asarray(decode_image(content, name))
    return EncodedImage(name, content, orientation, decoded, upright, 0 if image.format != "JPEG" else 2)


def _straight(name: str, image: Image.Image) -> np.ndarray:
    """(h, w, 4) uint8 as stored, in sRGB, by ways of its own where Pillow's are not enough."""
    if image.mode == "I;16":
        values = np.asarray(image)
        opacity = np.where(values == image.info.get("transparency"), 0, 255)
        return np.dstack([values >> 8] * 3 + [opacity]).astype(np.uint8)
    if name == "grey_key_2_bits.png":
        image.info["transparency"] = 2 * 85
    straight = image.convert("RGBA")
    if name.startswith("display_p3"):
        profile = ImageCms.ImageCmsProfile(io.BytesIO(display_p3()))
        colours = ImageCms.profileToProfile(
            straight.convert("RGB"), profile, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
        assert colours is not None
        colours.putalpha(straight.getchannel("A"))
        straight = colours
    return np.asarray(straight)
