"""Packages and libraries of tests: ELF headers as linkers write them, manifests as aapt2 2.19 linked them.

The manifests have one `uses-sdk` and one `application`: `release` (target 36, libraries not extracted), `old` (target
34, extracted, debuggable), `silent` (neither attribute).
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

MANIFESTS = Path(__file__).parent / "manifests"
ARM64, ARM32, X86_64 = 183, 40, 62
PAGE = 16384
READ_EXECUTE, READ_WRITE = 5, 6

Segment = tuple[int, int, int, int, int]
"""Offset, address, bytes, alignment, flags."""

GOOD: tuple[Segment, ...] = ((0, 0, 0x1000, PAGE, READ_EXECUTE), (0x1000, 0x5000, 0x800, PAGE, READ_WRITE))
OLD: tuple[Segment, ...] = ((0, 0, 0x1000, 0x1000, READ_EXECUTE), (0x1000, 0x2000, 0x800, 0x1000, READ_WRITE))


def elf(machine: int = ARM64, segments: Sequence[Segment] = GOOD, symbols: int = 0) -> bytes:
    """A 64-bit library: header, segments, and as many bytes of symbols as wanted."""
    names = b"\0.shstrtab\0.symtab\0"
    table_at = 64 + 56 * len(segments)
    names_at = table_at + 64 * 3
    sections = [
        (0, 0, 0, 0),
        (1, 3, names_at, len(names)),
        (11, 2, names_at + len(names), symbols),
    ]
    if not symbols:
        sections.pop()
    header = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header += struct.pack(
        "<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, table_at, 0, 64, 56, len(segments), 64, len(sections), 1
    )
    body = b"".join(
        struct.pack("<IIQQQQQQ", 1, flags, offset, address, address, size, size, alignment)
        for offset, address, size, alignment, flags in segments
    )
    body += b"".join(
        struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, offset, size, int(kind == 2), 0, 1, 24 if kind == 2 else 0)
        for name, kind, offset, size in sections
    )
    return (header + body).ljust(names_at, b"\0") + names + bytes(symbols)


def package(
    path: Path,
    libraries: Mapping[str, bytes],
    manifest: str | None = "release",
    *,
    aligned: bool = True,
    compressed: bool = False,
) -> Path:
    """Writes an archive; libraries are stored at multiples of a page, unless they are not to be."""
    with zipfile.ZipFile(path, "w") as archive:
        if manifest is not None:
            archive.writestr("AndroidManifest.xml", (MANIFESTS / f"{manifest}.bin").read_bytes(), zipfile.ZIP_DEFLATED)
        for name, content in libraries.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
            assert archive.fp is not None
            start = archive.fp.tell() + 30 + len(name)
            # zipalign pads by the extra field; this one is moved one byte off where asked.
            padding = -start % PAGE + (0 if aligned else 1)
            entry.extra = (
                bytes(padding) if padding < 4 else struct.pack("<HH", 0xD935, padding - 4) + bytes(padding - 4)
            )
            archive.writestr(entry, content)
    return path
