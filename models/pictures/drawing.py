"""Pictures of packages as pixels with transparency: SVG, PNG and WebP, checked first, cut to what is visible."""

from __future__ import annotations

import io
import re
from typing import Literal

from PIL import Image

from pocketclip.models.errors import ImageError, MissingPackageError, extra_command, first_line

SIDE = 128
"""Pixels of the longer side of a picture as it is kept; smaller bitmaps keep their size."""

Format = Literal["svg", "png", "webp", "jpg"]
_PILLOW_FORMATS = {"png": "PNG", "webp": "WEBP", "jpg": "JPEG"}

_MOST_SVG_BYTES = 400_000
_MOST_PIXELS = 40_000_000
_MOST_PAGE = 8 * SIDE
# Of Inkscape, when most of these drawings were made; without it, pages in millimetres have no size.
_DPI = 90.0
# Of the longer side of a picture: a line is no drawing of a thing.
_LEAST_SHORT_SIDE = 0.08
_LEAST_VISIBLE = 8
_VISIBLE = [255 if alpha >= _LEAST_VISIBLE else 0 for alpha in range(256)]
# Whatever could bring in something from outside the file, run, or grow without end.
_FORBIDDEN = (
    (re.compile(rb"<!ENTITY", re.IGNORECASE), "entities"),
    (re.compile(rb"<\s*(?:\w+:)?script", re.IGNORECASE), "a script"),
    (re.compile(rb"@import", re.IGNORECASE), "an imported style"),
    (re.compile(rb"<\?xml-stylesheet", re.IGNORECASE), "an imported style"),
    (re.compile(rb"url\(\s*['\"]?\s*(?!#)[^)\s]", re.IGNORECASE), "a reference to another file"),
)
_IMAGE = re.compile(rb"<\s*(?:\w+:)?(?:image|feImage|use)\b[^>]*?href\s*=\s*['\"]\s*([^'\"]{0,64})", re.IGNORECASE)
_OWN = (b"#", b"data:image/png;base64,", b"data:image/jpeg;base64,")


def svg_fault(content: bytes) -> str | None:
    """Why an SVG is not drawn, in words that follow "it has"; None for one that stands by itself."""
    if len(content) > _MOST_SVG_BYTES:
        return f"{len(content):,} bytes, at most {_MOST_SVG_BYTES:,} are drawn"
    if b"\0" in content:
        return "another encoding than UTF-8"
    for pattern, words in _FORBIDDEN:
        if pattern.search(content):
            return words
    if any(not reference.startswith(_OWN) for reference in _IMAGE.findall(content)):
        return "a reference to another file"
    return None


def require_renderer() -> None:
    """Checks that the renderer for SVG is there.

    Raises:
        MissingPackageError: it is not; the message has the command that adds it.
    """
    try:
        import resvg_py as _  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(
            f"drawings in SVG need the package resvg-py ({error})", fix=f"install it with: {extra_command('data')}"
        ) from error


def drawn(content: bytes, kind: Format) -> Image.Image:
    """The picture as RGBA, cut to what is visible, its longer side at most `SIDE`.

    Raises:
        ImageError: it cannot be drawn, refers to other files, is too large, or shows next to nothing.
    """
    if kind == "svg":
        fault = svg_fault(content)
        if fault is not None:
            raise ImageError(f"it has {fault}")
        image = _visible(_decoded(_rendered(content, 2 * SIDE), "png"))
        if max(image.size) < SIDE:
            # A small drawing on a large page.
            side = min(_MOST_PAGE, -(-2 * SIDE * SIDE // max(image.size)))
            image = _visible(_decoded(_rendered(content, side), "png"))
    else:
        image = _visible(_decoded(content, kind))
    short, long = sorted(image.size)
    if short < _LEAST_SHORT_SIDE * long or long < _LEAST_VISIBLE:
        raise ImageError(f"what it shows has {image.width} x {image.height} pixels")
    if long > SIDE:
        size = (max(1, round(image.width * SIDE / long)), max(1, round(image.height * SIDE / long)))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return image


def _visible(image: Image.Image) -> Image.Image:
    box = image.getchannel("A").point(_VISIBLE).getbbox()
    if box is None:
        raise ImageError("it shows nothing")
    return image.crop(box)


def _rendered(content: bytes, side: int) -> bytes:
    """A PNG of the page, its longer side `side`."""
    import resvg_py

    try:
        return bytes(
            resvg_py.svg_to_bytes(
                svg_string=content.decode("utf-8-sig"), width=side, height=side, dpi=_DPI, skip_system_fonts=True
            )
        )
    except (ValueError, OverflowError, RuntimeError) as error:
        raise ImageError(f"it cannot be drawn: {first_line(error)}") from error


def _decoded(content: bytes, kind: str) -> Image.Image:
    try:
        with Image.open(io.BytesIO(content), formats=[_PILLOW_FORMATS[kind]]) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise ImageError(f"it has {image.width} x {image.height} pixels")
            if kind == "jpg":
                image.draft("RGB", (4 * SIDE, 4 * SIDE))
            return image.convert("RGBA")
    except ImageError:
        raise
    except Exception as error:
        # Pillow's decoders raise whatever their parsers meet in damaged files.
        raise ImageError(f"it cannot be decoded: {first_line(error)}") from error
