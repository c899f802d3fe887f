"""The mutation engine: the same on every computer, and never idle."""

from __future__ import annotations

import hashlib
import json

from tests.fuzz.mutations import mutated, mutated_json

CONTENT = bytes(range(256)) * 8
DOCUMENT = {"name": "x", "sizes": [1, 2, 3], "inner": {"path": "a/b", "number": 1.5}}


def test_the_same_seed_gives_the_same_bytes() -> None:
    every = [mutated(CONTENT, seed) for seed in range(200)]
    assert every == [mutated(CONTENT, seed) for seed in range(200)]
    assert len(set(every)) > 190
    # A change of the engine changes what a seed in a bug report means: let it be on purpose.
    assert hashlib.sha256(b"".join(every)).hexdigest()[:16] == "cde4e14ed9d10bc0"


def test_most_differ_and_empty_content_is_taken() -> None:
    assert sum(mutated(CONTENT, seed) != CONTENT for seed in range(200)) > 180
    for seed in range(100):
        assert isinstance(mutated(b"", seed), bytes)


def test_documents() -> None:
    before = json.dumps(DOCUMENT)
    every = [json.dumps(mutated_json(DOCUMENT, seed)) for seed in range(300)]
    assert every == [json.dumps(mutated_json(DOCUMENT, seed)) for seed in range(300)]
    assert json.dumps(DOCUMENT) == before
    assert sum(text != before for text in every) > 280
    assert len(set(every)) > 150
    assert mutated_json(3, 1) != 3
