"""Names, paths and hashes of documents hold only what they should, in Python as in the JSON Schema."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.errors import ConfigError
from pocketclip.models.json_schema import schema_text
from pocketclip.models.untrusted.names import PlainName, RelativePath, Sha256


@document
class _Named:
    sha256: Sha256 = "0" * 64
    name: PlainName = "name"
    path: RelativePath = "a/b"


_SCHEMA = json.loads(schema_text(_Named, "named.schema.json"))
_HOSTILE = ["", ".", "..", "../x", "/x", "a//b", "a/../b", "a/", "C:\\x", "a\\b", ".hidden", "a/.b", "a b", "a\n", "\0",
            "-rf", "$(x)", "a;b", "ü", "x" * 300, "\x1b[31m"]  # fmt: skip


def _reads(key: str, value: str) -> bool:
    whole = {"sha256": "0" * 64, "name": "name", "path": "a/b", key: value}
    try:
        documents.parse(_Named, json.dumps(whole), source="test", error=ConfigError)
        read = True
    except ConfigError:
        read = False
    assert jsonschema.Draft202012Validator(_SCHEMA).is_valid(whole) is read
    return read


@pytest.mark.parametrize("key", ["sha256", "name", "path"])
@pytest.mark.parametrize("value", _HOSTILE)
def test_hostile_text_is_refused(key: str, value: str) -> None:
    assert not _reads(key, value)


@given(st.text(max_size=120))
def test_a_path_that_is_read_stays_below_its_folder(text: str) -> None:
    if _reads("path", text):
        parts = text.split("/")
        assert all(part and not part.startswith((".", "-")) and "\\" not in part and ":" not in part for part in parts)


@pytest.mark.parametrize(("key", "value"), [("sha256", "0a" * 32), ("name", "onnx-int8_2.1+x"), ("path", "a/b.c/d")])
def test_good_text_is_read(key: str, value: str) -> None:
    assert _reads(key, value)


@pytest.mark.parametrize("value", ["0A" * 32, "0" * 63, "0" * 65, "g" * 64, "0" * 64 + "\n"])
def test_what_is_no_hash(value: str) -> None:
    assert not _reads("sha256", value)
