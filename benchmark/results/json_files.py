"""Records as JSON, each as it was written, with every raw sample: one document, or one record a line (JSONL).

Version history of the document `{"format": "pocketclip-results", "format_version": 1, "records": [...]}`:
  1: first version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pocketclip.benchmark.errors import RecordError, ResultsFileError
from pocketclip.benchmark.store import RecordText, check_texts
from pocketclip.benchmark.store.codec import text_of
from pocketclip.models.untrusted import json_text

FORMAT = "pocketclip-results"
FORMAT_VERSION = 1
# Of a whole file; a record has bounds of its own when it is read.
MOST_BYTES = 256 << 20
# Some programs begin UTF-8 with it.
_MARK = b"\xef\xbb\xbf"


def to_json(texts: Iterable[RecordText]) -> str:
    """The document of records, one a line, so that lines can be searched and compared. Raises as `decode` does."""
    records = ",\n".join(_one_line(text) for text in check_texts(texts))
    return f'{{"format": "{FORMAT}", "format_version": {FORMAT_VERSION}, "records": [\n{records}\n]}}\n'


def to_jsonl(texts: Iterable[RecordText]) -> str:
    """One record a line. Raises as `decode` does."""
    return "".join(_one_line(text) + "\n" for text in check_texts(texts))


def from_json(content: bytes, origin: str) -> Iterator[RecordText | RecordError]:
    """The entries of a document, of a bare list of records, or of a single record; an error for what is no record.

    Raises:
        ResultsFileError: it is no JSON or holds no records.
    """
    try:
        parsed = parse_entries(content.removeprefix(_MARK))
    except json_text.JsonFault as error:
        raise ResultsFileError(f"{origin} {error}; it is damaged or truncated: export it again") from error
    if isinstance(parsed, dict) and parsed.get("format") == FORMAT:
        version = parsed.get("format_version")
        if version != FORMAT_VERSION:
            raise ResultsFileError(
                f"{origin} has format version {version!r}; this version reads {FORMAT_VERSION}: update PocketCLIP"
            )
        parsed = parsed.get("records")
    elif isinstance(parsed, dict) and "record_id" in parsed:
        parsed = [parsed]
    if not isinstance(parsed, list):
        raise ResultsFileError(
            f"{origin} holds no records; a file of results is what `pocketclip results --out FILE` writes, "
            "a list of records or a single one"
        )
    for number, entry in enumerate(parsed, start=1):
        yield entry_of(entry, origin, f"entry {number}")


def from_jsonl(content: bytes, origin: str) -> Iterator[RecordText | RecordError]:
    """The records of a file with one a line, an error for what is none; empty lines are passed over."""
    for number, line in enumerate(content.removeprefix(_MARK).split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            parsed = parse_entries(line)
        except json_text.JsonFault as error:
            yield RecordError(f"{origin}, line {number} {error}; it is damaged or truncated: export it again")
        else:
            yield entry_of(parsed, origin, f"line {number}")


@dataclass(frozen=True)
class _Repeated:
    """Stands in the place of an object with a key that is there twice."""

    key: str


def parse_entries(content: str | bytes) -> Any:
    """The JSON of a file, a line or a cell. What is wrong within a record is left to `entry_of`, which names it.

    Raises:
        JsonFault: it is too long, too deep or no JSON.
    """
    if len(content) > MOST_BYTES:
        raise json_text.JsonFault(f"has {len(content)} bytes; at most {MOST_BYTES} are read")
    try:
        return json.loads(content, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise json_text.JsonFault(f"is not JSON: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Repeated:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    keys = [key for key, _ in pairs]
    return _Repeated(next(key for key in keys if keys.count(key) > 1))


def entry_of(content: object, origin: str, place: str) -> RecordText | RecordError:
    """The text of what was read at a place of a file, or why it is no record."""
    if isinstance(content, _Repeated):
        return RecordError(f"{origin}, {place} holds the key {content.key!r} twice")
    try:
        return text_of(content, origin=origin, place=place)
    except RecordError as error:
        return error
    except TypeError:
        # What JSON cannot write is no other thing than one of ours.
        return RecordError(f"{origin}, {place} holds a key twice")


def _one_line(text: RecordText) -> str:
    return text.text if "\n" not in text.text else json.dumps(json.loads(text.text))
