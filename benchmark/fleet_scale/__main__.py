"""`python -m pocketclip.benchmark.fleet_scale`: the figures and the picture of docs/fleet.md."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketclip.benchmark.fleet_scale.measuring import ScaleFigures

app = command_line.new_app(
    "pocketclip.benchmark.fleet_scale", "Measures a fleet's head against thousands of simulated phones."
)


@app.command()
def scale_command(
    phones: Annotated[
        str, typer.Option("--phones", help="Numbers of phones, with commas between them.")
    ] = "1,10,100,300,1000,3000,10000",
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, help="Jobs at most; ten for each phone, at least 500.")
    ] = 10_000,
    job_seconds: Annotated[float, typer.Option("--job-seconds", min=0.1, help="What a phone takes for a job.")] = 60.0,
    store: Annotated[
        str | None,
        typer.Option("--store", help="An empty store, for one number of phones (default: SQLite, fresh for each)."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="An SVG file for the picture.")] = None,
    ray: Annotated[bool, typer.Option("--ray", help="Measure what Ray itself costs for a job instead.")] = False,
) -> None:
    """Runs whole plans on simulated phones; says what a job costs the head, and how many jobs an hour come through."""
    from pocketclip.benchmark.errors import OptionError
    from pocketclip.benchmark.fleet_scale.measuring import measure_in
    from pocketclip.models.processes import worker_pool
    from pocketclip.models.untrusted.numbers import parse_whole

    if ray:
        _ray()
        return
    counts = [parse_whole(each) or 0 for each in phones.split(",")]
    if not all(0 < each <= 100_000 for each in counts):
        raise OptionError(f"--phones takes numbers from 1 to 100000 with commas between them, got {phones!r}")
    if store is not None and len(counts) > 1:
        raise OptionError("--store is for one number of phones", fix="give --phones 1000, or leave --store out")
    found: list[ScaleFigures] = []
    # A process for each: the memory of one must not hide that of another.
    for count in counts:
        with worker_pool(1, ended="a measurement was ended from outside", fix="run it again") as pool:
            found.append(pool.submit(measure_in, store, count, min(jobs, max(500, 10 * count)), job_seconds).result())
        command_line.note(f"{count} phones: {found[-1].jobs_per_hour:,.0f} jobs an hour")
    print(_markdown(found), end="")
    if out is not None:
        from pocketclip.benchmark.fleet_scale.picture import draw

        draw(found, out)
        command_line.note(f"wrote {out}")


def _ray() -> None:
    from pocketclip.benchmark.fleet_scale.phones import answer_bytes
    from pocketclip.benchmark.fleet_scale.ray_costs import measure_ray

    size = answer_bytes()
    found = measure_ray(size)
    print(f"an answer: {size / 1e3:.1f} kB")
    print(f"Ray, of the head's processor: {found.processor_ms_per_job:.2f} ms a job")
    print(f"one look at {found.pending:,} jobs that run: {found.look_ms:.1f} ms")
    print(f"memory of a Ray process on a host: {found.worker_bytes / 1e6:.0f} MB")


def _markdown(found: Sequence[ScaleFigures]) -> str:
    lines = [
        f"Jobs of {found[0].job_seconds:g} s on simulated phones, {found[0].database}.",
        "",
        "| phones | jobs | processor, ms a job | head, ms a job | records | ledger | jobs an hour | of the phones' own "
        "| memory, MB | more |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for each in found:
        share = each.ideal_seconds / each.simulated_seconds
        cells = [
            f"{each.phones:,}",
            f"{each.jobs:,}",
            f"{each.processor_ms_per_job:.1f}",
            f"{each.head_ms_per_job:.1f}",
            f"{1e3 * each.store_seconds / each.jobs:.1f}",
            f"{1e3 * each.ledger_seconds / each.jobs:.1f}",
            f"{each.jobs_per_hour:,.0f}",
            f"{share:.0%}",
            f"{each.peak_bytes / 1e6:.0f}",
            f"{(each.peak_bytes - each.before_bytes) / 1e6:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Entry of the command."""
    command_line.run(app)


if __name__ == "__main__":
    main()
