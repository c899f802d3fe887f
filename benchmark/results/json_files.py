"""Records as JSON, each as it was written, with every raw sample: one document, or one record a line (JSONL).

Version history of the document `{"format": "pocketclip-results", "format_version": 1, "records": [...]}`:
  1: first version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from benchmark.errors import ResultsFileError
from benchmark.store import RecordText, check_texts
from benchmark.store.codec import text_of

FORMAT = "pocketclip-results"
FORMAT_VERSION = 1


def to_json(texts: Iterable[RecordText]) -> str:
    """The document of records, one a line, so that lines can be searched and compared. Raises as `decode` does."""
    records = ",\n".join(_one_line(text) for text in check_texts(texts))
    return f'{{"format": "{FORMAT}", "format_version": {FORMAT_VERSION}, "records": [\n{records}\n]}}\n'


def to_jsonl(texts: Iterable[RecordText]) -> str:
    """One record a line. Raises as `decode` does."""
    return "".join(_one_line(text) + "\n" for text in check_texts(texts))


def from_json(content: bytes, origin: str) -> Iterator[RecordText]:
    """The records of a document, of a bare list of records, or of a single record.

    Raises:
        ResultsFileError: it is no JSON or holds no records.
        RecordError: an entry is no record.
    """
    parsed = _parse(content, origin)
    if isinstance(parsed, dict) and parsed.get("format") == FORMAT:
        version = parsed.get("format_version")
        if version != FORMAT_VERSION:
            raise ResultsFileError(
                f"{origin} is of format version {version!r}; this version reads {FORMAT_VERSION}: update PocketCLIP"
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
        yield text_of(entry, origin=origin, place=f"entry {number}")


def from_jsonl(content: bytes, origin: str) -> Iterator[RecordText]:
    """The records of a file with one a line; empty lines are passed over. Raises as `from_json` does."""
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            yield text_of(_parse(line, f"{origin}, line {number},"), origin=origin, place=f"line {number}")


def _parse(content: bytes, source: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ResultsFileError(
            f"{source} is not JSON: {error}; it is damaged or was cut off: export it again"
        ) from error


def _one_line(text: RecordText) -> str:
    return text.text if "\n" not in text.text else json.dumps(json.loads(text.text))
