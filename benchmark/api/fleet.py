"""Several hosts with devices as one bench."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketclip.benchmark.api.benching import unsaved_error
from pocketclip.benchmark.api.devices import known_devices
from pocketclip.benchmark.default_store import DEFAULT_STORE
from pocketclip.benchmark.errors import StoreError
from pocketclip.models.progress import silent

if TYPE_CHECKING:
    from pocketclip.benchmark.fleet.cluster import Cluster
    from pocketclip.benchmark.fleet.ledger import Run
    from pocketclip.benchmark.fleet.plan import FleetPlan
    from pocketclip.benchmark.records.benchmark import BenchmarkRecord
    from pocketclip.benchmark.store import RecordText
    from pocketclip.export.artifact.reading import Artifact

_LOG = logging.getLogger("pocketclip.benchmark")


@dataclass(frozen=True)
class FleetOutcome:
    """What became of a plan: jobs with a record, failed ones with label and reason, and what the run is called."""

    run: str
    jobs: int
    done: int
    failed: int
    failures: tuple[tuple[str, str], ...]


def bench_fleet(
    plan: str | Path,
    *,
    cluster: str | None = None,
    store: str | Path = DEFAULT_STORE,
    devices: str | Path | None = None,
    app: str | Path | None = None,
    patience: str | float | timedelta = "10m",
    on_record: Callable[[BenchmarkRecord], object] = silent,
) -> FleetOutcome:
    """Measures a plan on the devices of several hosts, each job once.

    A run that was interrupted, by SIGKILL too, goes on where it stopped when the same plan is given again.

    Args:
        plan: a TOML file; see docs/fleet.md.
        cluster: the address of a fleet that this computer has joined; None measures only on this computer's devices.
        store: a file or an SQLAlchemy URL for records and jobs, of which each is kept exactly once.
        devices: a device table of your own, for this computer's devices.
        app: the measuring app, for this computer's phones.
        patience: how long jobs wait for devices of which none is in use.
        on_record: called with each record that this process stored.

    Raises:
        FleetPlanError: the plan cannot be read, or names a device that nobody knows.
        ArtifactNotFoundError: a path of the plan holds no artefact.
        MissingPackageError: Ray is not installed.
        FleetUnreachableError, FleetLoginError, FleetVersionError: the fleet cannot be reached.
        FleetJobsError: jobs wait for devices of which none is in use.
        StoreError: the store was away for too long; records that it did not take are in files beside it.
    """
    from pocketclip.benchmark.fleet.parcels import pack
    from pocketclip.benchmark.fleet.plan import read_plan
    from pocketclip.benchmark.measuring.option_values import parse_duration_s
    from pocketclip.export.untrained import warn_of_artifacts

    path = Path(plan)
    wanted = read_plan(path)
    patience_seconds = parse_duration_s("--patience", patience)
    table = known_devices(devices)
    with ExitStack() as held:
        found, sources = _artifacts(wanted, path, held)
        warn_of_artifacts([artifact for entry in found for artifact in entry])
        connected = held.enter_context(_connected(cluster, devices, app, lambda sha256: pack(sources[sha256])))
        return run_plan_on(
            connected,
            wanted,
            found,
            name=path.name,
            known=list(table),
            store=str(store),
            patience_seconds=patience_seconds,
            on_record=on_record,
        )


def run_plan_on(
    cluster: Cluster,
    plan: FleetPlan,
    artifacts: Sequence[Sequence[Artifact]],
    *,
    name: str,
    known: Sequence[str],
    store: str,
    patience_seconds: float = 600.0,
    on_record: Callable[[BenchmarkRecord], object] = silent,
) -> FleetOutcome:
    """Carries a plan out on any cluster; see `bench_fleet`."""
    from pocketclip.benchmark.fleet.heads import living_head
    from pocketclip.benchmark.fleet.jobs import JobState, plan_key, plan_works
    from pocketclip.benchmark.fleet.ledger import open_ledger
    from pocketclip.benchmark.fleet.running import FleetRun
    from pocketclip.benchmark.fleet.targets import resolve_targets
    from pocketclip.benchmark.fleet.timing import Timing
    from pocketclip.benchmark.records.benchmark import BenchmarkRecord
    from pocketclip.benchmark.store import open_store
    from pocketclip.benchmark.store.codec import decode
    from pocketclip.benchmark.store.rescue import save_beside

    unsaved: list[Path] = []

    def kept(texts: Sequence[RecordText]) -> None:
        for text in texts:
            record = decode(text)
            assert isinstance(record, BenchmarkRecord)
            on_record(record)

    def rescue(texts: Sequence[RecordText]) -> None:
        unsaved.extend(save_beside(decode(text), store) for text in texts)

    targets = resolve_targets(plan, cluster.devices(), known)
    works = plan_works(plan, artifacts, targets, _say)
    with open_store(store) as records, open_ledger(store) as ledger, living_head(ledger) as head:
        run = ledger.begin(plan_key(plan, artifacts), name[:200], works)
        _LOG.info("%s", _begun(run))
        fleet = FleetRun(
            run, head, cluster, ledger, records, _say, kept, rescue, timing=Timing(patience=patience_seconds)
        )
        try:
            ended = fleet.carry_on()
        except StoreError as error:
            if unsaved:
                raise unsaved_error(unsaved, len(unsaved), store) from error
            raise
        except KeyboardInterrupt:
            _LOG.warning("what is measured is kept; the same command goes on with what is missing")
            raise
        finally:
            cluster.close()
    return FleetOutcome(
        f"{run.name}, run {run.number}",
        run.jobs,
        ended.counts[JobState.DONE],
        ended.counts[JobState.FAILED],
        tuple(ended.failures),
    )


def start_fleet(
    listen: str,
    *,
    devices: str | Path | None = None,
    app: str | Path | None = None,
    cores: int | None = None,
    on_ready: Callable[[str], object] = silent,
) -> None:
    """Starts a fleet that hosts may join, with this computer as its first host; returns when it is ended (Ctrl-C).

    Args:
        listen: the address of this computer that the others reach it by, `HOST:PORT` or `HOST`.
        devices: a device table of your own.
        app: the measuring app for phones.
        cores: what exports and trainings may take here; None means all. With 0, only devices are measured here.
        on_ready: told in words when hosts may join.

    Raises:
        MissingPackageError: Ray is not installed.
        FleetUnreachableError: Ray does not start.
    """
    _serve(listen, head=True, devices=devices, app=app, cores=cores, on_ready=on_ready)


def join_fleet(
    address: str,
    *,
    devices: str | Path | None = None,
    app: str | Path | None = None,
    cores: int | None = None,
    on_ready: Callable[[str], object] = silent,
) -> None:
    """Joins a fleet with this computer's devices; returns when it is ended (Ctrl-C), or raises when the fleet ends.

    Args:
        address: what `start_fleet` listens on, `ray://HOST:PORT` or `HOST:PORT`.
        devices: a device table of your own.
        app: the measuring app for phones.
        cores: what exports and trainings may take here; None means all. With 0, only devices are measured here.
        on_ready: told in words when this computer has joined.

    Raises:
        MissingPackageError: Ray is not installed.
        FleetUnreachableError: nothing answers there.
        FleetLostError: the fleet has ended, or lost this host.
        FleetLoginError: the fleet does not take this computer's token.
        FleetVersionError: it has other versions of Ray or Python.
    """
    _serve(address, head=False, devices=devices, app=app, cores=cores, on_ready=on_ready)


def _artifacts(plan: FleetPlan, path: Path, held: ExitStack) -> tuple[list[list[Artifact]], dict[str, Path]]:
    """The artefacts of each entry, and by their hashes the folders that hosts get."""
    from pocketclip.benchmark.fleet.jobs import entry_paths
    from pocketclip.benchmark.measuring.bundled_artifacts import measurable_artifacts
    from pocketclip.export.artifact.names import BUNDLE_NAME

    sources: dict[str, Path] = {}
    entries: list[list[Artifact]] = []
    for paths in entry_paths(plan, path.parent):
        found: dict[str, Artifact] = {}
        for each in paths:
            bundle = (each / BUNDLE_NAME).is_file()
            for artifact in held.enter_context(measurable_artifacts([each])):
                found.setdefault(artifact.manifest.sha256, artifact)
                sources.setdefault(artifact.manifest.sha256, each if bundle else artifact.folder)
        entries.append(list(found.values()))
    return entries, sources


@contextmanager
def _connected(
    address: str | None,
    devices: str | Path | None,
    app: str | Path | None,
    parcels: Callable[[str], dict[str, bytes]],
) -> Iterator[Cluster]:
    from pocketclip.benchmark.fleet.ray_cluster import RayCluster
    from pocketclip.benchmark.fleet.ray_host import served
    from pocketclip.benchmark.fleet.ray_setup import joined_ray, local_ray, parse_address

    if address is not None:
        with joined_ray(parse_address(address, "--cluster")) as ray:
            yield RayCluster(ray, parcels, _say)
        return
    with local_ray() as ray, served(ray, _side(devices, app), cores=os.cpu_count() or 1):
        yield RayCluster(ray, parcels, _say)


def _serve(
    text: str,
    *,
    head: bool,
    devices: str | Path | None,
    app: str | Path | None,
    cores: int | None,
    on_ready: Callable[[str], object],
) -> None:
    from pocketclip.benchmark.fleet.ray_join import serve_host
    from pocketclip.benchmark.fleet.ray_setup import parse_address

    address = parse_address(text, "--listen" if head else "ADDRESS")
    # Read once before anything starts: a mistake in it is told at once.
    known_devices(devices)
    given = (os.cpu_count() or 1) if cores is None else cores
    serve_host(address, _side(devices, app), head=head, cores=given, say=_say, on_ready=on_ready)


def _side(devices: str | Path | None, app: str | Path | None) -> Any:
    from pocketclip.benchmark.fleet.host import BenchHost

    return BenchHost(
        None if devices is None else Path(devices).resolve(),
        None if app is None else Path(app).resolve(),
        name=socket.gethostname()[:200],
    )


def _begun(run: Run) -> str:
    how = "going on with" if run.resumed else "began"
    return f"{how} {run.name}, run {run.number}: {run.jobs} jobs"


def _say(words: str) -> None:
    _LOG.info("%s", words)
