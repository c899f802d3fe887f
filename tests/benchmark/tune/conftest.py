"""Stores that studies are kept in: a file, and a PostgreSQL database where a server is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmark.store.conftest import postgres, postgres_server

__all__ = ["postgres", "postgres_server"]


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a study may be begun."""
    if request.param == "sqlite":
        return str(tmp_path / "store.sqlite")
    return request.getfixturevalue("postgres")
