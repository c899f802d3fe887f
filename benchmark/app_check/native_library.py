"""What the dynamic linker and a store see of a native library (ELF)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from pocketclip.benchmark.errors import AppFileError

PAGE_BYTES = 16 * 1024
_MOST_SEGMENTS = 1024


class Abi(StrEnum):
    """Processors of Android devices, by the names of their folders in a package."""

    ARM64 = "arm64-v8a"
    ARM32 = "armeabi-v7a"
    X86_64 = "x86_64"
    X86 = "x86"
    RISCV64 = "riscv64"

    @property
    def is_64_bit(self) -> bool:
        """Whether devices of it may have pages of 16 KB."""
        return self in (Abi.ARM64, Abi.X86_64, Abi.RISCV64)


_MACHINES: Mapping[str, Abi] = {
    "EM_AARCH64": Abi.ARM64,
    "EM_ARM": Abi.ARM32,
    "EM_X86_64": Abi.X86_64,
    "EM_386": Abi.X86,
    "EM_RISCV": Abi.RISCV64,
}


@dataclass(frozen=True)
class Segment:
    """A part of the file that the linker maps: where in the file, where in memory, how long there, how aligned.

    `flags` are its rights: bit 0 execute, bit 1 write, bit 2 read.
    """

    offset: int
    address: int
    memory_bytes: int
    alignment: int
    flags: int


@dataclass(frozen=True)
class NativeLibrary:
    """A library for one processor; `symbol_bytes` are those of symbols and debug information that no phone needs."""

    abi: Abi
    segments: tuple[Segment, ...]
    symbol_bytes: int

    @property
    def alignment(self) -> int:
        """The least alignment of a mapped segment, in bytes."""
        return min((each.alignment for each in self.segments), default=PAGE_BYTES)

    @property
    def misplaced(self) -> Segment | None:
        """A segment that cannot be mapped in pages of 16 KB, whatever alignment it claims.

        Its place in the file and in memory differ within a page, or it shares a page with a segment of other rights.
        """
        previous: Segment | None = None
        for each in self.segments:
            if each.offset % PAGE_BYTES != each.address % PAGE_BYTES:
                return each
            if previous is not None and previous.flags != each.flags:
                last = (previous.address + max(previous.memory_bytes, 1) - 1) // PAGE_BYTES
                if each.address // PAGE_BYTES <= last:
                    return each
            previous = each
        return None


def read_library(stream: BinaryIO, name: str) -> NativeLibrary:
    """Reads the headers of a library.

    Raises:
        AppFileError: it is no ELF file, of a processor that no Android device has, or damaged.
    """
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        elf = ELFFile(stream)
        machine = elf["e_machine"]
        count = elf.num_segments()
        if count > _MOST_SEGMENTS:
            raise AppFileError(f"{name} claims {count} segments; a library has some ten")
        segments = tuple(
            Segment(part["p_offset"], part["p_vaddr"], part["p_memsz"], part["p_align"], part["p_flags"])
            for part in (elf.get_segment(place) for place in range(count))
            if part["p_type"] == "PT_LOAD"
        )
        symbols = sum(
            section["sh_size"]
            for section in elf.iter_sections()
            if section.name == ".symtab" or section.name.startswith((".debug_", ".zdebug_"))
        )
    except ELFError as error:
        raise AppFileError(f"{name} is no native library: {error or 'no ELF file'}") from error
    except AppFileError:
        raise
    except Exception as error:
        # pyelftools raises whatever it met in a header that lies.
        raise AppFileError(f"{name} is damaged: its ELF headers cannot be read ({type(error).__name__})") from error
    if machine not in _MACHINES:
        raise AppFileError(f"{name} is for {str(machine)[:40]}, which no Android device has")
    return NativeLibrary(_MACHINES[machine], segments, symbols)
