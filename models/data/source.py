"""What a data reference means: `scenes[:COUNT]`, `webdataset:PATTERN`, `csv:FILE` or `folder:PATH`."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from pocketclip.models.data.image_files import passed_over
from pocketclip.models.errors import DatasetError, choices, extra_command
from pocketclip.models.untrusted.files import is_file, is_folder, is_there

FORMS = (
    "scenes[:COUNT]",
    "webdataset:PATTERN (tar shards: paths, folders or http(s) URLs; braces {0000..0009}, globs, commas between them)",
    "csv:FILE[?image=COLUMN&caption=COLUMN]",
    "folder:PATH (images, each with its caption in a .txt file of the same name)",
)
# What a folder is searched for; a file that is named or fits a pattern may have any name.
_SHARD_NAME = re.compile(r"\.(tar(\.(gz|bz2|xz|zst|lz4|lzma|Z))?|tgz|tbz2?|txz|tzst)$", re.IGNORECASE)

_URL = re.compile(r"https?://", re.IGNORECASE)
_COMMAND = re.compile(r"pipe:", re.IGNORECASE)
_OUTER_COMMA = re.compile(r",(?![^{}]*\})")


@dataclass(frozen=True)
class SceneSource:
    """Generated scenes; `count` None leaves their number to whoever uses them."""

    count: int | None


@dataclass(frozen=True)
class ShardSource:
    """Tar shards, each a path or a URL, in the order given; none twice."""

    shards: tuple[str, ...]


@dataclass(frozen=True)
class CsvSource:
    """A table with one image-caption pair a row; image paths start at the table's folder."""

    path: Path
    image_column: str = "image"
    caption_column: str = "caption"

    @property
    def delimiter(self) -> str:
        """What separates columns: tabs in a `.tsv`, else commas."""
        return "\t" if self.path.suffix.lower() == ".tsv" else ","


@dataclass(frozen=True)
class FolderSource:
    """A folder of images, each with its caption beside it: `a.jpg` and `a.txt`; folders in it belong to it."""

    path: Path


DataSource = SceneSource | ShardSource | CsvSource | FolderSource


def is_url(shard: str) -> bool:
    """Whether a shard is fetched over the network."""
    return _URL.match(shard) is not None


def local_path(text: str) -> Path:
    """A path as people write it: `~` is the user's folder; the name of nobody, such as `~old`, stays as it is."""
    return Path(os.path.expanduser(text))


def require_file_or_url(shard: str, *, urls: bool) -> None:
    """Refuses what is neither a path nor, where `urls` says so, an address that is fetched: no shard runs a command.

    A file of such a name can still be read, as `./NAME`.

    Raises:
        DatasetError: it is a command (`pipe:`) or an address of another kind.
    """
    if _COMMAND.match(shard):
        raise DatasetError(
            f"{shard!r} is a command, and PocketCLIP never runs commands for data",
            fix="unpack it into files first (a file of that name is ./NAME)",
        )
    if "://" in shard and not (urls and is_url(shard)):
        allowed = "files and http(s) URLs" if urls else "files of this machine"
        raise DatasetError(f"shards are read from {allowed}, got {shard!r}", fix="download it first")


def shards_in(folder: Path) -> list[Path]:
    """The shards directly in a folder, in no order; not what macOS puts beside them.

    Shards that are compressed otherwise are among them: their fault is told when they are read.
    """
    return [
        path
        for path in folder.iterdir()
        if _SHARD_NAME.search(path.name) and passed_over(path.name) is None and path.is_file()
    ]


def parse_source(text: str) -> DataSource:
    """Reads a data reference; local patterns are matched against the disk, URLs are not asked for.

    Raises:
        DatasetError: the text has another form, or a local path does not exist.
    """
    kind, _, rest = text.partition(":")
    match kind:
        case "scenes":
            return SceneSource(_count(text, rest))
        case "webdataset" if rest:
            return ShardSource(tuple(dict.fromkeys(_expand(text, rest))))
        case "csv" if rest:
            return _csv(text, rest)
        case "folder" if rest:
            if not is_folder(local_path(rest)):
                raise DatasetError(
                    f"there is no folder {rest} ({text!r})", fix="give a folder with images and .txt captions"
                )
            return FolderSource(local_path(rest))
    raise DatasetError(f"{text!r} is not a data reference; valid forms: {choices(FORMS)}")


def _count(text: str, rest: str) -> int | None:
    if not rest and not text.endswith(":"):
        return None
    if " + " in rest:
        raise DatasetError(f"{text!r} mixes sources, which only `train --data` takes", fix="give one of them")
    if not rest.isdecimal() or int(rest) < 1:
        raise DatasetError(f"{text!r}: write a whole number of at least 1 after scenes:, e.g. scenes:10000")
    return int(rest)


def _expand(text: str, patterns: str) -> Iterator[str]:
    try:
        from braceexpand import braceexpand
    except ImportError as error:
        raise DatasetError(
            "reading shards needs the package webdataset",
            fix=f"install it in PocketCLIP's folder with: {extra_command('train')}",
        ) from error

    for pattern in _OUTER_COMMA.split(patterns):
        try:
            expanded = list(braceexpand(pattern.strip()))
        except ValueError as error:
            raise DatasetError(f"{text!r}: the braces do not pair up", fix="write ranges as {0000..0009}") from error
        for place in expanded:
            require_file_or_url(place, urls=True)
            yield from [place] if is_url(place) else _local(text, place)


def _local(text: str, place: str) -> list[str]:
    path = local_path(place)
    if is_folder(path):
        found = sorted(str(shard) for shard in shards_in(path))
        lacking = f"the folder {place} holds no .tar file"
    elif glob.has_magic(place) and not is_there(path):
        # What begins with a dot fits no pattern, as in a shell.
        found = sorted(glob.glob(str(path), recursive=True))
        lacking = f"no file matches {place}"
    else:
        # A missing shard of a range is one corrupt shard; a single name that is missing is a mistake.
        found = [str(path)] if is_there(path) or "{" in text else []
        lacking = f"there is no shard {place}"
    if not found:
        raise DatasetError(f"{lacking} ({text!r})", fix="give existing .tar files, a folder of them, or URLs")
    return found


def _csv(text: str, rest: str) -> CsvSource:
    name, _, query = rest.partition("?")
    columns = dict(parse_qsl(query, keep_blank_values=True))
    unknown = [key for key in columns if key not in ("image", "caption")]
    if unknown or (query and not columns) or not all(columns.values()):
        raise DatasetError(f"{text!r}: write column names after ?, such as image=COLUMN&caption=COLUMN")
    path = local_path(name)
    if not is_file(path):
        raise DatasetError(f"there is no table {path}; a CSV source is csv:FILE with the columns image and caption")
    return CsvSource(path, columns.get("image", "image"), columns.get("caption", "caption"))
