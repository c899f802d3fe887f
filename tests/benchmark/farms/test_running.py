"""Works on their way, with a farm that answers what the test says: nothing is paid for twice, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pocketclip.benchmark.devices.leases import lease
from pocketclip.benchmark.errors import (
    CostNotAcceptedError,
    DeviceBusyError,
    FarmError,
    FarmLoginError,
    FarmNotFoundError,
    FarmQuotaError,
    FarmRefusedError,
    FarmResultError,
    FarmUnavailableError,
    RecordError,
)
from pocketclip.benchmark.farms.farm import (
    Cost,
    FarmName,
    JobState,
    JobStatus,
    Place,
    Request,
    Submitted,
    Work,
    parse_place,
)
from pocketclip.benchmark.farms.ledger import Ledger
from pocketclip.benchmark.farms.running import FarmRun

PLACE = Place(FarmName.AI_HUB, "a phone")
WORKS = [Work(letter * 64, f"work {letter}") for letter in "abc"]
ENDED = JobStatus(JobState.ENDED, "success")


@dataclass
class ScriptedFarm:
    """Raises the errors of each action in turn, then answers; `jobs` maps tokens to works that it took."""

    errors: dict[str, list[FarmError | None]] = field(default_factory=dict[str, list[FarmError | None]])
    took: bool = False
    job: str = "job-"
    jobs: dict[str, str] = field(default_factory=dict[str, str])
    calls: list[str] = field(default_factory=list[str])

    def _meet(self, action: str) -> None:
        self.calls.append(action)
        waiting = self.errors.get(action, [])
        error = waiting.pop(0) if waiting else None
        if error is not None:
            raise error

    def plan(self, request: Request) -> Sequence[Work]:
        return WORKS

    def cost(self, works: Sequence[Work]) -> Cost:
        return Cost(1.7 * len(works), f"{len(works)} works", "a page")

    def submit(self, work: Work, token: str) -> str:
        if self.took:
            self.jobs[token] = work.key
        self._meet("submit")
        self.jobs[token] = work.key
        return f"{self.job}{token}"

    def find(self, token: str) -> str | None:
        self._meet("find")
        return f"{self.job}{token}" if token in self.jobs else None

    def status(self, job_id: str) -> JobStatus:
        self._meet("status")
        return ENDED

    def results(self, work: Work, submitted: Submitted) -> list[Any]:
        self._meet("results")
        return [(work.key[0], submitted.record_id())]

    def failed(self, work: Work, submitted: Submitted, reason: str) -> list[Any]:
        return [(work.key[0], reason)]


def run(farm: ScriptedFarm, tmp_path: Path, works: Sequence[Work] = WORKS, **changes: Any) -> list[Any]:
    records: list[Any] = changes.pop("into", [])
    pauses: list[float] = changes.pop("pauses", [])
    place: Place = changes.pop("place", PLACE)
    run = FarmRun(farm, place, ledger=Ledger(str(place), tmp_path), say=lambda words: None, sleep=pauses.append)
    options: dict[str, Any] = {"accept": lambda cost: True, "append": records.append} | changes
    run.measure(works, **options)
    return records


def test_the_same_ids_until_they_are_stored(tmp_path: Path) -> None:
    """The store fails after a job ended: the next bench gets the same record, with the same id."""
    farm = ScriptedFarm()
    seen: list[Any] = []

    def full(record: Any) -> None:
        seen.append(record)
        raise RecordError("no")

    with pytest.raises(RecordError):
        run(farm, tmp_path, WORKS[:1], append=full)
    assert run(farm, tmp_path, WORKS[:1]) == seen
    assert farm.calls.count("submit") == 1
    assert list(tmp_path.iterdir()) == []
    assert run(farm, tmp_path, WORKS[:1]) != seen


@pytest.mark.parametrize("took", [True, False])
@pytest.mark.parametrize("away", [1, 3, 5])
def test_away_while_submitting(tmp_path: Path, took: bool, away: int) -> None:
    """Whether the job arrived or not, there is one in the end."""
    farm = ScriptedFarm({"submit": [FarmUnavailableError("away")] * away}, took=took)
    pauses: list[float] = []
    assert len(run(farm, tmp_path, WORKS[:1], pauses=pauses)) == 1
    assert len(farm.jobs) == 1
    assert farm.calls.count("submit") == (1 if took else away + 1)
    assert pauses[0] == 2.0


def test_away_for_good(tmp_path: Path) -> None:
    farm = ScriptedFarm({"submit": [FarmUnavailableError("away")] * 6})
    with pytest.raises(FarmUnavailableError, match="away"):
        run(farm, tmp_path)
    assert len(run(farm, tmp_path)) == 3
    assert sorted(farm.jobs.values()) == [work.key for work in WORKS]


@pytest.mark.parametrize("error", [FarmQuotaError("limit"), FarmLoginError("expired")])
def test_what_is_there_is_waited_for(tmp_path: Path, error: FarmError) -> None:
    """The second work meets a limit: the first is brought home, then the error is told; the rest is for the next."""
    farm = ScriptedFarm({"submit": [None, error]})
    records: list[Any] = []
    with pytest.raises(type(error)):
        run(farm, tmp_path, into=records)
    assert [each[0] for each in records] == ["a"]
    costs: list[Cost] = []
    assert len(run(farm, tmp_path, WORKS[1:], accept=lambda cost: bool(costs.append(cost)) or True)) == 2
    assert [cost.words for cost in costs] == ["2 works"]


def test_a_refused_work_is_a_record(tmp_path: Path) -> None:
    records = run(ScriptedFarm({"submit": [FarmRefusedError("too large", fix="smaller")]}), tmp_path)
    assert records[0] == ("a", "farm-refused: too large; smaller")
    assert [each[0] for each in records] == ["a", "b", "c"]


def test_refused_after_it_arrived(tmp_path: Path) -> None:
    """The client fails behind the farm's back: the job is there, and is gone on with."""
    farm = ScriptedFarm({"submit": [FarmRefusedError("odd answer")]}, took=True)
    assert [each[0] for each in run(farm, tmp_path, WORKS[:1])] == ["a"]
    assert farm.calls.count("submit") == 1


def test_a_question_that_is_refused(tmp_path: Path) -> None:
    """Whether the job is there stays open: nothing is recorded, nothing submitted again."""
    farm = ScriptedFarm({"submit": [FarmUnavailableError("away")], "find": [FarmRefusedError("no")]}, took=True)
    records: list[Any] = []
    with pytest.raises(FarmError, match="does not tell"):
        run(farm, tmp_path, WORKS[:1], into=records)
    assert records == []
    assert len(run(farm, tmp_path, WORKS[:1])) == 1
    assert farm.calls.count("submit") == 1


def test_results_that_do_not_come(tmp_path: Path) -> None:
    """A download breaks off again and again: others come home, and the next bench fetches it, without a cost."""
    farm = ScriptedFarm({"results": [FarmResultError("truncated")] * 6})
    records: list[Any] = []
    with pytest.raises(FarmResultError):
        run(farm, tmp_path, into=records)
    assert [each[0] for each in records] == ["b", "c"]
    assert [each[0] for each in run(farm, tmp_path, WORKS[:1], accept=lambda cost: pytest.fail("asked"))] == ["a"]


def test_a_job_that_is_forgotten(tmp_path: Path) -> None:
    """The farm no longer knows it: a record says so, and the same work is a new job after that."""
    farm = ScriptedFarm({"status": [FarmNotFoundError("no such job")]})
    ((_, reason),) = run(farm, tmp_path, WORKS[:1])
    assert reason == "farm-run-failed: aihub:a phone no longer knows the job: no such job"
    assert len(run(farm, tmp_path, WORKS[:1])) == 1
    assert farm.calls.count("submit") == 2


def test_interrupted_while_waiting(tmp_path: Path) -> None:
    farm = ScriptedFarm()
    stop: Callable[[str], JobStatus] = farm.status

    def interrupt(job_id: str) -> JobStatus:
        raise KeyboardInterrupt

    farm.status = interrupt  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(KeyboardInterrupt):
        run(farm, tmp_path)
    farm.status = stop  # pyright: ignore[reportAttributeAccessIssue]
    assert len(run(farm, tmp_path, accept=lambda cost: pytest.fail("asked"))) == 3
    assert len(farm.jobs) == 3


def test_the_longest_names_can_be_read_again(tmp_path: Path) -> None:
    """Of a pool as `--farm` takes it, and of a run as AWS gives it: nothing that was paid for is lost by its name."""
    farm = ScriptedFarm({"status": [FarmLoginError("the session has expired")]}, job=f"arn:{'x' * 1000}/")
    place = parse_place(f"devicefarm:{'p' * 200}")
    with pytest.raises(FarmLoginError):
        run(farm, tmp_path, WORKS[:1], place=place)
    assert len(run(farm, tmp_path, WORKS[:1], place=place)) == 1
    assert farm.calls.count("submit") == 1


def test_refused_costs(tmp_path: Path) -> None:
    farm = ScriptedFarm()
    with pytest.raises(CostNotAcceptedError):
        run(farm, tmp_path, accept=lambda cost: False)
    assert farm.calls == [] and list(tmp_path.iterdir()) == []


def test_one_bench_at_a_time(tmp_path: Path) -> None:
    farm = ScriptedFarm()
    with lease(f"farm-{WORKS[1].key}", name="another"), pytest.raises(DeviceBusyError, match="work b at aihub:a phone"):
        run(farm, tmp_path)
    assert farm.calls == []
    assert len(run(farm, tmp_path)) == 3


def test_the_same_work_twice(tmp_path: Path) -> None:
    farm = ScriptedFarm()
    assert len(run(farm, tmp_path, [WORKS[0], WORKS[0]])) == 1
    assert len(farm.jobs) == 1
