"""The command line of `benchmark`: `bench` measures.

Heavy imports live inside the functions: `--help` must not wait for numpy or SQLAlchemy.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from pocketclip.benchmark.commands.bench_table import results_table
from pocketclip.benchmark.commands.options import DEFAULT_STORE, DevicesOption, StoreOption
from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.progress import Progress, TaskID

    from pocketclip.benchmark.records.benchmark import BenchmarkRecord


def bench_command(
    artifact: Annotated[
        list[Path],
        typer.Option("--artifact", help="An artefact's folder, a folder of artefacts, or a bundle; repeatable."),
    ],
    device: Annotated[str, typer.Option("--device", help="The device that measures.")] = "host",
    threads: Annotated[
        str, typer.Option("--threads", help="Threads the runtime may use, e.g. 1 or 1,2,4,all: a record for each.")
    ] = "1",
    cores: Annotated[
        str | None, typer.Option("--cores", help="Cores the process may use, e.g. 4-7; by default all.")
    ] = None,
    iterations: Annotated[
        int, typer.Option("--iterations", min=1, help="Steady inferences per launch, at least.")
    ] = 100,
    accelerator: Annotated[
        str | None,
        typer.Option(
            "--accelerator",
            help="cpu; on Android also xnnpack, nnapi, gpu; on iPhones all, cpu+ane, cpu+gpu. By default the one that "
            "the runtime is meant for there: xnnpack, all or cpu.",
        ),
    ] = None,
    load_mode: Annotated[
        str, typer.Option("--load-mode", help="How the model is loaded: file; on Android phones also mmap, memory.")
    ] = "file",
    min_seconds: Annotated[
        float,
        typer.Option("--min-seconds", min=0.0, help="Seconds of steady inferences per launch, at least."),
    ] = 0.0,
    launches: Annotated[
        int, typer.Option("--launches", min=1, help="Processes per artefact, interleaved between artefacts.")
    ] = 3,
    until: Annotated[
        str | None, typer.Option("--until", help="Go on launching until the median's interval is that narrow, e.g. 1%.")
    ] = None,
    budget: Annotated[str, typer.Option("--budget", help="With --until: give up after this long, e.g. 10m.")] = "10m",
    sustained: Annotated[
        str | None, typer.Option("--sustained", help="One more launch that goes on for this long, e.g. 10m: its curve.")
    ] = None,
    cooldown: Annotated[
        float,
        typer.Option("--cooldown", min=0.0, help="Seconds that the device may take to become fit, before each launch."),
    ] = 30.0,
    profile: Annotated[bool, typer.Option("--profile", help="Time by op too, in a pass of its own.")] = False,
    tag: Annotated[
        str | None, typer.Option("--tag", help="A name for these records, e.g. a release: a baseline.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=1.0, help="Seconds that one launch may take.")] = 300.0,
    wait: Annotated[
        float, typer.Option("--wait", min=0.0, help="Seconds to wait for a device that another bench holds.")
    ] = 0.0,
    app: Annotated[
        Path | None,
        typer.Option(
            "--app",
            help="The measuring app for phones: an APK, or an iPhone's .app or .ipa (default: POCKETCLIP_ANDROID_APK, "
            "POCKETCLIP_IOS_APP, or the one built).",
        ),
    ] = None,
    devices: DevicesOption = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Measures artefacts on a device: latency, load, memory and parity, every sample kept."""
    from pocketclip.benchmark.commands.option_values import (
        parse_accelerator,
        parse_cores,
        parse_duration_s,
        parse_share,
        parse_tag,
        parse_threads,
    )
    from pocketclip.benchmark.devices import open_device
    from pocketclip.benchmark.devices.leases import lease
    from pocketclip.benchmark.devices.table import find_entry, load_table
    from pocketclip.benchmark.errors import FailedArtifactsError, StoreError
    from pocketclip.benchmark.measuring.bundled_artifacts import measurable_artifacts
    from pocketclip.benchmark.measuring.plan import BenchmarkPlan, run_plan
    from pocketclip.benchmark.records.benchmark import DEVICE_DEFAULT, LoadMode, RunSettings, Status
    from pocketclip.benchmark.store import open_store
    from pocketclip.benchmark.store.database import location_name
    from pocketclip.benchmark.store.rescue import save_beside
    from pocketclip.export.untrained import warn_of_artifacts

    if tag is not None:
        # First of all: what a database cannot keep must not cost a measurement.
        tag = parse_tag(tag)
    place = location_name(store)
    table = load_table(devices)
    # Names and paths first: what is written wrong is told without the device.
    find_entry(device, table)
    finished: list[BenchmarkRecord] = []
    unsaved: list[Path] = []
    with ExitStack() as held:
        artifacts = held.enter_context(measurable_artifacts(artifact))
        warn_of_artifacts(artifacts)
        chosen = open_device(device, table, say=command_line.note, app=app)
        held.enter_context(lease(chosen.lease_key, name=device, wait_seconds=wait))
        # Opened before the first launch: a store that cannot be written must not cost a measurement.
        records = held.enter_context(open_store(store))
        progress = held.enter_context(command_line.progress())
        chosen.check()
        logical_cores = chosen.facts().logical_cores
        settings = RunSettings(
            iterations=iterations,
            minimum_seconds=min_seconds,
            launches=launches,
            cores=parse_cores(cores, logical_cores) if cores else None,
            until_share=parse_share("--until", until) if until else None,
            budget_seconds=parse_duration_s("--budget", budget) if until else None,
            sustained_seconds=parse_duration_s("--sustained", sustained) if sustained else None,
            accelerator=parse_accelerator(accelerator) if accelerator else DEVICE_DEFAULT,
            load_mode=command_line.parse_choice(LoadMode, "--load-mode", load_mode),
        )
        plan = BenchmarkPlan(
            artifacts=artifacts,
            settings=tuple(
                chosen.settings(replace(settings, threads=each)) for each in parse_threads(threads, logical_cores)
            ),
            timeout_seconds=timeout,
            cooldown_seconds=cooldown,
            profile=profile,
            tag=tag,
        )
        total = len(plan.artifacts) * len(plan.settings) * launches
        watch = _ProgressWatch(progress, progress.add_task("launching", total=total))

        def keep(record: BenchmarkRecord) -> None:
            try:
                records.append(record)
            except StoreError as error:
                # What was measured is kept all the same, and what is left is measured: the store may be back by then.
                unsaved.append(save_beside(record, store))
                command_line.note(f"{error}; the record is in {unsaved[-1]}")
            finished.append(record)

        try:
            run_plan(plan, chosen, append=keep, watch=watch)
        except KeyboardInterrupt:
            progress.stop()
            wanted = len(plan.artifacts) * len(plan.settings)
            kept = len(finished) - len(unsaved)
            command_line.note(f"{kept} of {wanted} records are kept in {place}{_beside_words(unsaved)}")
            raise
    command_line.console().print(results_table(finished))
    failed = [record for record in finished if record.status is Status.FAILED]
    for code in dict.fromkeys(reason.code for record in finished for reason in record.invalid):
        first, *others = [reason for record in finished for reason in record.invalid if reason.code is code]
        command_line.note(
            f"not ranked: {1 + len(others)} of {len(finished)} records: {code}: {first.reason}; {first.fix}"
        )
    for record in failed:
        command_line.note(f"failed: {_label(record)}: {record.reason}")
    if unsaved:
        files = " ".join(str(path) for path in unsaved)
        raise StoreError(
            f"{len(unsaved)} of {len(finished)} records could not be stored in {place}{_beside_words(unsaved)}; "
            f"take them in with `pocketclip results import {files} --store ...`"
        )
    if failed:
        raise FailedArtifactsError(
            f"{len(failed)} of {len(finished)} artefacts failed; all records are in {place}: "
            "`pocketclip results --status failed --format csv` has the reasons"
        )


def _beside_words(unsaved: Sequence[Path]) -> str:
    return f"; {len(unsaved)} are in files of their own, the first: {unsaved[0]}" if unsaved else ""


class _ProgressWatch:
    """Shows how a plan comes along on a bar."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar = bar
        self._task = task
        self._total = bar.tasks[task].total or 0

    def advance(self, label: str) -> None:
        self._bar.update(self._task, advance=1, description=label)

    def more(self, launches: int) -> None:
        self._total += launches
        self._bar.update(self._task, total=self._total)

    def note(self, message: str) -> None:
        command_line.note(message)


def _label(record: BenchmarkRecord) -> str:
    identity = record.artifact
    return f"{identity.model} {identity.target}-{identity.precision} {identity.tower}"


def bench_app() -> typer.Typer:
    """The `bench` program."""
    app = command_line.new_app("bench", "Measures exported artefacts on a device.")
    app.command()(bench_command)
    return app


def main() -> NoReturn:
    """Entry of the console script `bench`."""
    command_line.run(bench_app())
