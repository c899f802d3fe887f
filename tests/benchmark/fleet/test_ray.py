"""Two Ray nodes on this machine with test phones: hosts, heads and databases end in the middle of a plan."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("ray", reason="Ray is not installed")

from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.store import open_store
from pocketclip.benchmark.store.codec import encode
from pocketclip.export.artifact.reading import Artifact
from tests.benchmark.store.conftest import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[3]
UNITS = {"a": ("aaaaaaaaaaaaaaa1", "aaaaaaaaaaaaaaa2"), "b": ("bbbbbbbbbbbbbbb1", "bbbbbbbbbbbbbbb2")}
# Two artefacts, twenty times each.
JOBS = 40


@dataclass
class Bench:
    """Two hosts, and what is needed for heads. Processes are ended at the end, with all that they began."""

    folder: Path
    address: str
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *words: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmark.fleet.ray_programs", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), **(environment or {})},
        )
        self.processes.append(process)
        return process

    def host(
        self, how: str, name: str, seconds: float = 0.5, units: tuple[str, ...] | None = None, cores: int = 1
    ) -> Any:
        chosen = ",".join(UNITS[name] if units is None else units)
        process = self.start("host", how, self.address, str(self.folder), name, chosen, str(seconds), str(cores))
        line = next_line(process)
        if f"{name} is in the fleet at ray://{self.address}" not in line:
            process.kill()
            raise AssertionError(line + process.communicate()[0])
        return process

    def head(self, store: str, plan: Path) -> Any:
        return self.start("head", self.address, store, str(plan))

    def log(self) -> list[list[str]]:
        file = self.folder / "log"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def await_ended(self, count: int) -> None:
        deadline = time.monotonic() + 120
        while sum(words[0] == "ended" for words in self.log()) < count:
            assert time.monotonic() < deadline, [self.log(), [each.poll() for each in self.processes]]
            time.sleep(0.05)

    def await_job_on(self, host: str) -> None:
        """Waits until a phone of the host is in the midst of a job."""
        deadline = time.monotonic() + 60
        while not self.unfinished(host):
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def unfinished(self, host: str) -> set[str]:
        """The jobs that a host began and did not end."""
        jobs = {how: {words[3] for words in self.log() if words[:2] == [how, host]} for how in ("began", "ended")}
        return jobs["began"] - jobs["ended"]

    def close(self) -> None:
        for process in reversed(self.processes):
            kill_tree(process.pid)
            process.communicate(timeout=30)
        # What Ray started elsewhere in the tree of processes names its folder.
        for process in psutil.process_iter(["cmdline"]):
            if any(str(self.folder) in word for word in process.info["cmdline"] or ()):
                process.kill()


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def kill_tree(pid: int) -> None:
    try:
        tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return
    for process in tree:
        try:
            process.kill()
        except psutil.Error:
            continue


@pytest.fixture
def bench(make: Any) -> Iterator[Bench]:
    # Names of sockets are short.
    folder = Path(tempfile.mkdtemp(prefix="pc-ray-", dir="/tmp"))
    record: BenchmarkRecord = make.benchmark(launches=1)
    (folder / "template.json").write_text(encode(record).text)
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    found = Bench(folder, f"{own_address()}:{port}")
    try:
        yield found
    finally:
        found.close()
        shutil.rmtree(folder, ignore_errors=True)


def own_address() -> str:
    """This machine's address; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no network")
        return probe.getsockname()[0]


@pytest.fixture
def plan(tmp_path: Path, build_artifact: Callable[..., Artifact]) -> Path:
    for number in range(2):
        build_artifact(f"a{number}", weights_scale=1.0 + number)
    file = tmp_path / "plan.toml"
    file.write_text(
        f'version = 1\n[[bench]]\nartifacts = ["artifacts"]\ndevices = ["pixel7"]\nrepetitions = {JOBS // 2}\n'
    )
    return file


def check_every_job_once(bench: Bench, store: str, jobs: int = JOBS) -> None:
    with open_store(store, create=False) as opened:
        records = opened.records()
    assert len(records) == len({each.record_id for each in records}) == jobs
    per_artifact = Counter(each.artifact.sha256 for each in records)
    assert sorted(per_artifact.values()) == [jobs // 2] * 2


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_node_killed_half_way(
    bench: Bench, plan: Path, tmp_path: Path, request: pytest.FixtureRequest, database: str
) -> None:
    store = str(tmp_path / "s.sqlite") if database == "sqlite" else request.getfixturevalue("postgres")
    bench.host("start", "a")
    host = bench.host("join", "b", 1.0)
    head = bench.head(store, plan)
    bench.await_ended(JOBS // 2)
    bench.await_job_on("b")
    kill_tree(host.pid)
    output, _ = head.communicate(timeout=200)
    assert f"done {JOBS} failed 0" in output, output
    check_every_job_once(bench, store)
    log = bench.log()
    began = Counter(words[3] for words in log if words[0] == "began")
    assert len(began) == JOBS
    # What was on the lost host is measured again on the other one, and nothing else is.
    again = [job for job, count in began.items() if count > 1]
    lost = bench.unfinished("b")
    assert 1 <= len(lost) <= 2 and lost <= set(again) and len(again) <= 4
    assert {words[1] for words in log if words[0] == "ended"} == {"a", "b"}
    # A parcel travels to a host once.
    fetched = Counter((words[1], words[2]) for words in log if words[0] == "fetched")
    assert set(fetched.values()) == {1} and len(fetched) == 4, fetched
    # One job at a time on a phone.
    for unit in (unit for units in UNITS.values() for unit in units):
        mine = [words[0] for words in log if words[0] in ("began", "ended") and words[2] == unit]
        assert all(first != second for first, second in itertools.pairwise(mine)), mine


def test_postgresql_restarted_in_the_middle(bench: Bench, plan: Path) -> None:
    """It crashes, twice, and is away for some seconds."""
    server = Server()
    try:
        server.start()
        store = server.url.render_as_string(hide_password=False)
        bench.host("start", "a", 0.3)
        head = bench.head(store, plan)
        for part in (1, 2):
            bench.await_ended(part * JOBS // 3)
            server.stop(signal.SIGQUIT)
            time.sleep(3)
            server.start()
        output, _ = head.communicate(timeout=200)
        assert f"done {JOBS} failed 0" in output and "trying again in" in output, output
        check_every_job_once(bench, store)
    finally:
        server.remove()


def test_a_killed_head_and_the_same_command(bench: Bench, plan: Path, tmp_path: Path) -> None:
    store = str(tmp_path / "s.sqlite")
    bench.host("start", "a", 0.3)
    head = bench.head(store, plan)
    bench.await_ended(JOBS // 4)
    os.kill(head.pid, signal.SIGKILL)
    head.wait(30)
    again = bench.head(store, plan)
    output, _ = again.communicate(timeout=200)
    assert "going on with plan.toml, run 1: 40 jobs" in output and f"done {JOBS} failed 0" in output, output
    check_every_job_once(bench, store)


def test_work_for_cores_survives_a_lost_node(bench: Bench) -> None:
    """Calls spread over both nodes; those of the node that is killed are carried out on the other one."""
    bench.host("start", "a")
    host = bench.host("join", "b")
    calls = bench.start("nodes", bench.address, str(bench.folder), "16")
    bench.await_ended(6)
    kill_tree(host.pid)
    output, _ = calls.communicate(timeout=120)
    results = {number: str(number) for number in range(16)} | {3: "the third one fails"}
    assert str(results) in output, output
    assert "no node of the fleet has 64 cores for this; the largest has 1" in output
    log = bench.log()
    assert len({words[1] for words in log}) == 2
    # No node has more than one at a time.
    for node in {words[1] for words in log}:
        running = 0
        for words in log:
            if words[1] == node and words[2] != "3":
                running += 1 if words[0] == "began" else -1
                assert running <= 1


def test_a_host_that_gives_no_core_measures_all_the_same(bench: Bench, plan: Path, tmp_path: Path) -> None:
    store = str(tmp_path / "s.sqlite")
    bench.host("start", "a", 0.05, cores=0)
    output, _ = bench.head(store, plan).communicate(timeout=200)
    assert f"done {JOBS} failed 0" in output, output
    check_every_job_once(bench, store)
    output, _ = bench.start("nodes", bench.address, str(bench.folder), "1").communicate(timeout=120)
    assert "no node of the fleet has 1 cores for this; the largest has 0" in output


REFUSED = """
import sys
import ray
ray.__version__ = sys.argv[2] or ray.__version__
from pocketclip.benchmark.errors import FleetError
from pocketclip.benchmark.fleet.ray_setup import parse_address, probe
try:
    probe(parse_address(sys.argv[1]))
except FleetError as error:
    print(error.code, error)
"""


def test_a_host_that_is_not_let_in(bench: Bench) -> None:
    """Another version of Ray, and another token: within seconds, in one line."""

    def refused(version: str, **environment: str) -> str:
        started = time.monotonic()
        ended = subprocess.run(
            [sys.executable, "-c", REFUSED, bench.address, version],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT), **environment},
            check=True,
        )
        assert time.monotonic() - started < 30
        return ended.stdout

    bench.host("start", "a")
    assert refused("") == ""
    version = refused("2.59.0")
    assert version.startswith("fleet-version ") and "this computer Ray 2.59.0" in version
    assert "has Ray 2.6" in version and version.count("\n") == 1
    token = refused("", RAY_AUTH_TOKEN="0" * 64)
    assert token.startswith("fleet-login ") and "does not take this computer's token" in token


def test_only_this_computer_reaches_an_embedded_fleet(tmp_path: Path) -> None:
    """Its ports are on the loopback interface; nothing is reported to Ray's makers."""
    program = (
        "import os, psutil\n"
        "from pocketclip.benchmark.fleet.ray_setup import local_ray\n"
        "with local_ray() as ray:\n"
        "    ray.get(ray.remote(lambda: 1).remote())\n"
        "    tree = [psutil.Process(), *psutil.Process().children(recursive=True)]\n"
        "    found = [c for p in tree for c in p.net_connections('inet') if c.status == 'LISTEN']\n"
        "    print(len(found), {c.laddr.ip for c in found}, os.environ['RAY_USAGE_STATS_ENABLED'])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=120, check=True
    )
    count, _, words = ended.stdout.strip().partition(" ")
    assert int(count) > 3
    assert set(words[words.index("{") : words.index("}")].strip("{} ").replace("'", "").split(", ")) <= {
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "::1",
    }
    assert words.endswith(" 0")


def test_the_first_computer_is_lost(bench: Bench) -> None:
    """A host that joined says so in one line, before Ray would end it without a word."""
    first = bench.host("start", "a")
    joined = bench.host("join", "b")
    kill_tree(first.pid)
    started = time.monotonic()
    output, _ = joined.communicate(timeout=58)
    assert joined.returncode == 1 and time.monotonic() - started < 55
    (line,) = [each for each in output.splitlines() if each.startswith("fleet-lost ")]
    assert "does not answer any more" in line or "has ended, or lost this host" in line


def test_two_heads_with_one_store(bench: Bench, plan: Path, tmp_path: Path) -> None:
    store = str(tmp_path / "s.sqlite")
    bench.host("start", "a", 0.3)
    heads = [bench.head(store, plan), bench.head(store, plan)]
    outputs = [head.communicate(timeout=200)[0] for head in heads]
    assert all(f"done {JOBS} failed 0" in output for output in outputs), outputs
    check_every_job_once(bench, store)
    began = Counter(words[3] for words in bench.log() if words[0] == "began")
    assert set(began.values()) == {1}
