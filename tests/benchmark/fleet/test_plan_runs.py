"""A plan from its file to its records, on phones that are not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pocketclip.benchmark.api.fleet import FleetOutcome, run_plan_on
from pocketclip.benchmark.errors import FleetJobsError, FleetPlanError, StoreError
from pocketclip.benchmark.fleet.heads import living_head
from pocketclip.benchmark.fleet.jobs import JobState
from pocketclip.benchmark.fleet.ledger import Ledger, open_ledger
from pocketclip.benchmark.fleet.plan import read_plan
from pocketclip.benchmark.fleet.running import FleetRun
from pocketclip.benchmark.fleet.simulated import SimulatedClock, SimulatedCluster
from pocketclip.benchmark.fleet.timing import Timing
from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.store import Store, open_store
from pocketclip.export.artifact.reading import Artifact
from tests.benchmark.fleet.conftest import Scripted, phone, works

Carry = Callable[..., FleetOutcome]


@pytest.fixture
def carry(tmp_path: Path, build_artifact: Callable[..., Artifact], scripted: Callable[..., Scripted]) -> Carry:
    """Carries a plan out on three phones of two models that answer at once."""
    artifact = build_artifact()
    phones = [phone(1), phone(2), phone(3, name="galaxy-s24")]

    def run(devices: str, more: str = "", **options: Any) -> FleetOutcome:
        file = tmp_path / "plan.toml"
        entry = f'[[bench]]\nartifacts = ["a"]\ndevices = [{devices}]\nrepetitions = 3\n'
        file.write_text(f"version = 1\n{entry}{more}")
        plan = read_plan(file)
        cluster = SimulatedCluster(phones, scripted(seconds=0.0), SimulatedClock(real=False))
        values: dict[str, Any] = {"name": "plan.toml", "known": ["host", "iphone16-pro"]}
        values |= {"store": str(tmp_path / "s.sqlite"), "patience_seconds": 0.0}
        return run_plan_on(cluster, plan, [[artifact]] * len(plan.bench), **(values | options))

    return run


def test_a_plan_is_carried_out_and_begins_anew(carry: Carry, tmp_path: Path) -> None:
    records: list[BenchmarkRecord] = []
    first = carry('"pixel7/*", "galaxy-s24"', on_record=records.append)
    assert first == FleetOutcome("plan.toml, run 1", 9, 9, 0, ())
    assert {(each.device.name, each.device.instance) for each in records} == {
        ("pixel7", phone(1).key),
        ("pixel7", phone(2).key),
        ("galaxy-s24", phone(3).key),
    }
    # It has ended: the same plan is measured anew.
    assert carry('"pixel7/*", "galaxy-s24"').run == "plan.toml, run 2"
    with open_store(str(tmp_path / "s.sqlite")) as store:
        assert store.count() == 18


def test_entries_that_overlap(carry: Carry, caplog: pytest.LogCaptureFixture) -> None:
    """What two entries ask for alike is measured once, first where one of them says so."""
    caplog.set_level("INFO")
    more = '[[bench]]\nartifacts = ["a"]\ndevices = ["galaxy-s24"]\nrepetitions = 4\npriority = 5\n'
    records: list[BenchmarkRecord] = []
    assert carry('"pixel7", "galaxy-s24"', more, on_record=records.append).jobs == 3 + 4
    assert [each.device.name for each in records].count("galaxy-s24") == 4
    assert "3 jobs are asked for by several entries of the plan; each is measured once" in caplog.text


def test_a_device_that_nobody_knows(carry: Carry, tmp_path: Path) -> None:
    with pytest.raises(FleetPlanError, match="'pixel8' is none of the fleet's; did you mean pixel7"):
        carry('"pixel8"')
    # Nothing was begun.
    assert not (tmp_path / "s.sqlite").exists()


def test_a_known_device_that_is_not_attached(carry: Carry) -> None:
    with pytest.raises(FleetJobsError, match=r"3 jobs wait for devices of which none is in use: iphone16-pro"):
        carry('"iphone16-pro", "pixel7"')


def test_records_that_the_store_does_not_take_are_kept(
    carry: Carry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise StoreError("cannot write the store: the disk is full")

    usual = FleetRun.__post_init__

    def impatient(run: FleetRun) -> None:
        run.timing = Timing(store=0.0)
        usual(run)

    monkeypatch.setattr(Store, "add", refuse)
    monkeypatch.setattr(FleetRun, "__post_init__", impatient)
    with pytest.raises(StoreError, match=r"could not be stored in .*add them with `pocketclip results import"):
        carry('"pixel7"')
    files = list(tmp_path.glob("pocketclip-record-*.json"))
    assert files


def test_a_dead_head_of_this_computer_is_noticed_at_once(tmp_path: Path) -> None:
    location = str(tmp_path / "s.sqlite")
    with open_ledger(location) as ledger:
        run = ledger.begin("f" * 64, "plan.toml", works(2))
        first, _ = ledger.waiting(run.run_id)
        with living_head(ledger) as dead:
            ledger.beat(dead.head_id, dead.machine, dead.words)
            ledger.claim(dead.head_id, [(first.job_id, "0" * 16)])
            # As long as it lives, it keeps what it has.
            with living_head(ledger):
                assert running(ledger, run.run_id) == 1
        with living_head(ledger):
            assert running(ledger, run.run_id) == 0
        assert ledger.heads() == []


def running(ledger: Ledger, run_id: str) -> int:
    return ledger.counts(run_id)[JobState.RUNNING]
