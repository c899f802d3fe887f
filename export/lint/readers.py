"""Which reader takes which file: a literal table; each one's packages load on first use."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.export.errors import ArtifactCorruptError, ArtifactError, ArtifactNotFoundError, TargetUnavailableError
from pocketclip.export.targets.converter_noise import quiet_loggers
from pocketclip.models.errors import PocketClipError, choices, extra_command, first_line
from pocketclip.models.untrusted.files import reading_errors
from pocketclip.models.untrusted.stand_ins import HEAD_BYTES, StandIn, stand_in

if TYPE_CHECKING:
    from pocketclip.export.lint.graph import Graph


@dataclass(frozen=True)
class Reader:
    """The function that reads a kind of file, and the pip extra that its packages come with."""

    module: str
    function: str
    extra: str
    is_folder: bool = False


READERS: dict[str, Reader] = {
    ".onnx": Reader("pocketclip.export.lint.read_onnx", "read_onnx", "onnx"),
    ".mlpackage": Reader("pocketclip.export.lint.read_coreml", "read_coreml", "coreml", is_folder=True),
    ".aimodel": Reader("pocketclip.export.lint.read_coreai", "read_coreai", "coreai", is_folder=True),
    ".pte": Reader("pocketclip.export.lint.read_executorch", "read_executorch", "executorch"),
    ".tflite": Reader("pocketclip.export.lint.read_tflite", "read_tflite", "tflite"),
}


# The suffix, where in the file which bytes stand, and what it is.
_MARKS = (
    (".tflite", 4, b"TFL3", "a LiteRT model"),
    (".pte", 4, b"ET", "an ExecuTorch program"),
    ("", 0, b"PK\x03\x04", "a zip archive"),
    ("", 0, b"\x1f\x8b", "compressed with gzip"),
)


def model_files(path: Path) -> tuple[Path, ...]:
    """The files that a model is read from: itself or all in its folder, and those beside an ONNX file.

    Of a file that cannot be read itself alone: `read_graph` says what is wrong with it.
    """
    if path.is_dir():
        return tuple(each for each in path.rglob("*") if each.is_file())
    if path.suffix != ".onnx" or not path.is_file():
        return (path,)
    try:
        from pocketclip.export.lint.onnx_files import external_files

        return (path, *external_files(path))
    except Exception:
        return (path,)


def read_graph(path: Path) -> Graph:
    """The graph of a model file.

    Raises:
        ArtifactNotFoundError: there is no such file.
        ArtifactError: it is of a kind that no reader takes, or no regular file.
        ArtifactCorruptError: its content cannot be read.
        TargetUnavailableError: the reader's packages are not installed.
    """
    with reading_errors(path, error=ArtifactError):
        if not path.exists():
            raise ArtifactNotFoundError(f"there is no model file {path}")
    reader = READERS.get(path.suffix)
    if reader is None:
        raise ArtifactError(f"{path} is not a model file that can be linted; known suffixes: {choices(READERS)}")
    if reader.is_folder != path.is_dir() or not (path.is_file() or path.is_dir()):
        raise ArtifactError(
            f"{path} is not a {'folder' if reader.is_folder else 'regular file'}, as {path.suffix} must be"
        )
    if path.is_file() and (instead := _instead(path)) is not None:
        raise ArtifactCorruptError(f"{path} cannot be read: it is {instead.what}", fix=instead.fix)
    quiet_loggers()
    try:
        read = getattr(importlib.import_module(reader.module), reader.function)
    except ModuleNotFoundError as error:
        raise TargetUnavailableError(
            f"{path} cannot be read without {error.name}",
            fix=f"install it in PocketCLIP's folder with: {extra_command(reader.extra)}",
        ) from error
    try:
        return read(path)
    except PocketClipError:
        raise
    except MemoryError as error:
        raise ArtifactCorruptError(f"{path} cannot be read: there is not enough memory") from error
    except Exception as error:
        # Protobuf, flatbuffers, flatc and coremltools each raise classes of their own.
        raise ArtifactCorruptError(f"{path} cannot be read: it is damaged ({first_line(error)})") from error


def _instead(path: Path) -> StandIn | None:
    """What a file is in place of a model of its suffix; None where it may be one."""
    with reading_errors(path, error=ArtifactError), path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if (found := stand_in(head)) is not None:
        return found
    for suffix, place, mark, what in _MARKS:
        if head.startswith(mark, place) and path.suffix != suffix:
            return StandIn(f"{what}, not a {path.suffix} file", f"name it {suffix}" if suffix else "unpack it")
    if path.suffix == ".pte" and not head.startswith(b"ET", 4):
        return StandIn("not an ExecuTorch program" if head else "empty", "give a whole .pte")
    return None
