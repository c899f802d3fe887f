"""The record formats as JSON Schema, for readers in other languages.

`python -m pocketclip.benchmark.records.schemas` writes the files in `benchmark/schemas/` from the dataclasses.
Files of older versions stay as they were written, for readers of old stores.
"""

from __future__ import annotations

from pathlib import Path

from pocketclip.benchmark.records.accuracy import (
    ACCURACY_SCHEMA_VERSION,
    RETRIEVAL_SCHEMA_VERSION,
    AccuracyRecord,
    RetrievalRecord,
)
from pocketclip.benchmark.records.benchmark import BENCHMARK_SCHEMA_VERSION, BenchmarkRecord
from pocketclip.benchmark.records.farm import FARM_SCHEMA_VERSION, FarmRecord
from pocketclip.benchmark.records.throughput import THROUGHPUT_SCHEMA_VERSION, ThroughputRecord
from pocketclip.models import atomic, json_schema

FOLDER = Path(__file__).parents[1] / "schemas"

SCHEMAS: dict[str, type] = {
    f"benchmark-record-v{BENCHMARK_SCHEMA_VERSION}.schema.json": BenchmarkRecord,
    f"accuracy-record-v{ACCURACY_SCHEMA_VERSION}.schema.json": AccuracyRecord,
    f"retrieval-record-v{RETRIEVAL_SCHEMA_VERSION}.schema.json": RetrievalRecord,
    f"farm-record-v{FARM_SCHEMA_VERSION}.schema.json": FarmRecord,
    f"throughput-record-v{THROUGHPUT_SCHEMA_VERSION}.schema.json": ThroughputRecord,
}


def schema_text(file_name: str) -> str:
    """The schema file's content as it must be."""
    return json_schema.schema_text(SCHEMAS[file_name], file_name)


def write_schemas(folder: Path = FOLDER) -> list[Path]:
    """Writes every schema file and returns the paths."""
    paths = [folder / name for name in SCHEMAS]
    for path in paths:
        atomic.write_text(path, schema_text(path.name))
    return paths


if __name__ == "__main__":
    for written in write_schemas():
        print(written)
