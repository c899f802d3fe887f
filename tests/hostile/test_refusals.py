"""Python's readers against the table of what each reader refuses; Kotlin's and Swift's tests hold the same table."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from pocketclip.export.artifact.names import BUNDLE_NAME
from pocketclip.export.bundle.reading import read_bundle
from pocketclip.export.bundle.schemas import FOLDER
from pocketclip.export.errors import BundleError
from tests.hostile.bundles import CASES, SOUND, has_variants, refusals, write_cases

DOCS = Path(__file__).parents[2] / "docs" / "security.md"


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every case's folder; nothing may write to them."""
    return write_cases(tmp_path_factory.mktemp("hostile"))


def test_the_table_has_every_case_and_no_other() -> None:
    assert list(refusals()) == [*SOUND, *CASES]


@pytest.mark.parametrize("name", SOUND)
def test_the_sound_bundles_are_read(cases: dict[str, Path], name: str) -> None:
    assert not refusals()[name].python
    manifest = read_bundle(cases[name]).manifest
    assert manifest.model.name == "tiny"
    assert len(manifest.models) == (6 if has_variants(name) else 2)


@pytest.mark.parametrize("name", CASES)
def test_python_refuses(cases: dict[str, Path], name: str) -> None:
    assert refusals()[name].python
    with pytest.raises(BundleError) as caught:
        read_bundle(cases[name])
    message = str(caught.value)
    assert "\n" not in message and str(cases[name]) in message
    assert len(message) < 1000


def test_the_json_schema_refuses_what_the_table_says(cases: dict[str, Path]) -> None:
    plain, npu = (
        jsonschema.Draft202012Validator(json.loads((FOLDER / f"bundle-v{version}.schema.json").read_text()))
        for version in (1, 2)
    )
    found: dict[str, bool] = {}
    for name, folder in cases.items():
        try:
            content = json.loads((folder / BUNDLE_NAME).read_text())
        except (ValueError, RecursionError):
            continue
        found[name] = not (npu if has_variants(name) else plain).is_valid(content)
    assert found == {name: row.schema for name, row in refusals().items() if name in found}


def test_the_docs_have_the_table() -> None:
    rows = re.findall(r"^\| (.+) \| (yes|no) \| (yes|no) \| (yes|no) \| (yes|no) \|$", DOCS.read_text(), re.MULTILINE)
    wanted = [
        (name.replace("-", " "), *("yes" if each else "no" for each in (row.python, row.kotlin, row.swift, row.schema)))
        for name, row in refusals().items()
        if name != SOUND[0]
    ]
    assert rows == wanted
