"""The command-line style of every PocketCLIP program: one Typer style, one line per error, fixed exit codes.

Exit codes: 0 done, 1 the work failed (a converter, a missed budget), 2 the request cannot be met,
130 interrupted, 143 ended by SIGTERM.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TextIO, TypeVar

import typer

from pocketclip.models.errors import ConfigError, PocketClipError, choices
from pocketclip.models.untrusted.printable import printable, printable_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from pocketclip.models.progress import Progress as Reached

Kind = TypeVar("Kind", bound=StrEnum)

_notes: TextIO | None = None

INTERRUPTED = 130
TERMINATED = 128 + signal.SIGTERM

ModelOption = Annotated[
    str, typer.Option("--model", help="A registered model, a training run's folder or a configuration (.json).")
]
ChangesOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change the model, e.g. image.stages.3.mixer=repmixer. Repeatable."),
]
WeightsOption = Annotated[
    str | None,
    typer.Option("--weights", help="A checkpoint: path or hf:OWNER/REPO (default: the weights of the model or run)."),
]


def new_app(name: str, help: str, *, completion: bool = False) -> typer.Typer:
    """Creates a Typer program in the project's style: help without arguments, shell completion if wanted."""
    show_log()
    # Rich's help takes a fifth of a second to begin with.
    return typer.Typer(
        name=name,
        help=help,
        no_args_is_help=True,
        # Commands below have it from here.
        context_settings={"help_option_names": ["-h", "--help"]},
        add_completion=completion,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def run(app: typer.Typer) -> NoReturn:
    """Runs a program. PocketCLIP errors become one line on stderr and set the exit code."""
    with _sigterm_as_interrupt() as received:
        try:
            try:
                _say_version()
                app()
            finally:
                _say_ignored_profiles()
        except PocketClipError as error:
            print(f"error: {printable(str(error))}", file=sys.stderr)
            sys.exit(error.exit_code)
        except (SystemExit, KeyboardInterrupt) as leaving:
            # Typer turns Ctrl-C into this code, with one word of its own; before it has begun, nobody does.
            if isinstance(leaving, SystemExit) and leaving.code != INTERRUPTED:
                raise
            print("interrupted; finished work is kept", file=sys.stderr)
            sys.exit(TERMINATED if received else INTERRUPTED)
    sys.exit(0)


def show_version(wanted: bool) -> None:
    """The option `--version`: prints the version and exits."""
    if wanted:
        from pocketclip.models.terminal.version import tool_version

        print(f"PocketCLIP {tool_version()}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and exit.")
]


def _say_version() -> None:
    """Programs of a single command take `--version` too, where it stands by itself."""
    if sys.argv[1:] == ["--version"]:
        with contextlib.suppress(typer.Exit):
            show_version(True)
        sys.exit(0)


def _say_ignored_profiles() -> None:
    # Where no image was opened, the module is not there.
    profiles = sys.modules.get("pocketclip.models.pixels.colour_profiles")
    if profiles is not None and profiles.IGNORED.count:
        note(f"note: {profiles.IGNORED}")


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[list[int]]:
    """SIGTERM ends the program as Ctrl-C does, which keeps what is finished; yields the signals that came."""
    received: list[int] = []

    def leave(number: int, frame: object) -> None:
        received.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)


def parse_choice(kind: type[Kind], option: str, value: str) -> Kind:
    """Returns the enum member that an option names.

    Raises:
        ConfigError: no member has this name; the message lists the valid names.
    """
    try:
        return kind(value)
    except ValueError:
        raise ConfigError(f"{option} {value!r} is unknown", fix=f"choose among: {choices(kind)}") from None


def console() -> Console:
    """The console for tables, on stdout. Square brackets are not markup; control characters are escaped."""
    # Redirected tables are read by people and programs that do not wrap at 80 columns.
    return _plain_console(width=None if sys.stdout.isatty() else 120)


def error_console() -> Console:
    """The console for what goes on, on stderr, with the same care as `console`."""
    return _plain_console(stderr=True)


def _plain_console(**options: Any) -> Console:
    from rich.console import Console
    from rich.text import Text

    class PlainConsole(Console):
        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(printable(text), **options)

    return PlainConsole(markup=False, emoji=False, highlight=False, **options)


def progress(transient: bool = True) -> Progress:
    """A progress display on stderr. It shows nothing if stderr is not a terminal, and escapes control characters."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeElapsedColumn
    from rich.text import Text

    class Description(ProgressColumn):
        def render(self, task: Task) -> Text:
            # Names of models and data sets come from files; a line feed would break the display.
            return Text(printable_line(task.description))

    return Progress(
        Description(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=error_console(),
        transient=transient,
        disable=not sys.stderr.isatty(),
    )


def shown_on(bar: Progress, task: str) -> Callable[[Reached], None]:
    """Returns an API callback that updates a bar. The bar shows `task` until the work begins."""
    first = bar.add_task(task, total=None)

    def show(reached: Reached) -> None:
        bar.update(first, description=printable(reached.task), completed=reached.done, total=reached.total)

    return show


class _Shown(logging.Handler):
    """Writes the library's log messages to stderr, one line each."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "warning: " if record.levelno >= logging.WARNING else ""
        note(f"{prefix}{record.getMessage()}")


def show_log() -> None:
    """Shows the library's log messages on stderr from now on."""
    logger = logging.getLogger("pocketclip")
    if not any(isinstance(each, _Shown) for each in logger.handlers):
        logger.addHandler(_Shown())
        logger.setLevel(logging.INFO)
        logger.propagate = False


def note(message: str) -> None:
    """Writes a one-line message to stderr."""
    print(printable(message), file=_notes or sys.stderr, flush=True)


def notes_to(stream: TextIO) -> None:
    """Redirects notes to the user, for a process whose stderr nobody reads."""
    global _notes
    _notes = stream
