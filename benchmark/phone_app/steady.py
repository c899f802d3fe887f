"""Makes an Android phone steady for a bench and puts back whatever that changed, also what a killed bench left.

What is to be undone is in a file of the user's cache before anything is changed: it outlives this process. The next
bench or doctor of that phone carries out what is still in it.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from pocketclip.benchmark.errors import BenchmarkError, ScreenLockedError
from pocketclip.benchmark.platforms.android.keyguard import parse_locked
from pocketclip.benchmark.platforms.android.power import parse_stay_on
from pocketclip.benchmark.platforms.host import instance_id
from pocketclip.benchmark.transport.shell import ShellTransport
from pocketclip.models import atomic, documents
from pocketclip.models.documents import document
from pocketclip.models.errors import StorageError
from pocketclip.models.user_cache import user_cache

_STAY_ON = "stay_on_while_plugged_in"
_FIXED_PERFORMANCE = "cmd power set-fixed-performance-mode-enabled"
# The first Android with a performance that can be fixed: 11.
_FIXED_PERFORMANCE_API = 30

Say = Callable[[str], object]


@document
class UndoStep:
    """One setting: what it is in words, and the line of the phone's shell that puts it back."""

    what: str
    line: str


@document
class UndoList:
    """What is to be put back on a phone; the step changed last comes last."""

    phone: str
    steps: tuple[UndoStep, ...] = ()


def undo_file(identity: str) -> Path:
    """Where the list of a phone is; `identity` is its serial number, which the name does not give away."""
    return user_cache() / "phones" / f"{instance_id(identity)}.json"


def restore(transport: ShellTransport, file: Path, say: Say) -> bool:
    """Puts back what the list holds, the last change first; True where nothing is left.

    Without the phone the list stays, and the user is told. A list that cannot be written, as on a full disk, holds no
    step up: at worst it is carried out twice.
    """
    if not file.is_file():
        return True
    unwritten: StorageError | None = None
    try:
        steps = list(documents.read(UndoList, file, error=BenchmarkError).steps)
        while steps:
            execution = transport.shell(steps[-1].line)
            if execution.exit_code != 0:
                say(f"{transport.label}: {steps[-1].what} cannot be restored: {execution.describe()}")
            steps.pop()
            try:
                _write(file, transport.label, steps)
            except StorageError as error:
                unwritten = error
    except BenchmarkError as error:
        say(
            f"{transport.label} still has the bench's settings ({error}); plug it in: the next bench or "
            "`pocketclip devices doctor` restores them"
        )
        return False
    finally:
        if unwritten is not None:
            say(f"{transport.label}: the list of what the bench changed could not be kept up: {unwritten}")
    file.unlink(missing_ok=True)
    return True


@contextlib.contextmanager
def steady(transport: ShellTransport, identity: str, api_level: int | None, say: Say) -> Iterator[None]:
    """Keeps the phone awake and its clocks fixed for the block, where it can; everything is as before at the end.

    Raises:
        ScreenLockedError: someone must unlock it first.
        TransportError: it does not answer.
    """
    file = undo_file(identity)
    put_back_leftovers(transport, identity, say)
    try:
        wake(transport, file)
        _stay_on(transport, file)
        if api_level is not None and api_level >= _FIXED_PERFORMANCE_API:
            _fix_performance(transport, file, say)
        yield
    finally:
        restore(transport, file, say)


def put_back_leftovers(transport: ShellTransport, identity: str, say: Say) -> None:
    """Puts back what an earlier bench left changed because it was killed or its cable was lost."""
    file = undo_file(identity)
    if file.is_file() and restore(transport, file, say):
        say(f"{transport.label}: restored settings that an earlier bench had changed")


def wake(transport: ShellTransport, file: Path | None = None) -> None:
    """Turns the screen on; one that only wants a swipe is swiped away.

    Raises:
        ScreenLockedError: a code, a pattern or a finger is asked for.
    """
    if file is not None and re.search(r"mWakefulness=(Asleep|Dozing)", transport.shell("dumpsys power").stdout):
        _append(file, transport.label, UndoStep("the screen, off", "input keyevent KEYCODE_SLEEP"))
    transport.shell("input keyevent KEYCODE_WAKEUP; wm dismiss-keyguard")
    check_unlocked(transport)


def check_unlocked(transport: ShellTransport) -> None:
    """Raises `ScreenLockedError` where someone must unlock the phone; a swipe is none."""
    if is_locked(transport):
        raise ScreenLockedError(
            f"{transport.label} is locked: Android slows down apps behind a locked screen",
            fix="unlock it, leave it on, and run it again",
        )


def is_locked(transport: ShellTransport) -> bool | None:
    """Whether someone must unlock the phone; None where it does not tell."""
    trust = transport.shell("dumpsys trust").stdout
    found = parse_locked(trust, "")
    return found if found is not None else parse_locked("", transport.shell("dumpsys window policy").stdout)


def _stay_on(transport: ShellTransport, file: Path) -> None:
    before = parse_stay_on(transport.shell(f"settings get global {_STAY_ON}").stdout)
    if before is None:
        return
    _append(file, transport.label, UndoStep("staying awake", f"settings put global {_STAY_ON} {before}"))
    transport.shell("svc power stayon true")


def _fix_performance(transport: ShellTransport, file: Path, say: Say) -> None:
    # Android does not tell whether it is on; off is how phones are delivered.
    _append(file, transport.label, UndoStep("fixed performance", f"{_FIXED_PERFORMANCE} false"))
    execution = transport.shell(f"{_FIXED_PERFORMANCE} true 2>&1")
    if execution.exit_code != 0 or "not supported" in execution.stdout.lower():
        say(f"{transport.label} cannot fix its clocks: they vary as in normal use")


def _append(file: Path, label: str, step: UndoStep) -> None:
    steps = documents.read(UndoList, file, error=BenchmarkError).steps if file.is_file() else ()
    _write(file, label, [*steps, step])


def _write(file: Path, label: str, steps: list[UndoStep]) -> None:
    with atomic.storage_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(file, json.dumps(documents.to_builtin(UndoList(label, tuple(steps)))))
