"""The bundle's manifest and the self-test's report as JSON Schema.

`python -m pocketclip.export.bundle.schemas` writes the files in `export/schemas/` from the dataclasses. Files of
older versions stay as they were written, for readers of old bundles.
"""

from __future__ import annotations

from pathlib import Path

from pocketclip.export.bundle.manifest import (
    NPU_SCHEMA_VERSION,
    PLAIN_SCHEMA_VERSION,
    SYSTEM_SCHEMA_VERSION,
    Bundle,
    NpuBundle,
    SystemBundle,
)
from pocketclip.export.bundle.selftest import SELFTEST_SCHEMA_VERSION, SelfTestReport
from pocketclip.models import atomic, json_schema

FOLDER = Path(__file__).parents[1] / "schemas"

SCHEMAS: dict[str, type] = {
    f"bundle-v{PLAIN_SCHEMA_VERSION}.schema.json": Bundle,
    f"bundle-v{NPU_SCHEMA_VERSION}.schema.json": NpuBundle,
    f"bundle-v{SYSTEM_SCHEMA_VERSION}.schema.json": SystemBundle,
    f"bundle-selftest-v{SELFTEST_SCHEMA_VERSION}.schema.json": SelfTestReport,
}


def write_schemas(folder: Path = FOLDER) -> list[Path]:
    """Writes every schema file and returns the paths."""
    paths = [folder / name for name in SCHEMAS]
    for path in paths:
        atomic.write_text(path, json_schema.schema_text(SCHEMAS[path.name], path.name))
    return paths


if __name__ == "__main__":
    for written in write_schemas():
        print(written)
