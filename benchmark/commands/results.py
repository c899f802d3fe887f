"""The `results` command: lists a store's records, writes them to files and adds records from other machines.

Heavy imports live inside the functions: `--help` must not wait for numpy or SQLAlchemy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.benchmark.commands.options import StoreOption
from pocketclip.benchmark.default_store import DEFAULT_STORE
from pocketclip.benchmark.errors import BenchmarkError, FilterError, RecordConflictError, ResultsFileError
from pocketclip.models.terminal import command_line
from pocketclip.models.untrusted.printable import printable_line

if TYPE_CHECKING:
    from pocketclip.benchmark.results.files import FileFormat
    from pocketclip.benchmark.store import Additions, Reading, RecordText, Unreadable

results_app = command_line.new_app(
    "results",
    "Lists records that match all filters, oldest first, and writes them to files.\n\n"
    "JSON and CSV files contain complete records with every sample; `import` reads them back.",
)
SkipOption = Annotated[
    bool, typer.Option("--skip-damaged", help="Skip and report unreadable records instead of adding nothing.")
]
_FORMATS = ("table", "json", "jsonl", "csv", "samples")


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
        str | None, typer.Option("--kind", help="Only this kind: benchmark, accuracy or retrieval.")
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
    from datetime import UTC, datetime

    from pocketclip.benchmark.api import log_left_out
    from pocketclip.benchmark.measuring.option_values import parse_accelerator
    from pocketclip.benchmark.records.benchmark import Status
    from pocketclip.benchmark.results.filters import parse_since
    from pocketclip.benchmark.store import RecordFilter, open_store
    from pocketclip.export.precision import Precision, TargetName, Tower

    wanted = RecordFilter(
        kind=kind if kind is None else _kind(kind),
        model=model,
        target=target and command_line.parse_choice(TargetName, "--target", target),
        precision=precision and command_line.parse_choice(Precision, "--precision", precision),
        scheme=scheme,
        tower=tower and command_line.parse_choice(Tower, "--tower", tower),
        device=device,
        instance=instance,
        accelerator=accelerator and parse_accelerator(accelerator),
        status=status and command_line.parse_choice(Status, "--status", status),
        tag=tag,
        valid=valid,
        since=None if since is None else parse_since(since, datetime.now(UTC)),
    )
    with open_store(store, create=False) as opened:
        found, total = opened.read(wanted), opened.count()
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
    from pocketclip.benchmark.results.files import read_results
    from pocketclip.benchmark.store import open_store
    from pocketclip.models.untrusted.printable import printable_path

    skipped: list[str] = []
    with _nothing_added():
        # Read before the store is opened: damaged files must not create one.
        skip = (lambda error: skipped.append(str(error))) if skip_damaged else None
        texts = [text for path in file for text in read_results(path, skip)]
        with open_store(store) as opened:
            found = opened.add(texts)
    _report([printable_path(path) for path in file], found, store, skipped)


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
    from pocketclip.benchmark.store import check_texts, open_store, read_texts, read_what_can_be

    skipped: list[str] = []
    with _nothing_added():
        if skip_damaged:
            reading = read_what_can_be(text for each in source for text in read_texts(each))
            texts, skipped = list(reading.texts), [each.reason for each in reading.unreadable]
        else:
            texts = [text for each in source for text in check_texts(read_texts(each))]
        with open_store(store) as opened:
            found = opened.add(texts)
    _report([_shown(each) for each in source], found, store, skipped)


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
    from pocketclip.benchmark.errors import OptionError, RecordError
    from pocketclip.benchmark.store import open_store
    from pocketclip.models import atomic

    if remove and out is None:
        raise OptionError(
            "--remove needs a file for the records that it removes", fix="name a new file with --out FILE"
        )
    if out is not None and out.exists():
        raise OptionError(f"--out {out} already exists", fix="name another file, so that nothing is overwritten")
    with open_store(store, create=False) as opened:
        unreadable = opened.read().unreadable
        total = opened.count()
        for each in unreadable:
            print(printable_line(each.reason))
        damaged = [each for each in unreadable if not each.newer]
        if out is not None:
            atomic.write_text(out, "".join(f"{_kept(each)}\n" for each in damaged))
            command_line.note(f"wrote {out}: {len(damaged)} damaged records")
        removed = opened.remove(each.text for each in damaged) if remove and damaged else 0
    if removed:
        command_line.note(f"removed {removed} damaged records from {_shown(store)}")
    left = len(unreadable) - removed
    if left:
        newer = len(unreadable) - len(damaged)
        advice = (
            "update PocketCLIP" if newer == left else "remove damaged ones with `results check --remove --out FILE`"
        )
        raise RecordError(f"{left} of {total} records in {_shown(store)} cannot be read (see above); {advice}")
    command_line.note(f"{_shown(store)}: all {total - removed} records can be read")


def _kept(damaged: Unreadable) -> str:
    """One line of JSON; the document as it stands, which need not be JSON."""
    text = damaged.text
    kept = {"record_id": text.record_id, "kind": text.kind, "schema_version": text.schema_version}
    return json.dumps(kept | {"reason": damaged.reason, "document": text.text})


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
    from pocketclip.benchmark.results.files import FileFormat, format_of
    from pocketclip.models.errors import choices

    if form is not None and form not in _FORMATS:
        raise ResultsFileError(f"--format {form!r} is unknown", fix=f"choose among: {choices(_FORMATS)}")
    if form == "table" or (form is None and out is None):
        if out is not None:
            raise ResultsFileError(
                f"--format table is only for the terminal; for {out} choose json, jsonl, csv or samples"
            )
        return None
    return FileFormat(form) if form is not None else format_of(out or Path())


def _kind(name: str) -> str:
    from pocketclip.benchmark.store.codec import KINDS
    from pocketclip.models.errors import choices

    if name not in KINDS:
        raise FilterError(f"--kind {name!r} is unknown", fix=f"choose among: {choices(KINDS)}")
    return name


def _print_table(found: Reading) -> None:
    from pocketclip.benchmark.results.table import results_table

    if found.records:
        command_line.console().print(results_table(found.records))


def _write(texts: Sequence[RecordText], form: FileFormat, out: Path | None) -> None:
    from pocketclip.benchmark.results.files import render
    from pocketclip.models import atomic

    content = render(texts, form)
    if out is None:
        typer.echo(content, nl=False)
    else:
        atomic.write_text(out, content)


@contextmanager
def _nothing_added() -> Iterator[None]:
    try:
        yield
    except BenchmarkError as error:
        raise type(error)(f"{error}; nothing was added") from error


def _report(sources: list[str], found: Additions, store: str, skipped: Sequence[str] = ()) -> None:
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
    from pocketclip.benchmark.api.stores import shown_location

    return shown_location(store)
