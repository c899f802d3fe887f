"""Document classes as JSON Schema, for readers in other languages."""

from __future__ import annotations

import json
from typing import Any

from pocketclip.models import documents

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_text(kind: type, file_name: str) -> str:
    """The content of the schema file of a document class, the same on every run; `file_name` becomes its `$id`."""
    generated: dict[str, Any] = documents.adapter(kind).json_schema(mode="serialization")
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
