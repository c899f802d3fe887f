"""Plans: what they mean, and what is none."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pocketclip.benchmark.errors import FleetPlanError
from pocketclip.benchmark.fleet.jobs import make_jobs, plan_key, plan_works
from pocketclip.benchmark.fleet.plan import FleetPlan, read_plan
from pocketclip.benchmark.fleet.targets import resolve_targets
from pocketclip.export.artifact.reading import Artifact
from tests.benchmark.fleet.conftest import phone

BuildArtifact = Callable[..., Artifact]
ENTRY = '[[bench]]\nartifacts = ["a"]\ndevices = ["pixel7"]\n'


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], FleetPlan]:
    """Reads a plan of a text."""

    def from_text(text: str) -> FleetPlan:
        file = tmp_path / "plan.toml"
        file.write_text(text)
        return read_plan(file)

    return from_text


def test_a_plan_s_product(read: Callable[[str], FleetPlan], build_artifact: BuildArtifact) -> None:
    artifacts = [build_artifact("a"), build_artifact("b", weights_scale=2.0)]
    plan = read(
        'version = 1\n[[bench]]\nartifacts = ["a", "b"]\ndevices = ["pixel7", "galaxy-s24/*"]\nrepetitions = 2\n'
        'threads = [1, 4]\npriority = 3\ntag = "nightly"\n'
    )
    devices = [phone(1), phone(2, name="galaxy-s24"), phone(3, name="galaxy-s24")]
    works = plan_works(plan, [artifacts], resolve_targets(plan, devices, ["host"]))
    # Two artefacts, a model and two units, two numbers of threads, twice.
    assert len(works) == 2 * 3 * 2 * 2
    assert {priority for priority, _ in works} == {3}
    assert {(each.device, each.unit) for _, each in works} == {
        ("pixel7", None),
        ("galaxy-s24", phone(2).key),
        ("galaxy-s24", phone(3).key),
    }
    assert [each.repetition for _, each in works] == [0] * 12 + [1] * 12
    jobs = make_jobs("run", works)
    assert len({job.job_id for job in jobs}) == len({job.record_id for job in jobs}) == len(jobs)
    assert [job.job_id for job in make_jobs("run", works)] == [job.job_id for job in jobs]
    assert not {job.job_id for job in make_jobs("other", works)} & {job.job_id for job in jobs}


def test_the_higher_priority_of_equal_works_holds(
    read: Callable[[str], FleetPlan], build_artifact: BuildArtifact
) -> None:
    artifacts = [build_artifact("a"), build_artifact("b", weights_scale=2.0)]
    first = "[[bench]]\nartifacts = ['b']\ndevices = ['pixel7']\npriority = {}\n"
    plan = read(f"version = 1\n{ENTRY}{first.format(5)}{first.format(-5)}")
    said: list[str] = []
    works = plan_works(
        plan, [artifacts, artifacts[1:], artifacts[1:]], resolve_targets(plan, [phone(1)], []), said.append
    )
    assert [(priority, each.artifact_sha256) for priority, each in works] == [
        (0, artifacts[0].manifest.sha256),
        (5, artifacts[1].manifest.sha256),
    ]
    assert said == ["2 jobs are asked for by several entries of the plan; each is measured once"]


def test_what_tells_plans_apart(read: Callable[[str], FleetPlan], build_artifact: BuildArtifact) -> None:
    one, other = build_artifact("a"), build_artifact("b", weights_scale=2.0)
    plan = read(f"version = 1\n{ENTRY}")
    assert plan_key(plan, [[one]]) == plan_key(read(f"# the same\nversion = 1\n{ENTRY}"), [[one]])
    assert plan_key(plan, [[one]]) != plan_key(plan, [[other]])
    assert plan_key(plan, [[one]]) != plan_key(read(f"version = 1\n{ENTRY}launches = 6\n"), [[one]])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"version: Field required"),
        ("version = 2\n" + ENTRY, r"version: Input should be 1"),
        ("version = 1\n", r"bench: Field required"),
        ("version = 1\nbench = 3\n", r"bench: Input should be a valid"),
        ("version = 1\nbench = []\n", r"bench: Tuple should have at least 1"),
        ("version = 1\nbnech = 1\n" + ENTRY, r"there is no key 'bnech'; did you mean bench\?"),
        ("version = 1\n" + ENTRY + "repetition = 3\n", r"bench.0: there is no key 'repetition'; did you mean repet"),
        ("version = 1\n" + ENTRY + "zzz = 3\n", r"there is no key 'zzz'; choose among: artifacts, devices"),
        ("version = 1\n" + ENTRY + "repetitions = 0\n", r"repetitions: Input should be greater"),
        ("version = 1\n" + ENTRY + "repetitions = true\n", r"repetitions: Input should be a valid integer"),
        ("version = 1\n" + ENTRY + "cooldown = nan\n", r"NaN"),
        ("version = 1\n" + ENTRY + "cooldown = inf\n", r"Infinity|infinite|finite"),
        ("version = 1\n" + ENTRY + "threads = [1, 1]\n", r"bench.0: threads lists something twice"),
        ("version = 1\n" + ENTRY + 'load_mode = "ram"\n', r"load_mode: Input should be 'file'"),
        ("version = 1\n" + ENTRY + 'tag = "\\u0000"\n', r"tag: must be text without NUL"),
        ("version = 1\n" + ENTRY.replace("pixel7", "pix\\u001b[31m"), r"must be a device's name"),
        ("version = 1\n" + ENTRY.replace("pixel7", "a/b/c"), r"must be a device's name"),
        ("version = 1\n" + ENTRY.replace("pixel7", "pixel7/;rm"), r"must be a device's name"),
        ("version = 1\n" + ENTRY + "timeout = 2026-01-01\n", r"timeout: Input should be a valid number"),
        ("version = 1\nversion = 1\n" + ENTRY, r"is not TOML: Cannot overwrite"),
        ("a = " + "[" * 5000, r"is not TOML"),
        ("\x00", r"is not TOML"),
        ("x" * 2_000_000, r"at most 1048576 are read"),
    ],
)
def test_what_is_no_plan(read: Callable[[str], FleetPlan], text: str, words: str) -> None:
    with pytest.raises(FleetPlanError) as caught:
        read(text)
    message = str(caught.value)
    assert re.search(words, message), message
    assert "\n" not in message and "\x1b" not in message and len(message) < 2000


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FleetPlanError, match=r"cannot read .*no\.toml: No such file"):
        read_plan(tmp_path / "no.toml")
    with pytest.raises(FleetPlanError, match="it is not a regular file"):
        read_plan(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"\xff")
    with pytest.raises(FleetPlanError, match="is not TOML"):
        read_plan(tmp_path / "latin.toml")


def test_too_many_jobs(read: Callable[[str], FleetPlan], build_artifact: BuildArtifact) -> None:
    artifacts = [build_artifact(f"a{number}", weights_scale=number + 1.0) for number in range(11)]
    plan = read(f"version = 1\n{ENTRY}repetitions = 100000\n")
    with pytest.raises(FleetPlanError, match=r"makes 1,100,000 jobs, a run has at most 1,000,000"):
        plan_works(plan, [artifacts], resolve_targets(plan, [phone(1)], []))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("pixel8", r"'pixel8' is none of the fleet's; did you mean pixel7.*attached are: pixel7, galaxy-s24"),
        ("toaster", r"'toaster' is none of the fleet's; attached are: pixel7, galaxy-s24"),
        ("pixel7/abcd", r"'pixel7/abcd' is no unit that is attached; attached are: pixel7/0000000000000001"),
        ("pixel7/0000", r"'pixel7/0000' is not one unit that is attached"),
        ("iphone16-pro/*", r"'iphone16-pro/\*' is no unit that is attached; attached are: \(none\)"),
    ],
)
def test_devices_that_are_not_there(read: Callable[[str], FleetPlan], target: str, words: str) -> None:
    plan = read("version = 1\n" + ENTRY.replace("pixel7", target))
    devices = [phone(1), phone(2), phone(3, name="galaxy-s24")]
    with pytest.raises(FleetPlanError, match=words):
        resolve_targets(plan, devices, ["iphone16-pro"])


def test_a_known_device_that_is_not_there_is_waited_for(read: Callable[[str], FleetPlan]) -> None:
    plan = read("version = 1\n" + ENTRY.replace("pixel7", "iphone16-pro"))
    (wanted,) = resolve_targets(plan, [phone(1)], ["iphone16-pro"])["iphone16-pro"]
    assert (wanted.name, wanted.unit) == ("iphone16-pro", None)
