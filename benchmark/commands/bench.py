"""The `bench` command: measures artefacts on a device.

Heavy imports live inside the functions: `--help` must not wait for numpy or SQLAlchemy.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from pocketclip.benchmark.commands.bench_table import results_table
from pocketclip.benchmark.commands.options import DevicesOption, StoreOption
from pocketclip.benchmark.default_store import DEFAULT_STORE
from pocketclip.benchmark.errors import StoreError
from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketclip.benchmark.api import BenchOptions
    from pocketclip.benchmark.records.benchmark import BenchmarkRecord
    from pocketclip.benchmark.records.farm import FarmRecord
    from pocketclip.benchmark.records.throughput import ThroughputRecord
    from pocketclip.benchmark.store import Record


def bench_command(
    context: typer.Context,
    artifact: Annotated[
        list[Path] | None,
        typer.Option("--artifact", help="An artefact's folder, a folder of artefacts, or a bundle. Repeatable."),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="Name of the device.")] = "host",
    farm: Annotated[
        str | None,
        typer.Option(
            "--farm",
            help='A hosted farm instead of --device: aihub:"Samsung Galaxy S24", devicefarm:POOL or '
            "devicefarm:PROJECT/POOL (AWS), firebase:MODEL[,VERSION] or firebase:PROJECT/MODEL[,VERSION] (Test Lab). "
            "Shows the cost and asks first.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --farm: accept the cost that is shown.")] = False,
    threads: Annotated[
        str, typer.Option("--threads", help="Runtime threads, e.g. 1 or 1,2,4,all (one record for each).")
    ] = "1",
    cores: Annotated[
        str | None, typer.Option("--cores", help="Cores for the process, e.g. 4-7 (default: all).")
    ] = None,
    iterations: Annotated[int, typer.Option("--iterations", min=1, help="Minimum steady inferences per launch.")] = 100,
    accelerator: Annotated[
        str | None,
        typer.Option(
            "--accelerator",
            help="cpu; on Android also xnnpack, nnapi, gpu, npu; on iPhones also all, cpu+ane, cpu+gpu (default: the "
            "usual one for the runtime and device: xnnpack, all or cpu).",
        ),
    ] = None,
    load_mode: Annotated[
        str, typer.Option("--load-mode", help="How to load the model: file; on Android phones also mmap, memory.")
    ] = "file",
    min_seconds: Annotated[
        float,
        typer.Option("--min-seconds", min=0.0, help="Minimum seconds of steady inferences per launch."),
    ] = 0.0,
    launches: Annotated[
        int, typer.Option("--launches", min=1, help="Processes per artefact, interleaved across artefacts.")
    ] = 5,
    until: Annotated[
        str | None,
        typer.Option("--until", help="Keep launching until the median's 95 % interval is this narrow, e.g. 1%."),
    ] = None,
    budget: Annotated[str, typer.Option("--budget", help="With --until: stop after this time, e.g. 10m.")] = "10m",
    sustained: Annotated[
        str | None,
        typer.Option("--sustained", help="Add one launch of this duration, e.g. 10m, for the sustained curve."),
    ] = None,
    cooldown: Annotated[
        float,
        typer.Option(
            "--cooldown",
            min=0.0,
            help="Maximum seconds to wait, before each launch, for the device to cool down and go idle.",
        ),
    ] = 30.0,
    profile: Annotated[bool, typer.Option("--profile", help="Also measure time by op, in a separate pass.")] = False,
    throughput: Annotated[
        Path | None,
        typer.Option(
            "--throughput",
            help="A folder of photographs: measure how many a second are decoded, resized and encoded instead, on this "
            "computer or a phone. --min-seconds (default: 5) is how long each launch encodes.",
        ),
    ] = None,
    decoders: Annotated[
        str, typer.Option("--decoders", help="With --throughput: threads that decode and resize, e.g. 1,2.")
    ] = "1",
    json_file: Annotated[Path | None, typer.Option("--json", help="With --throughput: a file for the records.")] = None,
    tag: Annotated[
        str | None, typer.Option("--tag", help="A name for these records, e.g. a release, to compare with later.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=1.0, help="Maximum seconds for one launch.")] = 300.0,
    wait: Annotated[
        float, typer.Option("--wait", min=0.0, help="Seconds to wait for a device that another bench is using.")
    ] = 0.0,
    app: Annotated[
        Path | None,
        typer.Option(
            "--app",
            help="The measuring app for phones: an APK, or an iPhone's .app or .ipa (default: POCKETCLIP_ANDROID_APK, "
            "POCKETCLIP_IOS_APP, or your last build).",
        ),
    ] = None,
    fleet: Annotated[
        bool,
        typer.Option("--fleet", help="Measure a --plan on many devices instead: this computer's, or of several hosts."),
    ] = False,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="With --fleet: a TOML file of artefacts, devices and repetitions.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            envvar="POCKETCLIP_FLEET",
            help="With --fleet: the fleet that this computer has joined (default: its own devices).",
        ),
    ] = None,
    patience: Annotated[
        str, typer.Option("--patience", help="With --fleet: how long jobs wait for devices, e.g. 10m.")
    ] = "10m",
    devices: DevicesOption = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Measures artefacts on a device: latency, load time, memory and parity. Keeps every sample."""
    from pocketclip.benchmark import api
    from pocketclip.benchmark.errors import FailedArtifactsError, OptionError
    from pocketclip.benchmark.records.benchmark import Status
    from pocketclip.benchmark.store.database import location_name

    if fleet:
        _fleet(context, plan, cluster, patience, devices=devices, app=app, store=store)
        return
    if plan is not None or _given(context, "cluster") or _given(context, "patience"):
        raise OptionError("--plan, --cluster and --patience are for --fleet", fix="give --fleet too")
    if not artifact:
        raise OptionError("--artifact is missing", fix="give --artifact FOLDER, or --fleet --plan FILE")
    if throughput is not None:
        _refuse_other_options(context, _OF_THROUGHPUT, "--throughput")
        _throughput(
            throughput,
            artifact,
            device=device,
            threads=threads,
            decoders=decoders,
            launches=launches,
            seconds=min_seconds or 5.0,
            accelerator=accelerator,
            cooldown=cooldown,
            timeout=timeout,
            wait=wait,
            app=app,
            devices=devices,
            out=json_file,
        )
        return
    if json_file is not None or decoders != "1":
        raise OptionError("--json and --decoders are for --throughput", fix="give --throughput FOLDER")
    options = api.BenchOptions(
        threads=threads,
        cores=cores,
        iterations=iterations,
        accelerator=accelerator,
        load_mode=load_mode,
        min_seconds=min_seconds,
        launches=launches,
        until=until,
        budget=budget,
        sustained=sustained,
        cooldown=cooldown,
        profile=profile,
        tag=tag,
        timeout=timeout,
        wait=wait,
        app=app,
        devices=devices,
    )
    place = location_name(store)
    if farm is not None:
        _farm(context, farm, artifact, options, yes=yes, store=store, place=place)
        return
    if yes:
        raise OptionError("--yes is for --farm", fix="leave it out")
    finished: list[BenchmarkRecord] = []
    try:
        with command_line.progress() as bar:
            show = command_line.shown_on(bar, "launching")
            api.bench(artifact, device, options=options, store=store, on_progress=show, on_record=finished.append)
    except StoreError:
        # Show what was measured even so.
        _print_finished(finished)
        raise
    _print_finished(finished)
    failed = [record for record in finished if record.status is Status.FAILED]
    if failed:
        raise FailedArtifactsError(
            f"{len(failed)} of {len(finished)} artefacts failed; all records are in {place}",
            fix="see the reasons with `pocketclip results --status failed --format csv`",
        )


# The parameters that a throughput knows.
_OF_THROUGHPUT = frozenset(
    {"artifact", "throughput", "decoders", "json_file", "threads", "launches", "min_seconds", "device", "accelerator"}
    | {"cooldown", "timeout", "wait", "app", "devices"}
)


# Those that a fleet knows; all else stands in its plan.
_OF_FLEET = frozenset({"fleet", "plan", "cluster", "patience", "devices", "app", "store"})


def _refuse_other_options(context: typer.Context, taken: frozenset[str], option: str) -> None:
    from pocketclip.benchmark.errors import OptionError

    refused = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name is not None and parameter.name not in taken and _given(context, parameter.name)
    ]
    if refused:
        raise OptionError(f"{option} does not take {', '.join(refused)}", fix="leave them out")


def _fleet(
    context: typer.Context,
    plan: Path | None,
    cluster: str | None,
    patience: str,
    *,
    devices: Path | None,
    app: Path | None,
    store: str,
) -> None:
    from pocketclip.benchmark import api
    from pocketclip.benchmark.errors import FleetJobsError, OptionError
    from pocketclip.benchmark.store.database import location_name
    from pocketclip.models.untrusted.printable import printable_line

    _refuse_other_options(context, _OF_FLEET, "--fleet")
    if plan is None:
        raise OptionError("--fleet needs a --plan", fix="give --plan FILE, see docs/fleet.md")
    if cluster and app is not None:
        raise OptionError("--app is for this computer's phones", fix="give it to `pocketclip fleet join` on their host")
    finished: list[BenchmarkRecord] = []
    try:
        outcome = api.bench_fleet(
            plan,
            cluster=cluster or None,
            store=store,
            devices=devices,
            app=app,
            patience=patience,
            on_record=finished.append,
        )
    finally:
        # What was measured is shown also where the rest could not be.
        if len(finished) <= _MOST_SHOWN:
            _print_finished(finished)
    place = location_name(store)
    command_line.note(f"{outcome.run}: {outcome.done} of {outcome.jobs} jobs have their record in {place}")
    for label, reason in outcome.failures:
        command_line.note(f"failed: {label}: {printable_line(reason)}")
    if outcome.failed:
        raise FleetJobsError(f"{outcome.failed} of {outcome.jobs} jobs failed; the others' records are in {place}")


# Of more records than these, nobody reads a table.
_MOST_SHOWN = 100


def _farm(
    context: typer.Context,
    farm: str,
    artifacts: list[Path],
    options: BenchOptions,
    *,
    yes: bool,
    store: str,
    place: str,
) -> None:
    from pocketclip.benchmark import api
    from pocketclip.benchmark.commands.farm_cost import accepted
    from pocketclip.benchmark.errors import FailedArtifactsError, OptionError

    if _given(context, "device"):
        raise OptionError("--farm and --device exclude each other", fix="give one of them")
    finished: list[Record] = []
    try:
        api.bench_farm(
            artifacts,
            farm,
            accept_cost=lambda cost: accepted(cost, yes=yes),
            options=options,
            store=store,
            on_record=finished.append,
        )
    finally:
        # What came back is shown also where the farm ended the rest.
        _print_hosted(finished)
    failed = sum(getattr(record, "status", None) == "failed" for record in finished)
    if failed:
        raise FailedArtifactsError(
            f"{failed} of {len(finished)} artefacts failed; all records are in {place}",
            fix="see the reasons with `pocketclip results --status failed --format csv`",
        )


def _print_hosted(finished: Sequence[Record]) -> None:
    from pocketclip.benchmark.records.benchmark import BenchmarkRecord
    from pocketclip.benchmark.records.farm import FarmRecord, FarmStatus
    from pocketclip.benchmark.results.table import results_table as listed

    _print_finished([record for record in finished if isinstance(record, BenchmarkRecord)])
    theirs = [record for record in finished if isinstance(record, FarmRecord)]
    if theirs:
        command_line.console().print(listed(theirs))
        command_line.note("these are the farm's own figures: no report ranks them with yours")
    for record in theirs:
        if record.status is FarmStatus.FAILED:
            command_line.note(f"failed: {_label(record)}: {record.reason}")


def _given(context: typer.Context, name: str) -> bool:
    """Whether the command line has an option."""
    # By the source's name: of click and of typer's own copy of it, the classes differ.
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _throughput(photos: Path, artifacts: list[Path], **options: Any) -> None:
    from pocketclip.benchmark import api
    from pocketclip.benchmark.commands.throughput_table import throughput_table
    from pocketclip.benchmark.errors import FailedArtifactsError

    with command_line.progress() as bar:
        records = api.bench_throughput(
            photos, artifacts, on_progress=command_line.shown_on(bar, "launching"), **options
        )
    command_line.console().print(throughput_table(records))
    _print_invalid(records)
    for words in dict.fromkeys(
        f"{launch.unreadable} photographs could not be decoded on {record.device.name} (first: "
        f"{launch.first_unreadable[0].name}: {launch.first_unreadable[0].reason})"
        for record in records
        for launch in record.launches[:1]
        if launch.first_unreadable
    ):
        command_line.note(f"left out: {words}")
    failed = [record for record in records if record.reason is not None]
    for record in failed:
        command_line.note(f"failed: {_label(record)}, {record.threads} + {record.decoders} threads: {record.reason}")
    if failed:
        raise FailedArtifactsError(f"{len(failed)} of {len(records)} throughputs failed; their reasons are above")


def _print_invalid(records: Sequence[BenchmarkRecord | ThroughputRecord]) -> None:
    for code in dict.fromkeys(reason.code for record in records for reason in record.invalid):
        first, *others = [reason for record in records for reason in record.invalid if reason.code is code]
        command_line.note(
            f"not ranked: {1 + len(others)} of {len(records)} records: {code}: {first.reason}; {first.fix}"
        )


def _print_finished(finished: Sequence[BenchmarkRecord]) -> None:
    from pocketclip.benchmark.records.benchmark import Status

    if not finished:
        return
    command_line.console().print(results_table(finished))
    _print_invalid(finished)
    for record in finished:
        if record.status is Status.FAILED:
            command_line.note(f"failed: {_label(record)}: {record.reason}")


def _label(record: BenchmarkRecord | ThroughputRecord | FarmRecord) -> str:
    identity = record.artifact
    return f"{identity.model} {identity.target}-{identity.precision} {identity.tower}"


def bench_app() -> typer.Typer:
    """The `bench` program."""
    app = command_line.new_app("bench", "Measures artefacts on a device.")
    app.command()(bench_command)
    return app


def main() -> NoReturn:
    """Entry of the console script `bench`."""
    command_line.run(bench_app())
