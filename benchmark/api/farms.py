"""Bench on hosted farms of devices."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.benchmark.api.bench_options import BenchOptions, run_settings
from pocketclip.benchmark.api.benching import append_or_save, unsaved_error
from pocketclip.benchmark.errors import OptionError, RecordError, StoreError
from pocketclip.export.api import Artifact, folders_of
from pocketclip.models.progress import silent

if TYPE_CHECKING:
    from pocketclip.benchmark.farms.farm import Cost
    from pocketclip.benchmark.store import Record, Store

_LOG = logging.getLogger("pocketclip.benchmark")

# The options that a farm carries out; the farm's own checks say what of their values.
_COMMON = ("iterations", "accelerator", "tag", "wait")
_BY_OUR_APP = (*_COMMON, "threads", "load_mode", "min_seconds", "launches", "cooldown", "timeout", "app")
_TAKEN: dict[str, tuple[str, ...]] = {"aihub": _COMMON, "devicefarm": _BY_OUR_APP, "firebase": _BY_OUR_APP}


def bench_farm(
    artifacts: Sequence[Artifact | str | Path] | Artifact | str | Path,
    farm: str,
    *,
    accept_cost: Callable[[Cost], bool],
    options: BenchOptions | None = None,
    store: str | Path | None = None,
    on_record: Callable[[Record], object] = silent,
) -> list[Record]:
    """Measures artefacts on a hosted farm's devices.

    A job that was submitted is remembered on disk: after a crash or Ctrl-C, the same call goes on with it instead of
    paying again. `aihub` gives records of kind `farm`, which are never ranked with ours; the others ordinary ones.

    Args:
        artifacts: artefacts, folders of artefacts, or bundles.
        farm: `aihub:DEVICE`, `devicefarm:POOL`, `devicefarm:PROJECT/POOL`, `firebase:MODEL[,VERSION]` or
            `firebase:PROJECT/MODEL[,VERSION]`.
        accept_cost: told what it costs at most, before anything is submitted; nothing is if it gives false.
        options: how to measure; None means the defaults. A farm rejects options that it cannot carry out.
        store: a file or an SQLAlchemy URL for the records, written as they come; None stores none.
        on_record: called with each record as soon as it is complete.

    Returns:
        A record for each artefact, setting and device. A failure has `status` FAILED with its reason.

    Raises:
        OptionError: a value is not allowed.
        FarmError: the farm cannot be reached, does not let you in, or is at a limit; see docs/farms.md.
        StoreError: records could not be stored; each is in a file beside the store, which the message names.
    """
    from pocketclip.benchmark.farms.farm import Request, parse_place
    from pocketclip.benchmark.farms.ledger import Ledger
    from pocketclip.benchmark.farms.running import FarmRun
    from pocketclip.benchmark.farms.table import open_farm
    from pocketclip.benchmark.measuring.bundled_artifacts import measurable_artifacts
    from pocketclip.benchmark.measuring.option_values import parse_accelerator, parse_tag
    from pocketclip.benchmark.store import open_store as open_database
    from pocketclip.export.untrained import warn_of_artifacts

    chosen = options or BenchOptions()
    place = parse_place(farm)
    _refuse_others(chosen, place.farm)
    if chosen.tag is not None:
        parse_tag(chosen.tag)
    opened = open_farm(place)
    unsaved: list[Path] = []
    with measurable_artifacts(folders_of(artifacts)) as found:
        warn_of_artifacts(found)
        request = Request(
            artifacts=found,
            # A farm tells how many cores a phone has only afterwards.
            settings=run_settings(chosen, logical_cores=0),
            accelerator=None if chosen.accelerator is None else parse_accelerator(chosen.accelerator),
            timeout_seconds=chosen.timeout,
            cooldown_seconds=chosen.cooldown,
            tag=chosen.tag,
            app=None if chosen.app is None else Path(chosen.app),
            say=_say,
        )
        works = opened.plan(request)
        run = FarmRun(opened, place, ledger=Ledger(str(place)), say=_say)
        # Opened before anything is paid for: a store that cannot be written must not cost a job.
        if store is None:
            return run.measure(works, accept=accept_cost, append=on_record, wait_seconds=chosen.wait)
        with open_database(str(store)) as database:

            def keep(record: Record) -> None:
                # An earlier bench of another version may have stored it before it was killed.
                if not _is_stored(database, record):
                    append_or_save(database, record, str(store), unsaved)
                on_record(record)

            try:
                records = run.measure(works, accept=accept_cost, append=keep, wait_seconds=chosen.wait)
            except KeyboardInterrupt:
                _LOG.warning("jobs that are at %s go on there; the same command fetches their results", place.farm)
                raise
    if unsaved:
        raise unsaved_error(unsaved, len(records), str(store))
    return records


def _is_stored(database: Store, record: Record) -> bool:
    try:
        return database.find(record.record_id) is not None
    except (StoreError, RecordError):
        return False


def _say(words: str) -> None:
    _LOG.info("%s", words)


def _refuse_others(options: BenchOptions, farm: str) -> None:
    taken = _TAKEN[farm]
    usual = BenchOptions()
    others = [
        f"--{field.name.replace('_', '-')}"
        for field in fields(BenchOptions)
        if field.name not in taken and getattr(options, field.name) != getattr(usual, field.name)
    ]
    if others:
        raise OptionError(f"--farm {farm} does not take {', '.join(others)}", fix="leave them out")
