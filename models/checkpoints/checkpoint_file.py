"""Opening checkpoint files that nobody has checked: what a file is, how large it gets, and its tensors, never its code.

A file is told by its content, not by its name. Whatever torch, safetensors or zipfile raise becomes a
`CheckpointError`.
"""

from __future__ import annotations

import codecs
import io
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from pocketclip.models.errors import CheckpointError
from pocketclip.models.untrusted import json_text
from pocketclip.models.untrusted.files import read_bounded
from pocketclip.models.untrusted.names import PLAIN_NAME
from pocketclip.models.untrusted.printable import printable_line, printable_path
from pocketclip.models.untrusted.stand_ins import HEAD_BYTES, stand_in

INDEX_SUFFIX = ".index.json"
# Of weights that were written uncompressed, as torch does; zeros alone are packed more tightly.
_MOST_GROWTH = 10
_FREE_BYTES = 64 << 20
# Of an archive of torch's: more names than any model has tensors.
_MOST_MEMBERS = 100_000
_MOST_SHARDS = 1000
_MOST_INDEX_BYTES = 32 << 20
_MOST_HEADER_BYTES = 100 << 20
# Where in a file which bytes stand, and what it is then.
_OTHER_FORMATS = (
    (0, b"GGUF", "a GGUF file of quantised weights"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes"),
    (0, b"\x1f\x8b", "compressed with gzip: unpack it"),
    (0, b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it"),
    (0, b"\x93NUMPY", "an array of NumPy's"),
    (257, b"ustar", "a tar archive: unpack it"),
    (4, b"TFL3", "a LiteRT model, not a checkpoint"),
    (4, b"ET", "an ExecuTorch program, not a checkpoint"),
)
_ONNX = re.compile(rb"\x08[\x01-\x20]\x12.(pytorch|tf2onnx|onnx|keras|skl)", re.DOTALL)
_FOREIGN_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")


class Kind(StrEnum):
    """What a checkpoint file is, by its first bytes."""

    SAFETENSORS = "safetensors"
    ARCHIVE = "archive"
    PICKLE = "pickle"


def read_content(path: Path) -> Any:
    """What a file holds: a mapping of names to tensors, or what `torch.save` was given.

    Args:
        path: a safetensors file, what `torch.save` wrote, or the index (`*.index.json`) of a checkpoint in parts.

    Raises:
        CheckpointError: it is none of these, damaged, would grow beyond bounds, or holds more than tensors and plain
            values; the message says what it is.
    """
    if path.name.endswith(INDEX_SUFFIX) and path.is_file():
        return _read_parts(path)
    kind, name = _kind_of(path), _named(path)
    if kind is Kind.SAFETENSORS:
        return _read_safetensors(path, name)
    if kind is Kind.ARCHIVE:
        with path.open("rb") as stream:
            _check_archive(stream, path.stat().st_size, name)
    # A stream: torch would go by the name of a path.
    with path.open("rb") as stream:
        return _read_torch(stream, name)


def read_archive(content: bytes | memoryview, name: str) -> Any:
    """As `read_content`, of what `torch.save` wrote as bytes; `name` is for messages."""
    _check_archive(io.BytesIO(content), len(content), name)
    return _read_torch(io.BytesIO(content), name)


def shard_names(index: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """The file of every tensor that an index names, and those files' names, each once.

    Raises:
        CheckpointError: it is no index, or a file is named that is not beside it.
    """
    name = _named(index)
    text = read_bounded(index, _MOST_INDEX_BYTES, error=CheckpointError)
    try:
        found = json_text.loads(text, most_bytes=_MOST_INDEX_BYTES)
    except json_text.JsonFault as error:
        raise CheckpointError(f"cannot read the checkpoint {name}: it {error}") from error
    placed = found.get("weight_map") if isinstance(found, dict) else None
    if not isinstance(placed, dict) or not placed or not all(isinstance(file, str) for file in placed.values()):
        raise CheckpointError(f"{name} is not a checkpoint index: its weight_map must name a file for each tensor")
    files = tuple(dict.fromkeys(placed.values()))
    if len(files) > _MOST_SHARDS:
        raise CheckpointError(f"{name} names {len(files)} files; at most {_MOST_SHARDS} are read")
    for file in files:
        fault = PLAIN_NAME.fault(file)
        if fault is not None:
            raise CheckpointError(f"{name}: a file of the checkpoint {printable_line(fault)}, beside the index")
    return placed, files


def _read_parts(index: Path) -> dict[str, Any]:
    placed, files = shard_names(index)
    state: dict[str, Any] = {}
    for file in files:
        if not (index.parent / file).exists():
            raise CheckpointError(
                f"the checkpoint {_named(index)} lacks its part {printable_line(file)}",
                fix="fetch all files of the checkpoint",
            )
        part = read_content(index.parent / file)
        wanted = {key for key, place in placed.items() if place == file}
        if not isinstance(part, Mapping) or set(part) != wanted:
            raise CheckpointError(
                f"{_named(index)} and {printable_line(file)} do not belong together: they list different tensors",
                fix="fetch all files of the checkpoint again",
            )
        state.update(part)
    return state


def _kind_of(path: Path) -> Kind:
    name = _named(path)
    if not path.exists():
        raise CheckpointError(f"there is no checkpoint at {name}")
    if not path.is_file():
        raise CheckpointError(f"cannot read the checkpoint {name}: it is not a regular file")
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
        size = path.stat().st_size
    except OSError as error:
        raise CheckpointError(f"cannot read the checkpoint {name}: {error.strerror or error}") from error
    if not head:
        raise CheckpointError(f"cannot read the checkpoint {name}: it is empty", fix="download or save it again")
    if (instead := stand_in(head)) is not None:
        raise CheckpointError(f"cannot read the checkpoint {name}: it is {instead.what}", fix=instead.fix)
    if head.startswith(b"PK\x03\x04"):
        return Kind.ARCHIVE
    if head[0] == 0x80 and len(head) > 1 and head[1] in range(2, 6):
        return Kind.PICKLE
    if len(head) > 8 and head[8:9] == b"{":
        (header,) = struct.unpack("<Q", head[:8])
        if header > min(size - 8, _MOST_HEADER_BYTES):
            raise CheckpointError(
                f"cannot read the checkpoint {name}: it is an incomplete safetensors file ({size:,} bytes)",
                fix="download it again",
            )
        return Kind.SAFETENSORS
    if head[32:36] == b"PK\x03\x04":
        raise CheckpointError(
            f"cannot read the checkpoint {name}: it is a training run's own checkpoint, for `train --resume`; the "
            "run's result is its weights.safetensors"
        )
    what = _other_format(head)
    raise CheckpointError(
        f"cannot read the checkpoint {name}: it is {what or 'neither a safetensors file nor one from torch.save'}",
        fix="give a safetensors file or what torch.save wrote" if what else "give one of these",
    )


def _other_format(head: bytes) -> str | None:
    found = next((what for place, mark, what in _OTHER_FORMATS if head.startswith(mark, place)), None)
    if found is not None:
        return found
    if _ONNX.match(head):
        return "an ONNX model, not a checkpoint"
    try:
        # A character may be cut at the end of the head.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return None
    if not all(letter.isprintable() or letter.isspace() for letter in text):
        return None
    return "JSON, not a file of tensors" if text.lstrip().startswith(("{", "[")) else "text, not a file of tensors"


def _read_safetensors(path: Path, name: str) -> dict[str, Any]:
    from safetensors.torch import load

    try:
        # Bytes, not a mapping of the file: a file that shrinks while it is mapped ends the process.
        return load(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"cannot read the checkpoint {name}: {error.strerror or error}") from error
    except Exception as error:
        # safetensors raises a class of its own that it does not export under a stable name.
        raise CheckpointError(
            (
                f"cannot read the checkpoint {name}: it is an incomplete or damaged safetensors file "
                f"({_first_line(error)})"
            ),
            fix="download or save it again",
        ) from error


def _check_archive(stream: IO[bytes], size: int, name: str) -> None:
    """Refuses archives that torch did not write for tensors, and those that unpack to far more than they are."""
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
    except Exception as error:
        # A damaged archive makes zipfile raise many classes.
        raise CheckpointError(
            f"cannot read the checkpoint {name}: it is incomplete or damaged ({_first_line(error)})",
            fix="download or save it again",
        ) from error
    names = [member.filename for member in members]
    if len(names) > _MOST_MEMBERS:
        raise CheckpointError(f"cannot read the checkpoint {name}: it has {len(names):,} members; no model has so many")
    if any(re.search(r"(^|/)(constants\.pkl$|code/)", member) for member in names):
        raise CheckpointError(
            f"cannot read the checkpoint {name}: it is TorchScript, a program with its weights, and PocketCLIP "
            "never runs programs from files; if you trust it, save only its tensors: torch.save(torch.jit.load("
            "FILE, map_location='cpu').state_dict(), 'weights.pt')"
        )
    if not any(re.search(r"(^|/)data\.pkl$", member) for member in names):
        what = "an exported program" if any("archive_format" in member for member in names) else "a zip archive"
        raise CheckpointError(
            (
                f"cannot read the checkpoint {name}: it is {what}, not a file of tensors (first member: "
                f"{printable_line(names[0]) if names else 'none'})"
            ),
            fix="give a safetensors file or a PyTorch state dict",
        )
    unpacked = sum(member.file_size for member in members)
    if unpacked > _MOST_GROWTH * size + _FREE_BYTES:
        raise CheckpointError(
            (
                f"cannot read the checkpoint {name}: its {size:,} bytes unpack to {unpacked:,}, "
                "which is implausible for weights"
            ),
            fix="write it again with torch.save or safetensors",
        )


def _read_torch(source: IO[bytes], name: str) -> Any:
    import torch

    try:
        with warnings.catch_warnings():
            # Torch warns of what is refused here in our own words.
            warnings.simplefilter("ignore")
            return torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:
        # Torch's own messages propose to load without `weights_only`, which would run the file's code.
        foreign = _FOREIGN_GLOBAL.search(str(error))
        if foreign is not None:
            raise CheckpointError(
                f"cannot read the checkpoint {name}: it holds more than tensors and plain values (first: "
                f"{foreign[1]}), which only its own program should open; there, save only the tensors: "
                "torch.save(model.state_dict(), 'weights.pt')"
            ) from error
        raise CheckpointError(
            f"cannot read the checkpoint {name}: it is incomplete, or holds more than tensors",
            fix="give a safetensors file or a PyTorch state dict",
        ) from error


def _named(path: Path) -> str:
    return printable_path(path)


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return printable_line(lines[0]) if lines else type(error).__name__
