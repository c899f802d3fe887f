"""The command `results`: what a store holds as a table or a file, and records of other machines taken in.

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
    "Lists records, all or those that fit every filter, oldest first, and writes them to files.\n\n"
    "JSON and CSV files hold whole records, every sample with them; `import` reads them again.",
)
SkipOption = Annotated[
    bool, typer.Option("--skip-damaged", help="Leave out what cannot be read, and say so, in place of adding nothing.")
]
_FORMATS = ("table", "json", "jsonl", "csv", "samples")


@results_app.callback(invoke_without_command=True, no_args_is_help=False)
def results_command(
    context: typer.Context,
    model: Annotated[str | None, typer.Option("--model", help="Of this model.")] = None,
    target: Annotated[str | None, typer.Option("--target", help="Of this target, e.g. onnx.")] = None,
    precision: Annotated[str | None, typer.Option("--precision", help="Of this precision, e.g. int8-static.")] = None,
    scheme: Annotated[str | None, typer.Option("--scheme", help="Of this form, as the table names it.")] = None,
    tower: Annotated[str | None, typer.Option("--tower", help="image or text.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="Measured on the device of this name.")] = None,
    instance: Annotated[
        str | None, typer.Option("--instance", help="Measured on this one of the devices of a name.")
    ] = None,
    accelerator: Annotated[
        str | None, typer.Option("--accelerator", help="With this accelerator asked for, e.g. nnapi.")
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="With this tag.")] = None,
    status: Annotated[str | None, typer.Option("--status", help="measured, counted, parity-only or failed.")] = None,
    valid: Annotated[
        bool | None,
        typer.Option("--valid/--invalid", help="Benchmarks that met their preconditions, or that did not."),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="No older than 30m, 12h, 7d, 2w, or a date or time (UTC).")
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="benchmark, accuracy or retrieval.")] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="table (default), json, jsonl, csv (a row a record) or samples (CSV, a row a steady sample).",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write to this file; its name (.json, .jsonl, .csv) tells the format."),
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
        command_line.note(f"no record fits; there are {total} in {_shown(store)}")
    elif out is not None:
        command_line.note(f"wrote {out}; {len(texts)} of {total} records fit")


@results_app.command("import", no_args_is_help=True)
def import_command(
    file: Annotated[list[Path], typer.Argument(help="Files that `results --out` wrote: .json, .jsonl or .csv.")],
    skip_damaged: SkipOption = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Adds the records of files to the store: all of them, or none where one cannot be read.

    Records that are already there are passed over. One whose id is stored with other content is reported and left out.
    """
    from pocketclip.benchmark.results.files import read_results
    from pocketclip.benchmark.store import open_store
    from pocketclip.models.untrusted.printable import printable_path

    skipped: list[str] = []
    with _nothing_added():
        # Read before the store is opened: damaged files must not make one.
        skip = (lambda error: skipped.append(str(error))) if skip_damaged else None
        texts = [text for path in file for text in read_results(path, skip)]
        with open_store(store) as opened:
            found = opened.add(texts)
    _report([printable_path(path) for path in file], found, store, skipped)


@results_app.command("merge", no_args_is_help=True)
def merge_command(
    source: Annotated[list[str], typer.Argument(help="Stores of other machines: SQLite files or SQLAlchemy URLs.")],
    skip_damaged: SkipOption = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Adds the records of other stores to the one of --store: all of them, or none where one cannot be read.

    The other stores are left as they are, also those of older versions. Records that are already there are passed
    over. One whose id is stored with other content is reported and left out.
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
        bool, typer.Option("--remove", help="Take the damaged ones out of the store, into the file of --out.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write the damaged ones to this file, as they are.")] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Reads every record, and names those that cannot be read.

    Nothing else lists or compares them. Records of a newer version are named and never taken out.
    """
    from pocketclip.benchmark.errors import OptionError, RecordError
    from pocketclip.benchmark.store import open_store
    from pocketclip.models import atomic

    if remove and out is None:
        raise OptionError(
            "--remove keeps what it takes out in a file", fix="name one that is not there yet with --out FILE"
        )
    if out is not None and out.exists():
        raise OptionError(f"--out {out} is there already", fix="name another file, so that nothing in it is lost")
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
        command_line.note(f"{removed} damaged records are no more in {_shown(store)}")
    left = len(unreadable) - removed
    if left:
        newer = len(unreadable) - len(damaged)
        advice = "update PocketCLIP" if newer == left else "`results check --remove --out FILE` takes damaged ones out"
        raise RecordError(f"{left} of {total} records in {_shown(store)} cannot be read, see above; {advice}")
    command_line.note(f"{total - removed} records in {_shown(store)}, all can be read")


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
            advice = f"write it behind: {command} ... --store" if name == "store" else f"{command} takes --store alone"
            raise FilterError(f"{parameter.opts[0]} has no effect before a command: {advice}")


def _format(form: str | None, out: Path | None) -> FileFormat | None:
    """The format to write, None for the table."""
    from pocketclip.benchmark.results.files import FileFormat, format_of
    from pocketclip.models.errors import choices

    if form is not None and form not in _FORMATS:
        raise ResultsFileError(f"--format {form!r} is unknown", fix=f"choose among: {choices(_FORMATS)}")
    if form == "table" or (form is None and out is None):
        if out is not None:
            raise ResultsFileError(f"--format table is for the terminal; for {out} choose json, jsonl, csv or samples")
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
        command_line.note(f"{source}: {added} added, {present} already there, {conflicts} in conflict")
    if skipped:
        command_line.note(f"left out: {len(skipped)} that cannot be read, the first: {skipped[0]}")
    for text in found.conflicts:
        command_line.note(f"conflict: {text.named} is not what {_shown(store)} holds under that id")
    if found.conflicts:
        raise RecordConflictError(
            (
                f"{len(found.conflicts)} records have the ids of stored ones and other content; the "
                f"stored ones were kept. "
                "Records never change: one of the two was altered"
            ),
            fix="export both to see which, and leave that one out",
        )


def _shown(store: str) -> str:
    from pocketclip.benchmark.api.stores import shown_location

    return shown_location(store)
