"""The `results` command: lists a store's records, writes them to files and adds records from other machines.

Heavy imports live inside the functions: `--help` must not wait for numpy or SQLAlchemy.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.benchmark.commands.options import StoreOption
from pocketclip.benchmark.default_store import DEFAULT_STORE
from pocketclip.benchmark.errors import FilterError, RecordConflictError, ResultsFileError
from pocketclip.models.terminal import command_line
from pocketclip.models.untrusted.printable import printable, printable_line

if TYPE_CHECKING:
    from pocketclip.benchmark.api import ImportedRecords
    from pocketclip.benchmark.results.files import FileFormat
    from pocketclip.benchmark.store import Reading, RecordText

results_app = command_line.new_app(
    "results",
    "Lists records that match all filters, oldest first, and writes them to files.\n\n"
    "JSON and CSV files contain complete records with every sample; `import` reads them back.",
)
SkipOption = Annotated[
    bool, typer.Option("--skip-damaged", help="Skip and report unreadable records instead of adding nothing.")
]


@results_app.callback(invoke_without_command=True, no_args_is_help=False)
def results_command(
    context: typer.Context,
    model: Annotated[str | None, typer.Option("--model", help="Only this model.")] = None,
    target: Annotated[str | None, typer.Option("--target", help="Only this target, e.g. onnx.")] = None,
    precision: Annotated[str | None, typer.Option("--precision", help="Only this precision, e.g. int8-static.")] = None,
    scheme: Annotated[str | None, typer.Option("--scheme", help="Only this scheme, as shown in the table.")] = None,
    tower: Annotated[str | None, typer.Option("--tower", help="Only this tower: image or text.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="Only devices with this name.")] = None,
    instance: Annotated[
        str | None, typer.Option("--instance", help="Only this one of several devices with the same name.")
    ] = None,
    accelerator: Annotated[
        str | None, typer.Option("--accelerator", help="Only this requested accelerator, e.g. nnapi.")
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Only this tag.")] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only this status: measured, counted, parity-only or failed.")
    ] = None,
    valid: Annotated[
        bool | None,
        typer.Option("--valid/--invalid", help="Only valid benchmarks, or only invalid ones."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="Only records since 30m, 12h, 7d, 2w ago, or a date or time (UTC unless an offset is given).",
        ),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Only this kind: benchmark, accuracy, retrieval or farm.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="table (default), json, jsonl, csv (one row per record) or samples (CSV, one row per steady sample).",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write; its suffix (.json, .jsonl, .csv) sets the format."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Lists records and writes them to files."""
    if context.invoked_subcommand is not None:
        _refuse_options_before(context)
        return
    chosen = _format(form, out)
    from pocketclip.benchmark.api import log_left_out, open_store

    with open_store(store) as opened:
        found = opened.read(
            kind=kind,
            model=model,
            target=target,
            precision=precision,
            scheme=scheme,
            tower=tower,
            device=device,
            instance=instance,
            accelerator=accelerator,
            status=status,
            tag=tag,
            valid=valid,
            since=since,
        )
        total = len(opened)
    texts = found.texts
    if chosen is None:
        _print_table(found)
    else:
        _write(texts, chosen, out)
    log_left_out(found, _shown(store))
    if not texts and not found.unreadable:
        command_line.note(f"no record matches; {_shown(store)} holds {total}")
    elif out is not None:
        command_line.note(f"wrote {out}: {len(texts)} of {total} records")


@results_app.command("import", no_args_is_help=True)
def import_command(
    file: Annotated[list[Path], typer.Argument(help="Files from `results --out`: .json, .jsonl or .csv.")],
    skip_damaged: SkipOption = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Adds records from files to the store: all of them, or none if one cannot be read.

    Records that are already stored are skipped. A record whose id is stored with other content is reported and skipped.
    """
    from pocketclip.benchmark.api import import_records
    from pocketclip.models.untrusted.printable import printable_path

    imported = import_records(file, store=store, skip_damaged=skip_damaged)
    _report([printable_path(path) for path in file], imported, store)


@results_app.command("merge", no_args_is_help=True)
def merge_command(
    source: Annotated[list[str], typer.Argument(help="Other stores: SQLite files or SQLAlchemy URLs.")],
    skip_damaged: SkipOption = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Adds records from other stores to the one of --store: all of them, or none if one cannot be read.

    The other stores stay unchanged, even those of older versions. Records that are already stored are skipped. A record
    whose id is stored with other content is reported and skipped.
    """
    from pocketclip.benchmark.api import merge_records

    merged = merge_records(source, store=store, skip_damaged=skip_damaged)
    _report([_shown(each) for each in source], merged, store)


@results_app.command("check")
def check_command(
    remove: Annotated[
        bool, typer.Option("--remove", help="Move damaged records from the store to the file of --out.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write damaged records to this file, unchanged.")] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Reads every record and names those that cannot be read.

    Other commands skip unreadable records. Records from a newer version are named but never removed.
    """
    from pocketclip.benchmark.api import check_store
    from pocketclip.benchmark.errors import RecordError

    found = check_store(store, damaged_to=out, remove=remove)
    for each in found.unreadable:
        print(printable_line(each.reason))
    if out is not None:
        command_line.note(f"wrote {out}: {len(found.damaged)} damaged records")
    if found.removed:
        command_line.note(f"removed {found.removed} damaged records from {_shown(store)}")
    left = len(found.unreadable) - found.removed
    if left:
        newer = len(found.unreadable) - len(found.damaged)
        advice = (
            "update PocketCLIP" if newer == left else "remove damaged ones with `results check --remove --out FILE`"
        )
        raise RecordError(f"{left} of {found.total} records in {_shown(store)} cannot be read (see above); {advice}")
    command_line.note(f"{_shown(store)}: all {found.total - found.removed} records can be read")


def _refuse_options_before(context: typer.Context) -> None:
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        # By name: Typer's enum is not click's.
        if source is not None and source.name == "COMMANDLINE":
            command = f"results {context.invoked_subcommand}"
            advice = f"write it after: {command} ... --store" if name == "store" else f"{command} takes only --store"
            raise FilterError(f"{parameter.opts[0]} has no effect before a command: {advice}")


def _format(form: str | None, out: Path | None) -> FileFormat | None:
    """The format to write, None for the table."""
    if form == "table" or (form is None and out is None):
        if out is not None:
            raise ResultsFileError(
                f"--format table is only for the terminal; for {out} choose json, jsonl, csv or samples"
            )
        return None
    from pocketclip.benchmark.api import file_format

    return file_format(form, out, also=["table"])


def _print_table(found: Reading) -> None:
    from pocketclip.benchmark.results.table import results_table

    if found.records:
        command_line.console().print(results_table(found.records))


def _write(texts: Sequence[RecordText], form: FileFormat, out: Path | None) -> None:
    from pocketclip.benchmark.api import render_records
    from pocketclip.models import atomic

    content = render_records(texts, form)
    if out is None:
        # A pipe gets the texts as they are, which `typer.echo` would not give it: an import finds them unchanged.
        print(printable(content) if sys.stdout.isatty() else content, end="")
    else:
        atomic.write_text(out, content)


def _report(sources: list[str], imported: ImportedRecords, store: str) -> None:
    found, skipped = imported.additions, imported.skipped
    for source in dict.fromkeys(sources):
        added, present, conflicts = (
            sum(text.origin == source for text in texts) for texts in (found.added, found.present, found.conflicts)
        )
        command_line.note(f"{source}: {added} added, {present} already stored, {conflicts} in conflict")
    if skipped:
        command_line.note(f"skipped {len(skipped)} unreadable records; the first: {skipped[0]}")
    for text in found.conflicts:
        command_line.note(f"conflict: {text.named} differs from the record with that id in {_shown(store)}")
    if found.conflicts:
        raise RecordConflictError(
            (
                f"{len(found.conflicts)} records have the id of a stored record but other content; the stored records "
                "were kept. Records never change, so one of the two was altered"
            ),
            fix="write both to files, find out which was altered, and drop that one",
        )


def _shown(store: str) -> str:
    from pocketclip.benchmark.api import shown_location

    return shown_location(store)
