"""Keeps the many small conversions of these tests quick."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _imports_out_of_collection() -> Iterator[None]:
    """`coremltools.convert` ends with a garbage collection, which walks over every imported module.

    With these set aside, saving a small program takes 15 ms instead of 350.
    """
    gc.freeze()
    yield
    gc.unfreeze()
