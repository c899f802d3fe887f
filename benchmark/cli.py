"""The command line of `benchmark`: `bench` measures, `report` writes the page.

Heavy imports live inside the functions: `--help` must not wait for numpy or SQLAlchemy.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from models import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from benchmark.devices import Device
    from benchmark.records import BenchmarkRecord

# Repeated here because `benchmark.store` brings SQLAlchemy with it; a test keeps the two equal.
DEFAULT_STORE = "results/pocketclip.sqlite"

DevicesOption = Annotated[
    Path | None,
    typer.Option("--devices", help="Your table of devices, laid over ours (default: POCKETCLIP_DEVICES)."),
]
StoreOption = Annotated[
    str, typer.Option("--store", help="Where records are kept: a SQLite file or an SQLAlchemy URL.")
]


def bench_command(
    artifact: Annotated[
        list[Path],
        typer.Option("--artifact", help="An artefact's folder, or a folder of artefacts; repeatable."),
    ],
    device: Annotated[str, typer.Option("--device", help="The device that measures.")] = "host",
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads the runtime may use.")] = 1,
    iterations: Annotated[
        int, typer.Option("--iterations", min=1, help="Steady inferences per launch, at least.")
    ] = 100,
    min_seconds: Annotated[
        float,
        typer.Option("--min-seconds", min=0.0, help="Seconds of steady inferences per launch, at least."),
    ] = 0.0,
    launches: Annotated[
        int, typer.Option("--launches", min=1, help="Processes per artefact, interleaved between artefacts.")
    ] = 3,
    timeout: Annotated[float, typer.Option("--timeout", min=1.0, help="Seconds that one launch may take.")] = 300.0,
    wait: Annotated[
        float, typer.Option("--wait", min=0.0, help="Seconds to wait for a device that another bench holds.")
    ] = 0.0,
    devices: DevicesOption = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Measures artefacts on a device: latency, load, memory and parity, every sample kept."""
    from benchmark.bench import BenchmarkPlan, run_plan
    from benchmark.devices import open_device
    from benchmark.devices.leases import lease
    from benchmark.devices.table import load_table
    from benchmark.errors import FailedArtifactsError
    from benchmark.records import RunSettings, Status
    from benchmark.store import open_store
    from export.artifact import find_artifacts

    chosen = open_device(device, load_table(devices), say=command_line.note)
    settings = RunSettings(threads=threads, iterations=iterations, minimum_seconds=min_seconds, launches=launches)
    plan = BenchmarkPlan(tuple(find_artifacts(artifact)), chosen.settings(settings), timeout)
    finished: list[BenchmarkRecord] = []
    # Opened before the first launch: a store that cannot be written must not cost a measurement.
    with (
        lease(chosen.lease_key, name=device, wait_seconds=wait),
        open_store(store) as records,
        command_line.progress() as progress,
    ):
        chosen.check()
        _warn_if_busy(chosen)
        task = progress.add_task("launching", total=len(plan.artifacts) * launches)

        def keep(record: BenchmarkRecord) -> None:
            records.append(record)
            finished.append(record)

        try:
            run_plan(
                plan,
                chosen,
                append=keep,
                watch=lambda label: progress.update(task, advance=1, description=label),
            )
        except KeyboardInterrupt:
            progress.stop()
            command_line.note(f"interrupted; {len(finished)} of {len(plan.artifacts)} records are kept in {store}")
            raise
    command_line.console().print(results_table(finished))
    failed = [record for record in finished if record.status is Status.FAILED]
    for record in failed:
        command_line.note(f"failed: {_label(record)}: {record.reason}")
    if failed:
        raise FailedArtifactsError(
            f"{len(failed)} of {len(finished)} artefacts failed; all records, with reasons, are in {store}"
        )


def report_command(
    out: Annotated[Path, typer.Option("--out", help="The HTML file to write.")] = Path("report.html"),
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Writes one self-contained HTML page from the latest records of a store."""
    from benchmark.report.render import write_report
    from benchmark.store import open_store

    with open_store(store, create=False) as records:
        write_report(out, records.benchmarks(), records.accuracies(), retrievals=records.retrievals())
    command_line.note(f"wrote {out}")


def results_table(records: Sequence[BenchmarkRecord]) -> Table:
    """One row per record; what was not timed says so instead of showing numbers."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from benchmark import formatting
    from benchmark.records import Status

    table = Table(
        caption="medians over launches; memory is the peak over what imports took",
        caption_justify="left",
        # Ten columns in 80 characters.
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    several = len({record.artifact.model for record in records}) > 1
    for name in (*(("model",) if several else ()), "target", "precision", "tower"):
        table.add_column(name, no_wrap=name != "model", overflow="fold")
    for name in ("size\nMB", "parity", "p50\nms", "p90\nms", "load\nms", "first\nms", "peak\nMB"):
        table.add_column(name, justify="right", no_wrap=True)
    counted = any(record.status is Status.COUNTED for record in records)
    if counted:
        table.add_column("million\ninstr.", justify="right", no_wrap=True)
    for record in sorted(records, key=lambda item: item.artifact.rank):
        if record.status is Status.MEASURED:
            cells = [Text(formatting.without_unit(cell)) for cell in formatting.timings(record)]
        else:
            worded = {Status.FAILED: "failed", Status.COUNTED: "counted"}.get(record.status, "untimed")
            cells = [Text(worded, "red" if record.status is Status.FAILED else "dim"), *[Text("")] * 4]
        identity = record.artifact
        table.add_row(
            *((identity.model,) if several else ()),
            identity.target,
            identity.precision,
            identity.tower,
            formatting.without_unit(formatting.megabytes(identity.model_size_bytes)),
            _parity_cell(record),
            *cells,
            *((_millions(record),) if counted else ()),
        )
    return table


def _millions(record: BenchmarkRecord) -> str:
    import statistics

    if record.instructions is None:
        return ""
    return f"{statistics.median(map(statistics.mean, record.instructions.per_inference)) / 1e6:.2f}"


def _parity_cell(record: BenchmarkRecord) -> str:
    from benchmark.formatting import UNKNOWN, cosine

    if record.golden_check is None:
        return UNKNOWN
    worst = cosine(record.golden_check.cosine_min)
    if record.parity is None:
        return f"{worst} unproved"
    return f"{worst} {'pass' if record.parity.passed else 'FAIL'}"


def _label(record: BenchmarkRecord) -> str:
    identity = record.artifact
    return f"{identity.model} {identity.target}-{identity.precision} {identity.tower}"


def _warn_if_busy(device: Device) -> None:
    load, cores = device.state().load_average, device.facts().logical_cores
    if load is not None and load > cores / 2:
        command_line.note(
            f"warning: the device is busy (load {load:.1f} on {cores} cores): latencies will vary; "
            "stop other work, or compare only what was measured in one run"
        )


def bench_app() -> typer.Typer:
    """The `bench` program."""
    app = command_line.new_app("bench", "Measures exported artefacts on a device.")
    app.command()(bench_command)
    return app


def main() -> NoReturn:
    """Entry of the console script `bench`."""
    command_line.run(bench_app())
