"""`pocketclip compare`: through the command line, over a real store of made-up records."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.launch_records import MachineState
from benchmark.records import BenchmarkRecord, DeviceKind
from benchmark.store import open_store
from export.artifact import Artifact

NOW = MachineState("2026-03-01T00:00:00+00:00")
Run = Callable[..., Any]


def record(make: Any, median_ms: float, seed: int, tag: str | None = None, **changes: Any) -> BenchmarkRecord:
    random = np.random.default_rng(seed)
    launches = tuple(
        replace(make.launch(1.0), before=NOW, steady_ns=tuple(int(median_ms * 1e6 * (1 + each)) for each in noise))
        for noise in 0.01 * random.standard_normal((8, 1)) + 0.01 * np.abs(random.standard_normal((8, 40)))
    )
    return replace(make.benchmark(launches=8), launches=launches, tag=tag, **changes)


@pytest.fixture
def store(make: Any, tmp_path: Path) -> Path:
    path = tmp_path / "results.sqlite"
    with open_store(str(path)) as records:
        for each in (record(make, 3.0, 1, "1.0"), record(make, 3.0, 2), record(make, 2.0, 3, "2.0")):
            records.append(each)
    return path


def ids(store: Path) -> list[str]:
    with open_store(str(store)) as records:
        return [each.record_id for each in records.benchmarks()]


def words(result: Any) -> str:
    return re.sub(r"\s+", " ", result.stdout)


def test_two_records_by_the_beginning_of_their_ids(pocketclip: Run, store: Path) -> None:
    old, _, new = ids(store)
    result = pocketclip("compare", old[:12], new, "--store", store)
    assert result.returncode == 0, result.stderr
    assert "-33" in words(result) and "faster" in words(result)


def test_a_regression_ends_with_its_own_code(pocketclip: Run, store: Path, error_line: Run) -> None:
    result = pocketclip("compare", "--baseline", "2.0", "--candidate", "1.0", "--store", store)
    assert result.returncode == 3
    assert "1 of 1 became slower than '2.0'" in error_line(result) and ": +5" in error_line(result)
    assert "slower" in words(result)


def test_no_regression_is_no_error(pocketclip: Run, store: Path) -> None:
    same = pocketclip("compare", "--baseline", "1.0", "--store", store)
    assert same.returncode == 0
    faster = pocketclip("compare", "--baseline", "1.0", "--candidate", "2.0", "--store", store)
    assert faster.returncode == 0 and "faster" in words(faster)


def test_an_emulated_devices_times_keep_no_others_from_being_compared(pocketclip: Run, store: Path, make: Any) -> None:
    with open_store(str(store)) as records:
        emulated = replace(records.benchmarks()[0].device, name="test-phone", kind=DeviceKind.EMULATED)
        for seed, tag in ((4, "1.0"), (5, None)):
            records.append(record(make, 3.0, seed, tag, device=emulated))
    same = pocketclip("compare", "--baseline", "1.0", "--store", store)
    assert same.returncode == 0, same.stderr
    assert words(same).count("faster") == 1


def test_an_artefact_stands_for_its_last_record(
    pocketclip: Run, store: Path, make: Any, build_artifact: Callable[..., Artifact]
) -> None:
    artifact = build_artifact()
    with open_store(str(store)) as records:
        identity = replace(records.benchmarks()[0].artifact, sha256=artifact.manifest.sha256)
        records.append(record(make, 9.0, 4, artifact=identity))
        records.append(record(make, 3.0, 5, artifact=identity))
    result = pocketclip("compare", ids(store)[0], artifact.folder, "--store", store)
    assert result.returncode == 0, result.stderr
    assert "cannot tell" in words(result)
    assert "launches a change of" in result.stderr
    with open_store(str(store)) as records:
        phone = replace(records.benchmarks()[0].device, name="pixel7")
        records.append(record(make, 1.0, 6, artifact=identity, device=phone))
    result = pocketclip("compare", ids(store)[0], artifact.folder, "--store", store)
    assert result.returncode == 2 and "device (host and pixel7)" in result.stderr
    result = pocketclip("compare", ids(store)[0], artifact.folder, "--device", "host", "--store", store)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "takes two records"),
        (["one"], "takes two records"),
        (["one", "two", "--baseline", "1.0"], "takes two records"),
        (["nothing", "none"], "there is no record of 'nothing'"),
        (["--baseline", "0.9"], "no record that may be ranked has the tag '0.9'"),
        (["--baseline", "1.0", "--candidate", "3.0"], "nothing was measured like what has the tag '1.0'"),
    ],
)
def test_mistakes_are_one_line(
    pocketclip: Run, store: Path, error_line: Run, arguments: list[str], message: str
) -> None:
    result = pocketclip("compare", *arguments, "--store", store)
    assert result.returncode == 2
    assert message in error_line(result)
