"""A bench on a farm whose phones run our app, as all tests of such farms ask for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pocketclip.benchmark import api
from pocketclip.benchmark.farms.farm import Cost
from pocketclip.benchmark.records.benchmark import BenchmarkRecord


def bench_at(usual: str) -> Callable[..., list[BenchmarkRecord]]:
    """A short bench at a place; another one may be given."""

    def bench(artifact: Path | list[Path], place: str = usual, **options: Any) -> list[BenchmarkRecord]:
        accept = options.pop("accept", lambda cost: True)
        store = options.pop("store", None)
        chosen = api.BenchOptions(**{"launches": 2, "cooldown": 0.0} | options)
        found = api.bench_farm(artifact, place, accept_cost=accept, options=chosen, store=store)
        assert all(isinstance(each, BenchmarkRecord) for each in found)
        return found  # pyright: ignore[reportReturnType]

    return bench


def unasked(cost: Cost) -> bool:
    """What is paid for already is not asked for again."""
    pytest.fail("asked")
