"""Programs of the tests with Ray: hosts with test phones, and a head. Each is a process that a test may kill.

python -m tests.benchmark.fleet.ray_programs host start|join HOST:PORT TEMPORARY NAME UNIT,UNIT... SECONDS
python -m tests.benchmark.fleet.ray_programs head HOST:PORT STORE PLAN
python -m tests.benchmark.fleet.ray_programs nodes HOST:PORT FOLDER CALLS
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pocketclip.benchmark.api.fleet import bench_fleet
from pocketclip.benchmark.api.fleet_nodes import joined_nodes
from pocketclip.benchmark.errors import FleetAnswerError, FleetError, RecordError
from pocketclip.benchmark.fleet.cluster import Answer, Examination, FleetDevice
from pocketclip.benchmark.fleet.host import Order
from pocketclip.benchmark.fleet.parcels import Parcel, unpacked
from pocketclip.benchmark.fleet.ray_join import serve_host
from pocketclip.benchmark.fleet.ray_setup import parse_address
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, DeviceKind, new_record_id
from pocketclip.benchmark.store.codec import encode
from pocketclip.models import documents


@dataclass(frozen=True)
class TestPhones:
    """A host whose phones take some seconds and answer with a record of a template; what they did is in a log."""

    __test__ = False

    name: str
    units: tuple[str, ...]
    seconds: float
    template: str
    folder: Path

    def announce(self) -> list[FleetDevice]:
        return [FleetDevice(unit, "pixel7", self.name, "test phone") for unit in self.units]

    def examine(self, key: str) -> str:
        return json.dumps(documents.to_builtin(Examination(key, True, "")))

    def measure(self, order: str, fetch: Callable[[], Parcel]) -> str:
        asked = documents.parse(Order, order, source="an order", error=FleetAnswerError)

        def fetched() -> Parcel:
            self._log(f"fetched {self.name} {asked.parcel}")
            return fetch()

        unpacked(asked.parcel, fetched, self.folder / f"parcels-{self.name}")
        self._log(f"began {self.name} {asked.key} {asked.job_id}")
        time.sleep(self.seconds)
        template = documents.parse(BenchmarkRecord, self.template, source="the template", error=RecordError)
        record = replace(
            template,
            record_id=new_record_id(),
            artifact=replace(template.artifact, sha256=asked.work.artifact_sha256),
            device=replace(template.device, name="pixel7", instance=asked.key, kind=DeviceKind.PHONE),
        )
        self._log(f"ended {self.name} {asked.key} {asked.job_id}")
        return json.dumps(documents.to_builtin(Answer(asked.job_id, record=encode(record).text)))

    def _log(self, line: str) -> None:
        with (self.folder / "log").open("a") as log:
            log.write(f"{line}\n")


def host(how: str, address: str, temporary: str, name: str, units: str, seconds: str, cores: str = "1") -> None:
    folder = Path(temporary)
    side = TestPhones(
        name, tuple(filter(None, units.split(","))), float(seconds), (folder / "template.json").read_text(), folder
    )
    try:
        serve_host(
            parse_address(address),
            side,
            head=how == "start",
            cores=int(cores),
            say=print,
            on_ready=lambda words: print(words, flush=True),
            temporary=str(folder / "r") if how == "start" else None,
        )
    except FleetError as error:
        # As the command line does: Ray's own hook for exceptions would wait for what is gone.
        print(error.code, error, flush=True)
        sys.exit(1)


def head(address: str, store: str, plan: str) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    outcome = bench_fleet(plan, cluster=address, store=store, patience="2m")
    print(f"done {outcome.done} failed {outcome.failed}", flush=True)


def call(number: int, folder: str) -> int:
    """Takes a moment; says where it ran."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    with (Path(folder) / "log").open("a") as log:
        log.write(f"began {node} {number}\n")
    time.sleep(1.0)
    if number == 3:
        raise FleetAnswerError("the third one fails")
    with (Path(folder) / "log").open("a") as log:
        log.write(f"ended {node} {number}\n")
    return number


def nodes(address: str, folder: str, count: str) -> None:
    from pocketclip.benchmark.fleet.nodes import Call
    from tests.benchmark.fleet import ray_programs

    with joined_nodes(address) as found:
        calls = [Call(number, ray_programs.call, (number, folder)) for number in range(int(count))]
        results = dict(found.run(calls, cores=1))
        print({key: str(result) for key, result in sorted(results.items())}, flush=True)
        try:
            list(found.run(calls, cores=64))
        except FleetError as error:
            print(error, flush=True)


if __name__ == "__main__":
    program, *words = sys.argv[1:]
    {"host": host, "head": head, "nodes": nodes}[program](*words)
