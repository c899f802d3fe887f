"""Runs on simulated phones: every job has one record and none has two, whatever fails in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from pocketclip.benchmark.errors import FleetJobsError, StoreError
from pocketclip.benchmark.fleet.cluster import Fault, Lost
from pocketclip.benchmark.fleet.device_book import DeviceBook, DrainedBy
from pocketclip.benchmark.fleet.history import latest_runs
from pocketclip.benchmark.fleet.jobs import JobState
from pocketclip.benchmark.fleet.timing import Timing
from pocketclip.benchmark.records.benchmark import Status
from pocketclip.benchmark.records.validity import InvalidityCode, invalidity
from pocketclip.benchmark.store.codec import encode
from tests.benchmark.fleet.conftest import Fleet, Scripted, phone, work, works

Build = Callable[..., Any]
Scripts = Callable[..., Scripted]


def check_all_once(fleet: Fleet, count: int) -> None:
    """Every job has one record under its own id."""
    found = fleet.record_ids()
    assert len(found) == len(set(found)) == count


def test_every_job_has_one_record(fleet: Fleet, simulated: Build) -> None:
    run = fleet.begin(works(40))
    ended = fleet.head(run, simulated(4)).carry_on()
    assert ended.counts == {JobState.WAITING: 0, JobState.RUNNING: 0, JobState.DONE: 40, JobState.FAILED: 0}
    check_all_once(fleet, 40)
    assert [status.ended_us is not None for status in latest_runs(fleet.ledger)] == [True]


def test_a_lost_host_s_jobs_go_to_other_devices_of_the_model(fleet: Fleet, simulated: Build, scripted: Scripts) -> None:
    phones = [phone(1, host="a"), phone(2, host="a"), phone(3, host="b"), phone(4, name="galaxy-s24", host="b")]
    script = scripted()
    run = fleet.begin(works(40))
    fleet.head(run, simulated(phones=phones, script=script, hosts_end={"a": 55.0})).carry_on()
    check_all_once(fleet, 40)
    # What was on the lost host then was begun again, on the other host's phone of the model.
    assert len(script.started) == 42
    assert {key for _, key in script.started[-10:]} == {phone(3).key}
    assert phone(4).key not in {key for _, key in script.started}


def test_priority_then_the_plan_s_order_and_units(fleet: Fleet, simulated: Build, scripted: Scripts) -> None:
    script = scripted()
    urgent = (5, work(repetition=100))
    bound = [(0, work(repetition=200 + each, unit=phone(2).key)) for each in range(3)]
    run = fleet.begin([*works(6), urgent, *bound])
    order = {job.job_id: job for job in fleet.ledger.waiting(run.run_id)}
    fleet.head(run, simulated(2, phones=[phone(1), phone(2)], script=script)).carry_on()
    first = [order[job_id].work.repetition for job_id, _ in script.started]
    assert first[0] == 100
    assert [each for each in first if each < 100] == list(range(6))
    on = {order[job_id].work.repetition: key for job_id, key in script.started}
    assert [on[200 + each] for each in range(3)] == [phone(2).key] * 3
    check_all_once(fleet, 10)


def test_two_heads_share_a_run(fleet: Fleet, simulated: Build, scripted: Scripts) -> None:
    """Each carries out what the other has not claimed; the phones are each one's own here."""
    run = fleet.begin(works(30))
    again = fleet.begin(works(30))
    assert (again.run_id, again.resumed) == (run.run_id, True)
    scripts = [scripted(), scripted(seed=9)]
    first = fleet.head(run, simulated(phones=[phone(1)], script=scripts[0]), "first")
    second = fleet.head(run, simulated(phones=[phone(2)], script=scripts[1]), "second")
    # In turns: both have the whole run on their boards, and the ledger says whose a job is.
    heads = [first, second]
    for each in heads:
        each.ledger.beat(each.head.head_id, "machine", each.head.words)
        each._load()
    while not all(each._over() for each in heads):
        for each in heads:
            each._step()
    check_all_once(fleet, 30)
    started = [job_id for script in scripts for job_id, _ in script.started]
    assert len(started) == len(set(started)) == 30 and all(script.started for script in scripts)


def test_a_head_that_was_killed(fleet: Fleet, simulated: Build, scripted: Scripts) -> None:
    """Its claims stay behind, a record of a job that nobody ended is there: the next head measures only the rest."""
    run = fleet.begin(works(12))
    jobs = fleet.ledger.waiting(run.run_id)
    dead = "00000000-0000-4000-8000-000000000000"
    fleet.ledger.beat(dead, "machine", "a dead head")
    fleet.ledger.claim(dead, [(job.job_id, phone(1).key) for job in jobs[:3]])
    # Stored, and killed before it said so.
    script = scripted()
    stored = replace(script.record, record_id=jobs[0].record_id)
    fleet.store.add([encode(stored)])
    cluster = simulated(2, script=script)
    fleet.head(run, cluster, timing=Timing(lost=-1.0)).carry_on()
    check_all_once(fleet, 12)
    assert len(script.started) == 11 and jobs[0].job_id not in {job_id for job_id, _ in script.started}
    assert fleet.store.find(jobs[0].record_id) == stored


def test_measured_twice_is_stored_once(fleet: Fleet, simulated: Build, scripted: Scripts) -> None:
    """Another head thought this one lost, and was faster: the first record stays."""
    run = fleet.begin(works(1))
    (job,) = fleet.ledger.waiting(run.run_id)
    script = scripted()
    first = replace(script.record, record_id=job.record_id, reason=None)
    cluster = simulated(1, script=script)
    cluster.began = lambda *_: fleet.store.add([encode(first)])
    ended = fleet.head(run, cluster).carry_on()
    assert ended.counts[JobState.DONE] == 1
    assert fleet.store.records() == [first]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("device-disconnected", "unplugged"),
        ("device-offline", "does not answer"),
        ("device-full", "no space left on the phone"),
        ("screen-locked", "locked"),
        ("device-unfit", "hot: 91 °C"),
        ("storage", "No space left on device"),
    ],
)
def test_a_dead_hot_full_or_locked_phone_is_drained_and_comes_back(
    fleet: Fleet, simulated: Build, scripted: Scripts, code: str, words: str
) -> None:
    script = scripted(faults={0: Fault(code, words)}, ill={phone(0).key: "still ill"})
    cluster = simulated(2, script=script)
    cluster.began = lambda *_: script.ill.clear() if len(script.started) > 20 else None
    run = fleet.begin(works(40))
    fleet.head(run, cluster).carry_on()
    check_all_once(fleet, 40)
    book = DeviceBook(fleet.ledger)
    told = [(change.key, change.healthy, change.reason) for change in book.health()]
    assert told[0] == (phone(0).key, False, f"{code}: {words}")
    assert (phone(0).key, False, "still ill") in told
    assert told[-1] == (phone(0).key, True, "the doctor found it well")
    assert all(device.drained is None for device in book.devices())
    # It measures again afterwards.
    assert phone(0).key in {key for _, key in script.started[25:]}
    assert any(f"pixel7/00000000 is drained: {code}: {words}" in line for line in fleet.said)
    assert "pixel7/00000000 is back" in fleet.said


def test_a_hot_record_is_kept_and_its_phone_drained(fleet: Fleet, simulated: Build, scripted: Scripts) -> None:
    hot = {"invalid": (invalidity(InvalidityCode.HOT, "thermal status 3"),)}
    run = fleet.begin(works(6))
    fleet.head(run, simulated(2, script=scripted(faults={0: hot}))).carry_on()
    check_all_once(fleet, 6)
    assert "pixel7/00000000 is drained: hot: thermal status 3" in fleet.said


def test_a_failed_record_of_a_dead_phone_is_no_result(fleet: Fleet, simulated: Build, scripted: Scripts) -> None:
    gone = {"status": Status.FAILED, "reason": "device-disconnected: unplugged", "launches": (), "golden_check": None}
    run = fleet.begin(works(4))
    fleet.head(run, simulated(2, script=scripted(faults={0: gone}))).carry_on()
    assert [record.status for record in fleet.store.records()] == [Status.MEASURED] * 4


def test_a_failed_artefact_is_a_result(fleet: Fleet, simulated: Build, scripted: Scripts) -> None:
    crashed = {"status": Status.FAILED, "reason": "agent-crashed: signal 11", "launches": (), "golden_check": None}
    script = scripted(faults={0: crashed})
    run = fleet.begin(works(2))
    fleet.head(run, simulated(1, script=script)).carry_on()
    assert len(script.started) == 2
    assert [record.status for record in fleet.store.records()] == [Status.FAILED, Status.MEASURED]


def test_a_job_that_fails_everywhere_ends(fleet: Fleet, simulated: Build, scripted: Scripts) -> None:
    faults = dict.fromkeys(range(5), Fault("transport-failed", "bad cable"))
    run = fleet.begin(works(1))
    ended = fleet.head(run, simulated(6, script=scripted(faults=faults))).carry_on()
    assert ended.counts[JobState.FAILED] == 1
    assert ended.failures == [("tiny onnx-fp32 image", "begun 5 times in vain, at last: transport-failed: bad cable")]
    assert fleet.record_ids() == []


def test_what_no_device_can_do_fails_at_once(fleet: Fleet, simulated: Build, scripted: Scripts) -> None:
    script = scripted(faults={0: Fault("device-unsupported", "pixel7 cannot run any of the artefacts")})
    run = fleet.begin(works(2))
    ended = fleet.head(run, simulated(2, script=script)).carry_on()
    assert (ended.counts[JobState.DONE], ended.counts[JobState.FAILED]) == (1, 1)
    assert len(script.started) == 2


def test_a_device_that_another_bench_holds_is_left_alone_for_a_while(
    fleet: Fleet, simulated: Build, scripted: Scripts
) -> None:
    script = scripted(faults=dict.fromkeys(range(8), Fault("device-busy", "in use by process 4711")))
    run = fleet.begin(works(1))
    ended = fleet.head(run, simulated(1, script=script)).carry_on()
    assert ended.counts[JobState.DONE] == 1
    # More often than a job may be begun in vain: it was not begun.
    assert len(script.started) == 9


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "null",
        "{",
        "\ud800",
        '{"job_id": "x"}',
        "[" * 100_000,
        '{"job_id": "' + "0" * 64 + '", "record": "{}"}',
    ],
)
def test_hostile_answers(fleet: Fleet, simulated: Build, scripted: Scripts, answer: str) -> None:
    run = fleet.begin(works(6))
    fleet.head(run, simulated(2, script=scripted(faults={0: answer}))).carry_on()
    check_all_once(fleet, 6)
    told = [line for line in fleet.said if "is drained: " in line]
    assert len(told) == 1 and len(told[0]) < 1000 and "\n" not in told[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tag": "other"}, "another tag"),
        ({"device": None}, "not a valid"),
        ({"settings": None}, "not a valid"),
    ],
)
def test_records_of_something_else(
    fleet: Fleet, simulated: Build, scripted: Scripts, changes: dict[str, Any], words: str
) -> None:
    script = scripted()
    usual = script.answer

    def answer(job: Any, device: Any, others: Any) -> Any:
        found = usual(job, device, {})
        if len(script.started) > 1:
            return found
        import json

        content = json.loads(found.record or "") | changes
        return replace(found, record=json.dumps(content))

    script.answer = answer  # type: ignore[method-assign]
    run = fleet.begin(works(4))
    fleet.head(run, simulated(2, script=script)).carry_on()
    check_all_once(fleet, 4)
    assert any(words in line for line in fleet.said)


def test_a_host_s_clock_that_is_wrong(fleet: Fleet, simulated: Build, scripted: Scripts) -> None:
    """Its records would count as made in the future: its devices stay out of use until it is set."""
    wrong = phone(1, host="a", clock_ahead_seconds=7200.0)
    slow = phone(2, host="b", clock_ahead_seconds=-900.0)
    script = scripted()
    run = fleet.begin(works(10))
    fleet.head(
        run, simulated(phones=[wrong, slow, phone(3, host="c", clock_ahead_seconds=5.0)], script=script)
    ).carry_on()
    assert {key for _, key in script.started} == {phone(3).key}
    assert "pixel7/00000000 is drained: the clock of a is 120 minutes ahead: set it" in fleet.said
    assert "pixel7/00000000 is drained: the clock of b is 15 minutes behind: set it" in fleet.said


def test_a_user_s_drain_holds_until_he_resumes(fleet: Fleet, simulated: Build, scripted: Scripts) -> None:
    book = DeviceBook(fleet.ledger)
    book.seen([phone(0), phone(1)])
    book.drain(phone(0).key, "its screen is cracked", DrainedBy.USER)
    script = scripted()
    cluster = simulated(2, script=script)

    def began(*_: Any) -> None:
        if len(script.started) == 20:
            book.resume(phone(0).key, "by hand", also_users=True)

    cluster.began = began
    run = fleet.begin(works(40))
    fleet.head(run, cluster).carry_on()
    check_all_once(fleet, 40)
    assert {key for _, key in script.started[:20]} == {phone(1).key}
    assert phone(0).key in {key for _, key in script.started[22:]}


def test_no_device_in_use_ends_the_run_for_now(fleet: Fleet, simulated: Build, scripted: Scripts) -> None:
    ill = phone(1, obstacle="adb says 'unauthorized'")
    run = fleet.begin([*works(2), *works(2, device="galaxy-s24")])
    with pytest.raises(FleetJobsError, match=r"4 jobs wait .*pixel7/00000000: adb says 'unauthorized'"):
        fleet.head(run, simulated(phones=[ill])).carry_on()
    assert fleet.ledger.counts(run.run_id)[JobState.WAITING] == 4
    # The same command goes on.
    again = fleet.begin([*works(2), *works(2, device="galaxy-s24")])
    assert again.resumed
    fleet.head(again, simulated(phones=[phone(1), phone(2, name="galaxy-s24")])).carry_on()
    check_all_once(fleet, 4)
    assert not fleet.begin(works(1)).resumed


def test_a_store_that_is_away_for_a_while(fleet: Fleet, simulated: Build, scripted: Scripts) -> None:
    """Every fifth statement fails, before or after it was carried out."""
    calls = 0

    def fail(connection: Any, *_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls % 5 == 0:
            raise sa.exc.OperationalError("the database", {}, Exception("server closed the connection unexpectedly"))

    run = fleet.begin(works(20))
    sa.event.listen(fleet.ledger.engine, "before_cursor_execute", fail)
    sa.event.listen(fleet.store._engine, "before_cursor_execute", fail)
    sa.event.listen(fleet.ledger.engine, "commit", fail)
    sa.event.listen(fleet.store._engine, "commit", fail)
    fleet.head(run, simulated(3)).carry_on()
    sa.event.remove(fleet.ledger.engine, "before_cursor_execute", fail)
    sa.event.remove(fleet.store._engine, "before_cursor_execute", fail)
    check_all_once(fleet, 20)
    assert any("trying again in" in line for line in fleet.said)


def test_a_store_that_stays_away(fleet: Fleet, simulated: Build) -> None:
    run = fleet.begin(works(2))
    head = fleet.head(run, simulated(1))

    def fail(*_: Any) -> None:
        raise sa.exc.OperationalError("the database", {}, Exception("gone"))

    sa.event.listen(fleet.ledger.engine, "before_cursor_execute", fail)
    with pytest.raises(StoreError, match="gone"):
        head.carry_on()


def test_the_estimate_is_told(fleet: Fleet, simulated: Build) -> None:
    run = fleet.begin(works(200))
    fleet.head(run, simulated(4)).carry_on()
    told = [line for line in fleet.said if "about" in line]
    # 200 jobs of 10 s on 4 phones are 500 s; after a minute, some 440 are left.
    assert told[0].endswith("about 7 min left") and "4 devices at work" in told[0]


def test_a_lost_process_alone(fleet: Fleet, simulated: Build, scripted: Scripts) -> None:
    script = scripted()
    run = fleet.begin(works(3))
    job = fleet.ledger.waiting(run.run_id)[0]
    script.faults[0] = Lost(job.job_id, phone(0).key, "the process that measured ended", host_gone=False)
    fleet.head(run, simulated(1, script=script)).carry_on()
    check_all_once(fleet, 3)
    assert len(script.started) == 4
