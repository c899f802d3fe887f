"""Opens image files: the formats, the largest size, and how much is decoded at a time."""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from pocketclip.models.errors import ImageError
from pocketclip.models.pixels.upright_rgb import to_rgb
from pocketclip.models.untrusted.printable import printable_line
from pocketclip.models.untrusted.stand_ins import HEAD_BYTES, stand_in

MAX_PIXELS = 300_000_000
"""The largest image, in pixels. Phones' cameras write up to 200 million."""

# Others, such as EPS, start programs of their own or are no photographs. Plugins add HEIF.
_FORMATS = (
    "JPEG", "MPO", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "BMP", "DIB", "TIFF", "JPEG2000", "PPM", "TGA", "ICO", "PCX",
)  # fmt: skip

# Pillow warns, with lines of its code, from a third of this on, also when a part is cut out of an image.
if Image.MAX_IMAGE_PIXELS is not None:
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, MAX_PIXELS)
_opening = threading.Lock()
# What Pillow says, with lines of its code, of damaged EXIF that we only read the orientation of.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")


class PixelBudget:
    """Lets threads decode side by side as long as their images have no more than `most` pixels together.

    The order is that of asking, so that a large image is not passed for ever.
    """

    def __init__(self, most: int) -> None:
        self._free = most
        self._most = most
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def reserved(self, pixels: int) -> Iterator[None]:
        """Waits until `pixels` are free, and holds them; one thread may not ask twice."""
        pixels = min(pixels, self._most)
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is ticket and self._free >= pixels)
                self._free -= pixels
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()


DECODING = PixelBudget(MAX_PIXELS)
"""Of this process. A pixel takes 4 bytes as stored and 4 as RGB while an image is decoded."""


def load_image(path: Path) -> Image.Image:
    """Opens an image file as upright 8-bit sRGB without transparency.

    Raises:
        ImageError: the file is missing, no image, truncated, too large, or has numbers without an agreed white.
    """
    with decoded(path, str(path)) as image:
        return image


def check_image(path: Path) -> None:
    """Looks at a file's beginning: whether it is an image, and not too large.

    Raises:
        ImageError: it is not there, no image, or larger than `MAX_PIXELS`.
    """
    with _worded(path, str(path)), _open(path) as image:
        _check_size(image, str(path))


def decode_image(content: bytes, name: str) -> Image.Image:
    """`load_image` for the bytes of a file; `name` says in messages where they came from."""
    with decoded(content, name) as image:
        return image


@contextlib.contextmanager
def decoded(source: Path | bytes, name: str) -> Iterator[Image.Image]:
    """The image of `load_image` for as long as it is needed whole: other threads wait for its memory meanwhile.

    Raises:
        ImageError: as `load_image`.
    """
    with contextlib.ExitStack() as held:
        with _worded(source, name):
            image = held.enter_context(_open(io.BytesIO(source) if isinstance(source, bytes) else source))
            _check_size(image, name)
            held.enter_context(DECODING.reserved(image.width * image.height))
            unscaled = _rawmode(image)
            image.load()
            _scale_transparency(image, unscaled)
            upright = to_rgb(image, name)
        # What was said about the stored pixels is not true of these.
        upright.info = {}
        yield upright


@contextlib.contextmanager
def _worded(source: Path | bytes, name: str) -> Iterator[None]:
    name = printable_line(name)
    try:
        yield
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"there is no file {name}") from error
    except UnidentifiedImageError as error:
        if (instead := stand_in(_head(source))) is not None:
            raise ImageError(f"{name} is {instead.what}", fix=instead.fix) from error
        raise ImageError(f"{name} is not an image that Pillow can read", fix="use JPEG, PNG or WebP") from error
    except MemoryError as error:
        raise ImageError(f"cannot decode {name}: there is not enough memory", fix="make it smaller") from error
    except Exception as error:
        # Pillow's decoders raise whatever their parsers meet in damaged files.
        raise ImageError(f"cannot decode {name}: {error or type(error).__name__}") from error


def _head(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:HEAD_BYTES]
    with source.open("rb") as stream:
        return stream.read(HEAD_BYTES)


def _open(source: Path | io.BytesIO) -> Image.Image:
    Image.init()
    # Pillow looks at the size before we can, and would warn of what is refused in our words below.
    with _opening:
        allowed, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(source, formats=[each for each in _FORMATS if each in Image.OPEN])
        finally:
            Image.MAX_IMAGE_PIXELS = allowed


def _check_size(image: Image.Image, name: str) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(
            f"{printable_line(name)} has {image.width} x {image.height} = {image.width * image.height:,} pixels; "
            f"up to {MAX_PIXELS:,} are allowed: make it smaller"
        )


def _rawmode(image: Image.Image) -> str:
    """How a file's pixels are packed, in Pillow's words; known until they are loaded."""
    tile = getattr(image, "tile", None)
    packed = tile[0][3] if tile else ""
    return packed if isinstance(packed, str) else ""


def _scale_transparency(image: Image.Image, rawmode: str) -> None:
    """PNG names its transparent colour in the file's depth, Pillow compares it with pixels of 8 bits."""
    hidden = image.info.get("transparency")
    if isinstance(hidden, int) and rawmode in ("L;2", "L;4"):
        image.info["transparency"] = hidden * (85 if rawmode == "L;2" else 17)
    elif isinstance(hidden, tuple) and rawmode == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in hidden)
