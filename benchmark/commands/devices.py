"""The `devices` command: lists devices, checks them and manages the emulated phone.

Heavy imports live inside the functions: `--help` must not wait for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.benchmark.commands.options import DevicesOption
from pocketclip.models.terminal import command_line
from pocketclip.models.untrusted.printable import printable_line

if TYPE_CHECKING:
    from pocketclip.benchmark.api import EmulatedPhone

NameArgument = Annotated[str, typer.Argument(help="A device's name; `pocketclip devices` lists them.")]

devices_app = typer.Typer(help="Lists and checks devices; manages the emulated phone.")


@devices_app.callback(invoke_without_command=True)
def devices_command(context: typer.Context, devices: DevicesOption = None) -> None:
    """Lists attached devices and known devices."""
    context.obj = devices
    if context.invoked_subcommand is None:
        _list(devices)


@devices_app.command("list")
def list_command(context: typer.Context, devices: DevicesOption = None) -> None:
    """Lists attached devices and known devices, like `devices` without a command."""
    _list(devices or context.obj)


def _list(devices: Path | None) -> None:
    from pocketclip.benchmark.api import list_devices
    from pocketclip.models.terminal.table import TerminalTable, name_column, word_column

    listed = list_devices(devices)
    attached = TerminalTable(
        columns=(name_column("device"), word_column("by"), name_column("identity"), word_column("state")),
        rows=[(each.name or "(not known)", each.transport, each.identity, each.state) for each in listed.attached],
        title="attached",
    )
    known = TerminalTable(
        columns=(
            name_column("name"),
            word_column("device"),
            word_column("by"),
            word_column("SoC"),
            word_column("cores", spare=1),
        ),
        rows=[
            (
                entry.name,
                entry.title,
                entry.transport,
                entry.soc or "",
                " + ".join(f"{cluster.count}x {cluster.core}" for cluster in entry.cores),
            )
            for entry in listed.known.values()
        ],
        title="known",
    )
    console = command_line.console()
    console.print(attached)
    console.print()
    console.print(known)
    for note in listed.notes:
        command_line.note(note)


@devices_app.command("doctor", no_args_is_help=True)
def doctor_command(
    context: typer.Context,
    name: NameArgument,
    app: Annotated[Path | None, typer.Option("--app", help="The measuring app, as for bench.")] = None,
    devices: DevicesOption = None,
) -> None:
    """Checks a device's preconditions and suggests fixes for those that are not met."""
    from pocketclip.benchmark.api import check_device
    from pocketclip.benchmark.errors import DeviceUnfitError

    failed = 0
    for finding in check_device(name, app=app, devices=devices or context.obj):
        failed += not finding.met
        # It contains text from the device.
        detail = printable_line(finding.detail)
        print(f"{'ok' if finding.met else 'failed':<7} {finding.precondition}: {detail}", flush=True)
        if finding.fix is not None:
            print(f"        fix: {printable_line(finding.fix)}", flush=True)
    if failed:
        raise DeviceUnfitError(f"{name} does not meet {failed} of its preconditions", fix="see above")


@devices_app.command("create", no_args_is_help=True)
def create_command(context: typer.Context, name: NameArgument) -> None:
    """Creates the emulated phone once. Downloads about 250 MB."""
    print(_phone(context, name).create())


@devices_app.command("start", no_args_is_help=True)
def start_command(context: typer.Context, name: NameArgument) -> None:
    """Starts the emulated phone and prints its address for adb."""
    phone = _phone(context, name)
    phone.start()
    print(f"ADB_SERVER_SOCKET={phone.server}")
    command_line.note(f"{name} is running; set this variable, and `adb shell` opens a shell in it")


@devices_app.command("stop", no_args_is_help=True)
def stop_command(context: typer.Context, name: NameArgument) -> None:
    """Stops the emulated phone and everything that runs in it."""
    command_line.note(f"stopped {name}" if _phone(context, name).stop() else f"{name} was not running")


@devices_app.command("delete", no_args_is_help=True)
def delete_command(context: typer.Context, name: NameArgument) -> None:
    """Stops the emulated phone and deletes it from the cache."""
    command_line.note(f"deleted {name}" if _phone(context, name).delete() else f"{name} did not exist")


def _phone(context: typer.Context, name: str) -> EmulatedPhone:
    from pocketclip.benchmark.api import emulated_phone

    return emulated_phone(name, devices=context.obj)
