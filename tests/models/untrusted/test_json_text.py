"""JSON from outside is bounded, and says in words what is wrong with it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketclip.models.untrusted import json_text
from pocketclip.models.untrusted.json_text import JsonFault, loads

_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | _FINITE | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(_VALUES)
def test_what_json_writes_is_read(value: object) -> None:
    assert loads(json.dumps(value)) == value


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_anything_else_is_a_fault(text: str | bytes) -> None:
    try:
        loads(text)
    except JsonFault:
        return
    json.loads(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' twice"),
        ('{"a": {"b": 1, "b": 1}}', "the key 'b' twice"),
        ("[NaN]", "holds NaN"),
        ("[-Infinity]", "holds -Infinity"),
        ("[1e999]", "infinite as a 64-bit float"),
        ("[" + "9" * 400 + "]", "a whole number of 400 digits"),
        ("[" + "9" * 5000 + "]", "a whole number of 5000 digits"),
        ("[99999999999999999999]", "which 64 bits do not hold"),
        ("[" * 65 + "]" * 65, "deeper than 64 levels"),
        ("[" * 100_000 + "]" * 100_000, "deeper than 64 levels"),
        ('{"a":' * 100_000, "deeper than 64 levels"),
        (b"\xff\xfe\xfd", "is not"),
        (b'"\xff"', "is not UTF-8"),
        ("{", "is not JSON"),
        ("", "is not JSON"),
    ],
)
def test_fault(text: str | bytes, words: str) -> None:
    with pytest.raises(JsonFault, match=r"^(has|holds|is) ") as caught:
        loads(text)
    assert words in str(caught.value)


def test_the_deepest_and_longest_that_is_read() -> None:
    loads("[" * json_text.MOST_DEPTH + "]" * json_text.MOST_DEPTH)
    loads("[1]", most_bytes=3)
    with pytest.raises(JsonFault, match="has 4 bytes; at most 3 are read"):
        loads("[12]", most_bytes=3)
