"""Records as JSON texts: a text stays as it was written, a reader gets today's class."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pocketclip.benchmark.errors import RecordError, RecordVersionError
from pocketclip.benchmark.records.accuracy import (
    ACCURACY_SCHEMA_VERSION,
    RETRIEVAL_SCHEMA_VERSION,
    AccuracyRecord,
    RetrievalRecord,
    upgrade_accuracy_v1,
    upgrade_weights,
)
from pocketclip.benchmark.records.benchmark import (
    BENCHMARK_SCHEMA_VERSION,
    BenchmarkRecord,
    upgrade_benchmark_v1,
    upgrade_benchmark_v2,
    upgrade_benchmark_v3,
    upgrade_benchmark_v4,
)
from pocketclip.benchmark.records.farm import FARM_SCHEMA_VERSION, FarmRecord
from pocketclip.models import documents
from pocketclip.models.untrusted import json_text

Record = BenchmarkRecord | AccuracyRecord | RetrievalRecord | FarmRecord

# kind -> (record class, newest schema version that this code reads)
KINDS: dict[str, tuple[type[Record], int]] = {
    "benchmark": (BenchmarkRecord, BENCHMARK_SCHEMA_VERSION),
    "accuracy": (AccuracyRecord, ACCURACY_SCHEMA_VERSION),
    "retrieval": (RetrievalRecord, RETRIEVAL_SCHEMA_VERSION),
    "farm": (FarmRecord, FARM_SCHEMA_VERSION),
}

# (kind, schema version) -> what turns the content of such a record into that of the next version
_UPGRADES: dict[tuple[str, int], Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    ("accuracy", 1): upgrade_accuracy_v1,
    ("accuracy", 2): upgrade_weights,
    ("retrieval", 1): upgrade_weights,
    ("benchmark", 1): upgrade_benchmark_v1,
    ("benchmark", 2): upgrade_benchmark_v2,
    ("benchmark", 3): upgrade_benchmark_v3,
    ("benchmark", 4): upgrade_benchmark_v4,
}


@dataclass(frozen=True)
class RecordText:
    """A record as it was written, in the schema version of its time: one line of JSON.

    `origin` is the file or store it was read from, `place` where in it; both are for messages.
    """

    record_id: str
    kind: str
    schema_version: int
    text: str
    origin: str = field(default="", compare=False)
    place: str = field(default="", compare=False)

    @property
    def named(self) -> str:
        """The record in a message."""
        where = ", ".join(part for part in (self.origin, self.place) if part)
        return f"record {self.record_id}" + (f" in {where}" if where else "")


def encode(record: Record) -> RecordText:
    """The text of a record in today's schema.

    Dataclasses check no types when made in Python: `decode` tells whether it can be read again.

    Raises:
        RecordError: it holds NaN or infinity.
    """
    try:
        text = json.dumps(documents.to_builtin(record), allow_nan=False)
    except ValueError as error:
        raise RecordError(f"record {record.record_id} cannot be stored: {error}") from error
    return RecordText(record.record_id, record.kind, record.schema_version, text)


def decode(stored: RecordText) -> Record:
    """The record of a text, brought to today's schema.

    Raises:
        RecordVersionError: a newer version of PocketCLIP wrote it.
        RecordError: it is damaged, or its content is that of another record.
    """
    known = KINDS.get(stored.kind)
    if known is None or stored.schema_version > known[1]:
        readable = ", ".join(f"{name} up to {newest}" for name, (_, newest) in KINDS.items())
        raise RecordVersionError(
            f"{stored.named} is of kind {stored.kind!r}, schema version {stored.schema_version}; "
            f"this version reads {readable}: update PocketCLIP"
        )
    if not stored.text.isascii() and any("\ud800" <= character <= "\udfff" for character in stored.text):
        raise RecordError(f"{stored.named} is not UTF-8")
    record = documents.parse(known[0], _upgraded(stored), source=stored.named, error=RecordError)
    if record.record_id != stored.record_id:
        raise RecordError(f"{stored.named} holds the content of record {record.record_id}")
    return record


def stored_text(record_id: object, kind: object, schema_version: object, document: object) -> RecordText:
    """The text of a row of the store, whatever a damaged row holds in the place of texts and numbers."""
    if isinstance(document, bytes):
        document = document.decode(errors="surrogateescape")
    version = schema_version if isinstance(schema_version, int) else 0
    return RecordText(str(record_id), str(kind), version, str(document))


def text_of(content: object, *, origin: str, place: str) -> RecordText:
    """The text of a record that was read from a file as JSON.

    Raises:
        RecordError: it has not what every record has, or holds NaN.
    """
    where = f"{origin}, {place}"
    if not isinstance(content, dict):
        raise RecordError(f"{where} is not a record but {type(content).__name__}; a record is a JSON object")
    values: dict[str, Any] = content
    for name, kind in (("record_id", str), ("kind", str), ("schema_version", int)):
        value = values.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise RecordError(f"{where} is not a record: it has no {name} (got {value!r})")
    try:
        text = json.dumps(values, allow_nan=False)
    except ValueError as error:
        raise RecordError(
            f"{where}: record {values['record_id']} holds NaN or infinity, which records must not"
        ) from error
    return RecordText(values["record_id"], values["kind"], values["schema_version"], text, origin, place)


def check_texts(texts: Iterable[RecordText]) -> Iterator[RecordText]:
    """The texts as they come, each once it has been read as a record; raises as `decode` does."""
    for text in texts:
        decode(text)
        yield text


def _upgraded(stored: RecordText) -> str:
    text, version = stored.text, stored.schema_version
    while upgrade := _UPGRADES.get((stored.kind, version)):
        try:
            text = json.dumps(upgrade(json_text.loads(text)))
        except json_text.JsonFault as error:
            raise RecordError(f"{stored.named} {error}") from error
        except RecordError as error:
            raise RecordError(f"{stored.named}: {error}") from error
        except (KeyError, TypeError, AttributeError) as error:
            raise RecordError(
                f"{stored.named} is not one of kind {stored.kind!r}, schema version {version}: "
                f"{type(error).__name__} {error}"
            ) from error
        version += 1
    return text
