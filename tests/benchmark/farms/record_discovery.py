"""Records what the tests hold Google's stand-in against: the parts of the services' discovery documents that we use.

    python -m tests.benchmark.farms.record_discovery SITE_PACKAGES/googleapiclient/discovery_cache/documents VERSION

The documents are those of the package google-api-python-client (Apache-2.0), which is too large to install for it.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("google_discovery.json")
_METHODS = {
    "testing.v1": (
        "projects.testMatrices.create",
        "projects.testMatrices.get",
        "testEnvironmentCatalog.get",
    ),
    "toolresults.v1beta3": (
        *("projects.initializeSettings", "projects.histories.list", "projects.histories.create"),
        "projects.histories.executions.list",
    ),
    "storage.v1": ("objects.insert", "objects.list", "objects.get"),
}
_KEPT = ("type", "format", "enum", "$ref")


def record(documents: Path, version: str) -> dict[str, Any]:
    """The parts, by service."""
    return {
        "source": f"google-api-python-client {version}",
        **{name: _service(documents / f"{name}.json", methods) for name, methods in _METHODS.items()},
    }


def _service(file: Path, wanted: tuple[str, ...]) -> dict[str, Any]:
    document = json.loads(file.read_text(encoding="utf-8"))
    methods = {name: _method(document, name) for name in wanted}
    schemas: dict[str, Any] = {}
    left = [each[way] for each in methods.values() for way in ("request", "response") if each[way]]
    while left:
        name = left.pop()
        if name not in schemas:
            schemas[name] = _shape(document["schemas"][name])
            left += _references(schemas[name])
    return {"revision": document["revision"], "methods": methods, "schemas": dict(sorted(schemas.items()))}


def _method(document: dict[str, Any], name: str) -> dict[str, Any]:
    *parents, last = name.split(".")
    place = document
    for parent in parents:
        place = place["resources"][parent]
    method = place["methods"][last]
    uploaded = method.get("mediaUpload", {}).get("protocols", {}).get("simple", {}).get("path")
    return {
        "verb": method["httpMethod"],
        "path": f"/{document['servicePath']}{method['path']}",
        "upload_path": uploaded,
        "parameters": sorted(method.get("parameters", {})),
        "request": method.get("request", {}).get("$ref"),
        "response": method.get("response", {}).get("$ref"),
        "documented_errors": re.findall(r"- ([A-Z_]+) - ", method["description"]),
    }


def _shape(schema: dict[str, Any]) -> dict[str, Any]:
    found = {key: schema[key] for key in _KEPT if key in schema}
    for key in ("items", "additionalProperties"):
        if key in schema:
            found[key] = _shape(schema[key])
    if "properties" in schema:
        found["properties"] = {name: _shape(each) for name, each in schema["properties"].items()}
    return found


def _references(shape: dict[str, Any]) -> list[str]:
    inner = [shape.get("items"), shape.get("additionalProperties"), *shape.get("properties", {}).values()]
    found = [each for place in inner if place for each in _references(place)]
    return [shape["$ref"], *found] if "$ref" in shape else found


def _written(recorded: dict[str, Any]) -> str:
    """A line for each method and schema."""
    services: list[str] = [f' "source": {json.dumps(recorded["source"])}']
    for name in _METHODS:
        service = recorded[name]
        parts = [f'  "revision": {json.dumps(service["revision"])}']
        for part in ("methods", "schemas"):
            lines = [f"   {json.dumps(each)}: {json.dumps(shape)}" for each, shape in service[part].items()]
            parts.append(f'  "{part}": {{\n' + ",\n".join(lines) + "\n  }")
        services.append(f' "{name}": {{\n' + ",\n".join(parts) + "\n }")
    return "{\n" + ",\n".join(services) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(_written(record(Path(sys.argv[1]), sys.argv[2])), encoding="utf-8")
