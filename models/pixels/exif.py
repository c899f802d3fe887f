"""EXIF's orientation, and nothing else of EXIF: a block whose other tags are damaged still says how a photograph lies.

The apps read it in the same way (`ExifReader.kt`). Pillow's `exif_transpose` is not used: it writes the whole block
again, and fails at a tag that it could read.
"""

from __future__ import annotations

import struct

from PIL import Image

UPRIGHT = 1
_ORIENTATION = 0x0112
_FORMATS = {3: "H", 4: "I"}
_ENTRY_BYTES = 12
_HEADER = b"Exif\0\0"
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_orientation(block: bytes) -> int:
    """The orientation, 1 to 8, in an EXIF block with or without JPEG's header; 1 where it says nothing that fits."""
    block = block.removeprefix(_HEADER)
    order = _BYTE_ORDERS.get(block[:4])
    if order is None or len(block) < 8:
        return UPRIGHT
    (directory,) = struct.unpack_from(f"{order}I", block, 4)
    if directory + 2 > len(block):
        return UPRIGHT
    (entries,) = struct.unpack_from(f"{order}H", block, directory)
    for entry in range(entries):
        place = directory + 2 + entry * _ENTRY_BYTES
        if place + _ENTRY_BYTES > len(block):
            break
        tag, kind = struct.unpack_from(f"{order}HH", block, place)
        if tag == _ORIENTATION:
            if kind not in _FORMATS:
                break
            (value,) = struct.unpack_from(f"{order}{_FORMATS[kind]}", block, place + 8)
            return value if value in _TURNS else UPRIGHT
    return UPRIGHT


def turn_upright(image: Image.Image) -> Image.Image:
    """The image as its EXIF orientation says; the same object where nothing is to turn.

    Pillow turns TIFF and HEIF files itself when it decodes them, and leaves no orientation behind.
    """
    block = image.info.get("exif")
    orientation = read_orientation(block) if isinstance(block, bytes) else UPRIGHT
    return image if orientation == UPRIGHT else image.transpose(_TURNS[orientation])
