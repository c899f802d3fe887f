"""What the measuring app said at its end, as `am instrument -r` prints it: its answer's announcement, or a crash."""

from __future__ import annotations

from collections.abc import Callable

from pocketclip.benchmark.errors import AgentError, InstrumentationMissingError
from pocketclip.benchmark.phone_app.apk import PACKAGE
from pocketclip.benchmark.platforms.android.exit_info import Ending, parse_exits
from pocketclip.benchmark.platforms.android.instrumentation import RESULT_OK, Instrumented, parse_instrumentation

# Why the app's processes ended, as Android remembers it (Android 11 and later).
EXITS_LINE = f"dumpsys activity exit-info {PACKAGE}"

_RESULT = "pocketclip"


def read_announced(stdout: str, stderr: str, *, label: str, ended: str, exits: Callable[[], str]) -> str:
    """What the app announced of its answer: `<bytes> <sha256>`.

    Args:
        stdout, stderr: what `am instrument -w -r` printed.
        label: the phone, for messages.
        ended: how that program ended, in words.
        exits: the output of `EXITS_LINE`, asked for where the app crashed.

    Raises:
        AgentError: it crashed, was killed or announced nothing.
        InstrumentationMissingError: there is no such app, or it has no such way in.
    """
    told = parse_instrumentation(stdout, stderr)
    announced = told.results.get(_RESULT)
    if told.code == RESULT_OK and announced is not None:
        return announced.strip()
    if told.crashed:
        raise _crash_error(told, label, exits())
    if "error" in told.results:
        raise AgentError(f"the app on {label} rejects the request: {told.results['error']}", "app-failed")
    if told.fault is not None:
        raise InstrumentationMissingError(
            f"the app on {label} cannot be started: {told.fault}; it is an old or different build: "
            "rebuild it with `pocketclip app build android`"
        )
    raise AgentError(
        f"the app on {label} ended before it announced its answer: {ended}", "result-missing", fix="run it again"
    )


def _crash_error(told: Instrumented, label: str, exits: str) -> AgentError:
    """Whether it crashed by itself or was killed, as far as the phone tells."""
    known = parse_exits(exits)
    last = known[0] if known else None
    why = f"{told.crash.splitlines()[0].rstrip('.')}" + (f" ({last.worded})" if last else "")
    if last is not None and last.ending is Ending.KILLED:
        return AgentError(
            f"the app was killed on {label}: {why}, often because memory ran out",
            "app-killed",
            fix="close other apps, do not use the phone, and run it again",
        )
    return AgentError(f"the app crashed on {label}: {why}", "app-crashed", fix="`adb logcat -b crash` has the stack")
