"""The record formats as JSON Schema, for readers in other languages.

`python -m benchmark.record_schemas` writes the files in `benchmark/schemas/` anew from the dataclasses. Files of
older versions stay as they were written, for readers of old stores.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmark.accuracy_records import (
    ACCURACY_SCHEMA_VERSION,
    RETRIEVAL_SCHEMA_VERSION,
    AccuracyRecord,
    RetrievalRecord,
)
from benchmark.records import BENCHMARK_SCHEMA_VERSION, BenchmarkRecord
from models import atomic, documents

FOLDER = Path(__file__).parent / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

SCHEMAS: dict[str, type] = {
    f"benchmark-record-v{BENCHMARK_SCHEMA_VERSION}.schema.json": BenchmarkRecord,
    f"accuracy-record-v{ACCURACY_SCHEMA_VERSION}.schema.json": AccuracyRecord,
    f"retrieval-record-v{RETRIEVAL_SCHEMA_VERSION}.schema.json": RetrievalRecord,
}


def schema_text(file_name: str) -> str:
    """The schema file's content as it must be."""
    generated: dict[str, Any] = documents.adapter(SCHEMAS[file_name]).json_schema(mode="serialization")
    for definition in (generated, *generated.get("$defs", {}).values()):
        if definition.get("type") == "object":
            # Fields with a default are always written too, so readers may rely on them.
            definition["required"] = list(definition["properties"])
    schema = {"$schema": DIALECT, "$id": file_name, **_plain_numbers(generated)}
    return json.dumps(schema, indent=2) + "\n"


def _plain_numbers(value: Any) -> Any:
    """Bounds such as 0.0 as 0: `typing` keeps one of `Field(ge=0)` and `Field(ge=0.0)`, whichever comes first."""
    if isinstance(value, dict):
        return {key: _plain_numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def write_schemas(folder: Path = FOLDER) -> list[Path]:
    """Writes every schema file and returns the paths."""
    paths = [folder / name for name in SCHEMAS]
    for path in paths:
        atomic.write_text(path, schema_text(path.name))
    return paths


if __name__ == "__main__":
    for written in write_schemas():
        print(written)
