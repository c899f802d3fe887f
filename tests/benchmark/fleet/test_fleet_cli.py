"""`pocketclip fleet` and `bench --fleet` from outside: what cannot be ends with one line."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pocketclip.benchmark.api import (
    bench_fleet,
    drain_device,
    fleet_status,
    join_fleet,
    report,
    resume_device,
    start_fleet,
)
from pocketclip.benchmark.errors import FleetError, FleetUnreachableError
from pocketclip.benchmark.fleet.cluster import FleetDevice
from pocketclip.benchmark.fleet.device_book import DeviceBook, DrainedBy
from pocketclip.benchmark.fleet.ledger import open_ledger
from pocketclip.benchmark.fleet.ray_setup import parse_address, probe
from pocketclip.benchmark.store import open_store
from pocketclip.models.errors import MissingPackageError
from tests.benchmark.fleet.conftest import Fleet, Scripted, phone, works

Run = Callable[..., subprocess.CompletedProcess[str]]
PLAN = 'version = 1\n[[bench]]\nartifacts = ["artifacts"]\ndevices = ["host"]\n'


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("bench", "--launches", "3"), 2, "--artifact is missing; give --artifact FOLDER, or --fleet --plan FILE"),
        (("bench", "--plan", "p.toml", "--artifact", "x"), 2, "--plan, --cluster and --patience are for --fleet"),
        (("bench", "--fleet"), 2, "--fleet needs a --plan"),
        (("bench", "--fleet", "--plan", "p.toml", "--launches", "3"), 2, "--fleet does not take --launches"),
        (("bench", "--fleet", "--plan", "no.toml"), 2, "cannot read no.toml: No such file"),
        (("bench", "--fleet", "--plan", "p.toml", "--patience", "soon"), 2, "--patience"),
        (("fleet", "join", "ray://127.0.0.1:1"), 39, "nothing answers at 127.0.0.1:1: Connection refused"),
        (("fleet", "join", "ray://no-such-host.invalid"), 39, "no-such-host.invalid"),
        (("fleet", "join", "not an address"), 2, "'not an address' is no address of a fleet"),
        (("fleet", "join", "host:99999"), 2, "is no address of a fleet"),
        (("fleet", "start", "--listen", "127.0.0.1"), 2, "no other computer reaches 127.0.0.1"),
        (("fleet", "status", "--store", "no.sqlite"), 2, "there is no store no.sqlite"),
        (("fleet", "drain", "x", "--reason", "y", "--store", "no.sqlite"), 2, "there is no store no.sqlite"),
    ],
)
def test_bad_requests_end_with_one_line(
    pocketclip: Run,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    if arguments[0] == "fleet":
        pytest.importorskip("ray", reason="Ray is not installed")
    (tmp_path / "p.toml").write_text(PLAN)
    result = pocketclip(*arguments, cwd=tmp_path)
    assert result.returncode == code, result.stderr
    (line,) = result.stderr.strip().splitlines()
    assert words in line and line.startswith("error: ")
    assert result.stdout == ""


@pytest.mark.parametrize(("asked", "given"), [(0, 0), (3, 3), (None, os.cpu_count())])
def test_cores_that_a_host_gives(monkeypatch: pytest.MonkeyPatch, asked: int | None, given: int) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    from pocketclip.benchmark.fleet import ray_join

    served: list[int] = []
    monkeypatch.setattr(ray_join, "serve_host", lambda *_, cores, **__: served.append(cores))
    start_fleet("192.0.2.1:7001", cores=asked)
    join_fleet("192.0.2.1:7001", cores=asked)
    assert served == [given, given]


def test_an_address_that_is_silent_costs_seconds() -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    started = time.monotonic()
    with pytest.raises(FleetUnreachableError, match=r"nothing answers at 127\.0\.0\.1:1"):
        probe(parse_address("ray://127.0.0.1:1"))
    # Ray itself would try for more than a minute.
    assert time.monotonic() - started < 20


def test_without_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build_artifact: Callable[..., Any]) -> None:
    build_artifact()
    (tmp_path / "p.toml").write_text(PLAN)
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(MissingPackageError) as caught:
        bench_fleet(tmp_path / "p.toml", store=tmp_path / "s.sqlite")
    assert "a fleet needs Ray, which is not installed" in str(caught.value)
    assert caught.value.fix == "install it with: pip install -e '.[fleet]'"
    assert not (tmp_path / "s.sqlite").exists()


@pytest.fixture
def used(tmp_path: Path, make: Any, scripted: Callable[..., Scripted]) -> str:
    """The store of a fleet whose run has ended, with eight units, one of them slow, and a device that is drained."""
    from pocketclip.benchmark.fleet.simulated import SimulatedClock, SimulatedCluster

    location = str(tmp_path / "s.sqlite")
    with open_ledger(location) as ledger, open_store(location) as store:
        fleet = Fleet(ledger, store)
        run = fleet.begin(works(64))
        script = scripted()
        usual = script.answer
        records = {f"{number:016x}": make.benchmark(launches=6, median_ms=3.0) for number in range(8)}
        records[f"{7:016x}"] = make.benchmark(launches=6, median_ms=4.5)

        def answer(job: Any, device: FleetDevice, changes: dict[str, Any]) -> Any:
            script.record = records[device.key]
            return usual(job, device, changes)

        script.answer = answer  # type: ignore[method-assign]
        phones = [phone(number, host="bench-<b>1") for number in range(8)]
        fleet.head(run, SimulatedCluster(phones, script, SimulatedClock(real=False))).carry_on()
        DeviceBook(ledger).drain(phone(3).key, "cracked \x1b[31mscreen <script>", DrainedBy.FLEET)
        fleet.begin(works(4), key="e" * 64)
    return location


def test_status_shows_devices_queues_health_and_units(pocketclip: Run, used: str) -> None:
    result = pocketclip("fleet", "status", "--store", used)
    assert result.returncode == 0, result.stderr
    for words in ("pixel7/00000000", "drained", "in use", "plan.toml, run 1", "health over time", "units of pixel7"):
        assert words in result.stdout, result.stdout
    assert "\x1b[31m" not in result.stdout and "\\x1b[31mscreen" in result.stdout
    status = fleet_status(used, compare_units=True)
    assert sum(status.jobs_done.values()) == 64
    (variation,) = status.variation
    slow = variation.units[0]
    assert (slow.unit, str(slow.verdict)) == (f"{7:016x}", "slower than the others")
    waiting, ended = status.queues
    assert ended.run.ended_us is not None and waiting.run.ended_us is None
    # None of these four has ended yet: how long they take, nobody can tell.
    assert waiting.left_seconds is None


def test_drain_and_resume(pocketclip: Run, used: str) -> None:
    key = phone(5).key
    assert pocketclip("fleet", "drain", key, "--reason", "new battery", "--store", used).returncode == 0
    (found,) = [each for each in fleet_status(used).devices if each.key == key]
    assert (found.drained, found.reason) == (DrainedBy.USER, "new battery")
    result = pocketclip("fleet", "resume", f"pixel7/{key}", "--store", used)
    assert "is in use again" in result.stderr
    assert resume_device(key, store=used) == (f"pixel7/{key}", False)
    (found,) = [each for each in fleet_status(used).devices if each.key == key]
    assert found.drained is None
    with pytest.raises(FleetError, match="several devices are 'pixel7'") as caught:
        drain_device("pixel7", "x", store=used)
    assert caught.value.exit_code == 2
    with pytest.raises(FleetError, match="no device 'toaster'; choose among: pixel7/0000000000000000"):
        drain_device("toaster", "x", store=used)


@pytest.mark.parametrize("form", ["html", "md"])
def test_the_report_has_the_fleet(used: str, form: str) -> None:
    page = report(used, form=form)
    for words in ("Devices of the fleet", "Plans of the fleet", "Health over time", "Units of pixel7", "slower than"):
        assert words in page
    assert "<script>cracked" not in page and "screen <script>" not in page and "bench-<b>1" not in page
    assert "\x1b" not in page


def test_a_report_without_a_fleet_is_as_before(tmp_path: Path, make: Any) -> None:
    with open_store(str(tmp_path / "s.sqlite")) as store:
        store.append(make.benchmark())
    assert 'id="fleet"' not in report(tmp_path / "s.sqlite")


def test_units_are_compared_without_a_fleet(tmp_path: Path, make: Any) -> None:
    with open_store(str(tmp_path / "s.sqlite")) as store:
        for unit in ("a", "b"):
            record = make.benchmark()
            store.append(replace(record, device=replace(record.device, instance=unit * 16)))
    page = report(tmp_path / "s.sqlite")
    assert "No outlier can be told: 0 of 2 units have 5 launches that may be ranked, 6 are needed" in page


def test_a_newer_version_s_tables(used: str, execute_on: Callable[..., None]) -> None:
    execute_on(used, "UPDATE pocketclip_fleet_version SET version = 99")
    from pocketclip.benchmark.errors import StoreError

    with pytest.raises(StoreError, match="have version 99; this version reads 1; update PocketCLIP"):
        fleet_status(used)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE fleet_devices SET drained = 'a cat'",
        "UPDATE fleet_devices SET since_us = 1e300",
        "UPDATE fleet_devices SET seen_us = 'yesterday'",
        "UPDATE fleet_devices SET name = x'ff00'",
        "UPDATE fleet_devices SET device_key = '\x1b[31m' WHERE device_key LIKE '%3'",
        "UPDATE fleet_health SET at_us = 9223372036854775807",
        # The last moment of the year 9999, which floating point rounds up.
        "UPDATE fleet_health SET at_us = 253402300799999999",
        "UPDATE fleet_health SET device_key = '../../x'",
        "UPDATE fleet_jobs SET state = 'tired'",
        "UPDATE fleet_jobs SET target = x'ff00' WHERE state = 'waiting'",
        "UPDATE fleet_runs SET begun_us = -5",
        "UPDATE fleet_runs SET number = 'many'",
        "INSERT INTO fleet_heads VALUES ('x', 'y', 'z', 'now')",
    ],
)
def test_tables_that_no_fleet_wrote_end_with_one_line(
    pocketclip: Run, used: str, execute_on: Callable[..., None], statement: str
) -> None:
    execute_on(used, statement)
    for words in (("fleet", "status"), ("report", "--out", f"{used}.html")):
        result = pocketclip(*words, "--store", used)
        assert result.returncode == 2, result.stdout
        assert "is not valid" in result.stderr and "Traceback" not in result.stderr, result.stderr
        assert "\x1b" not in result.stderr and len(result.stderr.splitlines()) <= 3, result.stderr


@pytest.mark.parametrize("column", ["sequence", "attempts", "priority"])
def test_jobs_that_no_fleet_wrote_are_not_begun(used: str, execute_on: Callable[..., None], column: str) -> None:
    from pocketclip.benchmark.errors import StoreError

    execute_on(used, f"UPDATE fleet_jobs SET {column} = 'x' WHERE state = 'waiting'")
    with open_ledger(used) as ledger, open_store(used) as store:
        run = Fleet(ledger, store).begin(works(4), key="e" * 64)
        with pytest.raises(StoreError, match="table fleet_jobs is not valid"):
            ledger.waiting(run.run_id)


@pytest.fixture
def execute_on() -> Callable[..., None]:
    """Runs a statement on a SQLite store behind its back."""
    import sqlite3

    def run(location: str, statement: str) -> None:
        with sqlite3.connect(location) as database:
            database.execute(statement)

    return run
