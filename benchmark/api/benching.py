"""Bench: measures artefacts on a device."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.benchmark.api.bench_options import BenchOptions, make_plan
from pocketclip.benchmark.api.devices import known_devices
from pocketclip.benchmark.api.stores import shown_location
from pocketclip.benchmark.errors import StoreError
from pocketclip.export.api import Artifact, folders_of
from pocketclip.models.progress import OnProgress, Progress, silent

if TYPE_CHECKING:
    from pocketclip.benchmark.records.benchmark import BenchmarkRecord
    from pocketclip.benchmark.store import Record, Store

_LOG = logging.getLogger("pocketclip.benchmark")


def bench(
    artifacts: Sequence[Artifact | str | Path] | Artifact | str | Path,
    device: str = "host",
    *,
    options: BenchOptions | None = None,
    store: str | Path | None = None,
    on_progress: OnProgress = silent,
    on_record: Callable[[BenchmarkRecord], object] = silent,
) -> list[BenchmarkRecord]:
    """Measures artefacts on a device: latency, load time, memory and parity. Keeps every sample.

    Args:
        artifacts: artefacts, folders of artefacts, or bundles.
        device: a name from `pocketclip devices`.
        options: how to measure; None means the defaults.
        store: a file or an SQLAlchemy URL for the records, written as they come; None stores none.
        on_progress: called with each launch.
        on_record: called with each record as soon as it is complete.

    Returns:
        A record for each artefact and setting. A failure has `status` FAILED with its reason and raises nothing.

    Raises:
        OptionError: a value of `options` is not allowed.
        ArtifactNotFoundError: a path holds no artefact.
        UnknownDeviceError: no table knows the device.
        DeviceNotFoundError and others: the device cannot be reached or cannot run any of the artefacts.
        StoreError: records could not be stored; each is in a file beside the store, which the message names.
    """
    from pocketclip.benchmark.devices import open_device
    from pocketclip.benchmark.devices.leases import lease
    from pocketclip.benchmark.devices.table import find_entry
    from pocketclip.benchmark.measuring.bundled_artifacts import measurable_artifacts
    from pocketclip.benchmark.measuring.option_values import parse_tag
    from pocketclip.benchmark.measuring.plan import run_plan
    from pocketclip.benchmark.store import open_store as open_database
    from pocketclip.export.untrained import warn_of_artifacts

    chosen = options or BenchOptions()
    if chosen.tag is not None:
        # First of all: what a database cannot keep must not cost a measurement.
        parse_tag(chosen.tag)
    table = known_devices(chosen.devices)
    app = None if chosen.app is None else Path(chosen.app)
    # Names and paths first: what is written wrong is told without the device.
    find_entry(device, table)
    finished: list[BenchmarkRecord] = []
    unsaved: list[Path] = []
    with ExitStack() as held:
        found = held.enter_context(measurable_artifacts(folders_of(artifacts)))
        warn_of_artifacts(found)
        opened = open_device(device, table, say=lambda words: _LOG.info("%s", words), app=app)
        held.enter_context(lease(opened.lease_key, name=device, wait_seconds=chosen.wait))
        # Opened before the first launch: a store that cannot be written must not cost a measurement.
        database = None if store is None else held.enter_context(open_database(str(store)))
        opened.check()
        plan = make_plan(found, opened, chosen)
        watch = LaunchWatch(on_progress, len(plan.artifacts) * len(plan.settings) * chosen.launches)

        def keep(record: BenchmarkRecord) -> None:
            if database is not None:
                append_or_save(database, record, str(store), unsaved)
            finished.append(record)
            on_record(record)

        try:
            run_plan(plan, opened, append=keep, watch=watch)
        except KeyboardInterrupt:
            if store is not None:
                _LOG.warning("%s", _kept(len(finished), len(plan.artifacts) * len(plan.settings), unsaved, str(store)))
            raise
    if unsaved:
        raise unsaved_error(unsaved, len(finished), str(store))
    return finished


def append_or_save(database: Store, record: Record, store: str, unsaved: list[Path]) -> None:
    """Appends a record; one that the store does not take is kept in a file, whose path joins `unsaved`.

    What is left can be measured all the same: the store may be back by then.
    """
    from pocketclip.benchmark.store.rescue import save_beside

    try:
        database.append(record)
    except StoreError as error:
        unsaved.append(save_beside(record, store))
        _LOG.warning("%s; the record is in %s", error, unsaved[-1])


def unsaved_error(unsaved: Sequence[Path], finished: int, store: str) -> StoreError:
    """The error of a bench some of whose records are in files beside the store."""
    files = " ".join(str(path) for path in unsaved)
    return StoreError(
        f"{len(unsaved)} of {finished} records could not be stored in {shown_location(store)}{_beside(unsaved)}",
        fix=f"add them with `pocketclip results import {files} --store ...`",
    )


class LaunchWatch:
    """A `measuring.plan.Watch` that calls `on_progress` for each launch."""

    def __init__(self, on_progress: OnProgress, total: int = 0) -> None:
        self._on_progress = on_progress
        self._done = 0
        self._total = total

    def advance(self, label: str) -> None:
        self._done += 1
        self._on_progress(Progress(label, self._done, self._total))

    def more(self, launches: int) -> None:
        self._total += launches

    def note(self, message: str) -> None:
        _LOG.info("%s", message)


def _kept(finished: int, wanted: int, unsaved: Sequence[Path], store: str) -> str:
    return f"{finished - len(unsaved)} of {wanted} records are kept in {shown_location(store)}{_beside(unsaved)}"


def _beside(unsaved: Sequence[Path]) -> str:
    return f"; {len(unsaved)} are in separate files, the first: {unsaved[0]}" if unsaved else ""
