"""`pocketclip compare`: through the command line, over a real store of made-up records."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketclip.benchmark.records.benchmark import BenchmarkRecord, DeviceKind, Status
from pocketclip.benchmark.records.launch import MachineState
from pocketclip.benchmark.records.profile import InstructionCounts
from pocketclip.benchmark.records.validity import Invalidity, InvalidityCode
from pocketclip.benchmark.store import open_store
from pocketclip.export.artifact.reading import Artifact

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
    assert "launches can detect a change of" in result.stderr
    with open_store(str(store)) as records:
        phone = replace(records.benchmarks()[0].device, name="pixel7")
        records.append(record(make, 1.0, 6, artifact=identity, device=phone))
    result = pocketclip("compare", ids(store)[0], artifact.folder, "--store", store)
    assert result.returncode == 2 and "device (host and pixel7)" in result.stderr
    result = pocketclip("compare", ids(store)[0], artifact.folder, "--device", "host", "--store", store)
    assert result.returncode == 0, result.stderr


def busy(found: BenchmarkRecord) -> BenchmarkRecord:
    return replace(found, invalid=(Invalidity(InvalidityCode.BUSY, "others took 1.9 cores", "stop other programs"),))


def test_busy_records_are_named_and_compared_where_it_is_asked_for(
    pocketclip: Run, store: Path, make: Any, error_line: Run
) -> None:
    with open_store(str(store)) as records:
        old, new = busy(record(make, 3.0, 6, "old")), busy(record(make, 2.0, 7, "new"))
        records.append(old)
        records.append(new)
    pair = (old.record_id, new.record_id)
    refused = pocketclip("compare", *pair, "--store", store)
    assert refused.returncode == 2
    assert f"record {old.record_id[:8]}" in error_line(refused)
    assert "busy: others took 1.9 cores" in error_line(refused) and "--allow-invalid" in error_line(refused)
    marked = pocketclip("compare", *pair, "--allow-invalid", "--store", store)
    assert marked.returncode == 0, marked.stderr
    # The table may break the line within the mark.
    assert "faster" in words(marked) and "(invalid" in words(marked)
    for each in (old, new):
        assert f"record {each.record_id[:8]}" in marked.stderr
    # A gate says so too, in both ways.
    refused = pocketclip("compare", "--baseline", "new", "--candidate", "old", "--store", store)
    assert refused.returncode == 2
    assert "are invalid" in error_line(refused) and new.record_id[:8] in error_line(refused)
    gate = ("compare", "--baseline", "new", "--candidate", "old", "--allow-invalid", "--store", store)
    found = pocketclip(*gate)
    assert found.returncode == 3
    assert "1 of 1 became slower than 'new'" in error_line(found)
    assert "1 of them use invalid records" in error_line(found)
    # Runs that may be ranked take the place of those that may not, even with the option.
    with open_store(str(store)) as records:
        records.append(record(make, 2.0, 8, "new"))
        records.append(record(make, 2.0, 9, "old"))
    sound = pocketclip(*gate)
    assert sound.returncode == 0 and "invalid" not in sound.stdout


def test_what_is_left_out_beside_sound_records_is_counted(pocketclip: Run, store: Path, make: Any) -> None:
    with open_store(str(store)) as records:
        device = replace(records.benchmarks()[0].device, name="pixel7")
        for seed, tag in ((4, "1.0"), (5, None)):
            records.append(busy(record(make, 3.0, seed, tag, device=device)))
    found = pocketclip("compare", "--baseline", "1.0", "--store", store)
    assert found.returncode == 0, found.stderr
    assert "2 records are invalid and skipped" in found.stderr and "busy" in found.stderr


def test_a_pair_that_cannot_be_compared_keeps_no_others_from_it(
    pocketclip: Run, store: Path, make: Any, error_line: Run
) -> None:
    with open_store(str(store)) as records:
        device = replace(records.benchmarks()[0].device, name="board")
        for seed, tag, cpu in ((4, "1.0", "Cortex-A76"), (5, None, "Cortex-A76 r4p1")):
            records.append(record(make, 3.0, seed, tag, device=replace(device, cpu=cpu)))
    found = pocketclip("compare", "--baseline", "1.0", "--store", store)
    assert found.returncode == 0, found.stderr
    assert words(found).count("faster") == 1
    assert "1 of 2 pairs cannot be compared and are skipped (first: " in found.stderr
    assert "processor (Cortex-A76 and Cortex-A76 r4p1)" in found.stderr
    alone = pocketclip("compare", "--baseline", "1.0", "--device", "board", "--store", store)
    assert alone.returncode == 2 and "differ in processor" in error_line(alone)


def test_counted_instructions_are_fewer_or_more(pocketclip: Run, store: Path, make: Any, error_line: Run) -> None:
    def counted(instructions: int, tag: str) -> BenchmarkRecord:
        rows = ((instructions, instructions), (instructions, instructions))
        counts = InstructionCounts("cortex-a76", rows, warmup_inferences=1)
        return replace(make.benchmark(), status=Status.COUNTED, launches=(), instructions=counts, tag=tag)

    with open_store(str(store)) as records:
        records.append(counted(4_500_000, "a"))
        records.append(counted(11_310_000, "b"))
    fewer = pocketclip("compare", "--baseline", "b", "--candidate", "a", "--store", store)
    assert fewer.returncode == 0 and "fewer" in words(fewer) and "faster" not in words(fewer)
    more = pocketclip("compare", "--baseline", "a", "--candidate", "b", "--store", store)
    assert more.returncode == 3
    assert "1 of 1 take more instructions than 'a'" in error_line(more) and "slower" not in more.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "either two records"),
        (["one"], "either two records"),
        (["one", "two", "--baseline", "1.0"], "either two records"),
        (["nothing", "none"], "there is no record of 'nothing'"),
        (["--baseline", "0.9"], "no valid record has the tag '0.9'"),
        (["--baseline", "1.0", "--candidate", "3.0"], "no record matches those with the tag '1.0'"),
    ],
)
def test_mistakes_are_one_line(
    pocketclip: Run, store: Path, error_line: Run, arguments: list[str], message: str
) -> None:
    result = pocketclip("compare", *arguments, "--store", store)
    assert result.returncode == 2
    assert message in error_line(result)
