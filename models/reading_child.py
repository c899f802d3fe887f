"""A child process that opens what others wrote, with bounds of time and memory: its death is an error with words.

Native readers of model files crash, hang and allocate what damaged files tell them to. One child serves all calls of
a command; after a death the next call starts another.

Memory is bounded by `RLIMIT_DATA` on Linux, by looking at the child four times a second elsewhere: macOS and Windows
have no limit that holds.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

from pocketclip.models.errors import PocketClipError, first_line
from pocketclip.models.processes import watch_parent
from pocketclip.models.terminal import command_line

_HAS_LIMIT = sys.platform == "linux"
_LOOK_S = 0.25
_END_S = 5.0
_PATIENCE = 5.0
# Of what the child's libraries have written, the end, which has the cause of an abort.
_TAIL_BYTES = 4096
_OUT_OF_MEMORY = (b"bad_alloc", b"MemoryError", b"Cannot allocate memory", b"out of memory", b"Out of memory")
# Temporary files of a reader: no file of a phone's model is larger.
_MOST_FILE_BYTES = 8 << 30
_PR_SET_PDEATHSIG = 1

GIB = 1 << 30


@dataclass(frozen=True)
class Bounds:
    """What one call may take: memory of the whole process, and seconds without an answer or a sign of progress.

    The seconds are those of the process; where it waits for a busy computer, five times as many pass.
    """

    memory_bytes: int
    idle_s: float


class ChildFault(Exception):
    """Why a call gave no result, in words that complete "... cannot be read: "."""


@dataclass(frozen=True)
class _Failure:
    """An exception that came out of a call and is none of ours."""

    words: str


@dataclass(frozen=True)
class _Sign:
    event: object


class Child:
    """The parent's side. Use it as a context manager: on leaving, the process is ended and its files are removed."""

    def __init__(self) -> None:
        self._process: Any = None
        self._connection: Connection | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(
        self,
        function: Callable[..., Any],
        *arguments: object,
        bounds: Bounds,
        on_sign: Callable[[Any], object] | None = None,
    ) -> Any:
        """What a module-level function gives for arguments that can be pickled.

        With `on_sign`, the function gets the keyword `sign` besides: a callable whose argument reaches `on_sign`, and
        which starts the clock of `bounds` anew.

        Raises:
            ChildFault: it raised what is none of our errors, the process died, or a bound was passed.
            PocketClipError: the function's own.
        """
        if self._process is None:
            self._start()
        assert self._connection is not None
        with contextlib.suppress(OSError):
            # Of a child that died meanwhile, the answer tells.
            self._connection.send((function, arguments, bounds.memory_bytes, on_sign is not None))
        while True:
            answer = self._answer(bounds)
            if not isinstance(answer, _Sign):
                break
            if on_sign is not None:
                on_sign(answer.event)
        if isinstance(answer, _Failure):
            raise ChildFault(answer.words)
        if isinstance(answer, PocketClipError):
            raise answer
        return answer

    def close(self) -> None:
        """Ends the process."""
        # Taken out first: a signal may call this again before it is through.
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if process is not None:
            _kill_group(process)
            process.join()
        if connection is not None:
            connection.close()
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def _start(self) -> None:
        _quiet_tracker()
        # A forked process would share the parent's threads' locks.
        context = multiprocessing.get_context("spawn")
        self._scratch = tempfile.TemporaryDirectory(prefix="pocketclip-reading-", ignore_cleanup_errors=True)
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._scratch.name, os.getpid()), daemon=True)
        self._process.start()
        theirs.close()

    def _answer(self, bounds: Bounds) -> object:
        assert self._connection is not None
        started = time.monotonic()
        try:
            while not self._connection.poll(min(_LOOK_S, bounds.idle_s)):
                waited = time.monotonic() - started
                if waited > bounds.idle_s and self._has_had_its_turn(waited, bounds.idle_s):
                    self.close()
                    raise ChildFault(f"the library that opens it gave no answer within {waited:.0f} s")
                if not _HAS_LIMIT and self._memory_bytes() > bounds.memory_bytes:
                    self.close()
                    raise ChildFault(_too_much(bounds))
            return self._connection.recv()
        except (EOFError, OSError):
            raise ChildFault(self._cause_of_death(bounds)) from None

    def _has_had_its_turn(self, waited: float, idle_s: float) -> bool:
        """Whether the process has computed for the time that it may take, or was given plenty of it.

        On a busy machine, importing torch alone takes a minute.
        """
        import psutil

        try:
            times = psutil.Process(self._process.pid).cpu_times()
        except psutil.Error:
            return True
        return times.user + times.system >= idle_s or waited > _PATIENCE * idle_s

    def _memory_bytes(self) -> int:
        import psutil

        try:
            return psutil.Process(self._process.pid).memory_info().rss
        except psutil.Error:
            return 0

    def _cause_of_death(self, bounds: Bounds) -> str:
        self._process.join(_END_S)
        code = self._process.exitcode
        assert self._scratch is not None
        tail = _tail(Path(self._scratch.name, "log"))
        self.close()
        if any(words in tail for words in _OUT_OF_MEMORY):
            return _too_much(bounds)
        if code is not None and code < 0:
            return f"the library that opens it crashed ({_signal_name(-code)})"
        return f"the library that opens it ended the process (exit code {code})"


def _quiet_tracker() -> None:
    """Starts Python's own tracker of semaphores without its warning about those of a child that died: it frees them."""
    if os.name != "posix":
        return
    from multiprocessing import resource_tracker

    # It takes over the options of this interpreter.
    sys.warnoptions.append("ignore:resource_tracker")
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.remove("ignore:resource_tracker")


def _kill_group(process: Any) -> None:
    """Ends the process and what it has started, such as a converter's own tools."""
    if hasattr(os, "killpg"):
        # The group is there once the process has begun; its id is not given anew before `join`.
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _too_much(bounds: Bounds) -> str:
    return f"reading it needs more than the {bounds.memory_bytes / GIB:.1f} GiB that it may use"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _tail(log: Path) -> bytes:
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            return stream.read(_TAIL_BYTES)
    except OSError:
        return b""


def _serve(connection: Connection, scratch: str, parent: int) -> None:
    """The child's side: answers calls until the parent is gone."""
    # Ctrl-C reaches the whole process group; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(parent)
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    command_line.show_log()
    command_line.notes_to(os.fdopen(os.dup(2), "w"))
    descriptor = os.open(Path(scratch, "log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    # What a killed child leaves behind is removed with the folder.
    tempfile.tempdir = scratch
    while True:
        try:
            function, arguments, memory_bytes, with_signs = connection.recv()
        except (EOFError, OSError):
            return
        except BaseException as error:
            # Imported with the function: a package that is missing or broken.
            connection.send(_Failure(f"{type(error).__name__}: {first_line(error)}"))
            continue
        keywords = {"sign": lambda event: connection.send(_Sign(event))} if with_signs else {}
        with _bounded(memory_bytes):
            answer = _answer_of(function, arguments, keywords, memory_bytes)
        _send(connection, answer)


def _answer_of(
    function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any], memory_bytes: int
) -> object:
    try:
        return function(*arguments, **keywords)
    except PocketClipError as error:
        return error
    except MemoryError:
        return _Failure(_too_much(Bounds(memory_bytes, 0)))
    except BaseException as error:
        # Whatever a library raises, SystemExit too.
        return _Failure(first_line(error) if str(error).strip() else type(error).__name__)


def _send(connection: Connection, answer: object) -> None:
    try:
        connection.send(answer)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError) as error:
        connection.send(_Failure(f"the result cannot be returned ({first_line(error)})"))


@contextlib.contextmanager
def _bounded(memory_bytes: int) -> Iterator[None]:
    """The limits of a call, where the system has them; the soft one alone, which can be taken back."""
    if not _HAS_LIMIT:
        yield
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_within(_MOST_FILE_BYTES, hard), hard))
    # Not RLIMIT_AS: libraries reserve far more addresses than they use memory.
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_within(memory_bytes, before[1]), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _within(wanted: int, hard: int) -> int:
    # -1 stands for no limit.
    return wanted if hard < 0 else min(wanted, hard)


def _die_with(parent: int) -> None:
    """No child outlives its parent, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # It may have ended before this line.
        if os.getppid() != parent:
            os._exit(1)
        return
    watch_parent(parent)
