"""The `fleet` command: joins hosts to one bench, shows devices and queues, takes devices out of use.

Heavy imports live inside the functions: `--help` must not wait for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pocketclip.benchmark.commands.options import DevicesOption, StoreOption
from pocketclip.benchmark.default_store import DEFAULT_STORE
from pocketclip.models.terminal import command_line
from pocketclip.models.untrusted.printable import printable_line

DeviceArgument = Annotated[str, typer.Argument(help="NAME/KEY, or one of the two, as `fleet status` shows them.")]
AppOption = Annotated[Path | None, typer.Option("--app", help="The measuring app for phones, as for bench.")]
CoresOption = Annotated[
    int | None, typer.Option("--cores", min=0, help="Cores for exports and trainings, 0 for none (default: all).")
]

fleet_app = typer.Typer(help="Joins hosts with devices to one bench; shows and drains them.", no_args_is_help=True)


@fleet_app.command("start", no_args_is_help=True)
def start_command(
    listen: Annotated[
        str, typer.Option("--listen", help="This computer's address for the others: HOST:PORT, or HOST for port 6379.")
    ],
    app: AppOption = None,
    cores: CoresOption = None,
    devices: DevicesOption = None,
) -> None:
    """Starts a fleet that hosts may join, with this computer as the first. Runs until Ctrl-C."""
    from pocketclip.benchmark import api

    api.start_fleet(listen, devices=devices, app=app, cores=cores, on_ready=_say_started)


@fleet_app.command("join", no_args_is_help=True)
def join_command(
    address: Annotated[str, typer.Argument(help="ray://HOST:PORT, as `fleet start` says.")],
    app: AppOption = None,
    cores: CoresOption = None,
    devices: DevicesOption = None,
) -> None:
    """Joins a fleet with this computer's devices. Runs until Ctrl-C."""
    from pocketclip.benchmark import api

    api.join_fleet(address, devices=devices, app=app, cores=cores, on_ready=_say_ready)


def _say_ready(words: str) -> None:
    print(printable_line(words), flush=True)


def _say_started(words: str) -> None:
    _say_ready(words)
    command_line.note("hosts need the token in ~/.ray/auth_token; who has it may run programs here")


@fleet_app.command("run", no_args_is_help=True)
def run_command(
    commands: Annotated[
        list[str], typer.Argument(help='Commands of PocketCLIP in quotes, e.g. "eval --artifact artifacts/mine".')
    ],
    cluster: Annotated[
        str, typer.Option("--cluster", envvar="POCKETCLIP_FLEET", help="The fleet that this computer has joined.")
    ],
    cores: Annotated[int, typer.Option("--cores", min=1, help="Cores of a node for each command.")] = 1,
    folder: Annotated[
        Path, typer.Option("--folder", help="Where commands run, on every node: a folder that hosts share.")
    ] = Path(),
) -> None:
    """Runs commands on whichever nodes have room, e.g. evaluations. Shows the output of each as it ends."""
    from pocketclip.benchmark.api.fleet_nodes import joined_nodes, run_commands
    from pocketclip.benchmark.errors import FleetJobsError
    from pocketclip.models.untrusted.printable import printable

    failed = 0
    with joined_nodes(cluster) as nodes:
        for ended in run_commands(nodes, commands, cores=cores, folder=folder.resolve()):
            command_line.note(f"{printable_line(ended.node)}: pocketclip {printable_line(ended.command)}")
            print(printable(ended.output), end="", flush=True)
            if ended.exit_code:
                failed += 1
                command_line.note(f"failed with exit code {ended.exit_code}")
    if failed:
        raise FleetJobsError(f"{failed} of {len(commands)} commands failed", fix="see their outputs above")


@fleet_app.command("status")
def status_command(store: StoreOption = DEFAULT_STORE) -> None:
    """Shows devices, queues with the time they take, health over time, and units that differ from their model."""
    from pocketclip.benchmark import api
    from pocketclip.benchmark.commands.fleet_tables import print_status

    print_status(api.fleet_status(store, compare_units=True))


@fleet_app.command("drain", no_args_is_help=True)
def drain_command(
    device: DeviceArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why, as `fleet status` shall show it.")],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Takes a device out of use until `fleet resume`. What it measures just now is finished."""
    from pocketclip.benchmark import api

    command_line.note(f"drained {printable_line(api.drain_device(device, reason, store=store))}")


@fleet_app.command("resume", no_args_is_help=True)
def resume_command(device: DeviceArgument, store: StoreOption = DEFAULT_STORE) -> None:
    """Takes a drained device into use again."""
    from pocketclip.benchmark import api

    name, changed = api.resume_device(device, store=store)
    command_line.note(f"{printable_line(name)} is in use again" if changed else f"{printable_line(name)} was in use")
