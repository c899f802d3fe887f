"""One try of a command on a hostile input, in a process of its own: bounded, watched for what it writes and starts."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pocketclip.models.errors import PocketClipError

SECONDS = 60
# Beyond what the process has before the try.
MOST_BYTES = 2 << 30
# What opens the files of each runtime.
_READERS = (
    "coremltools",
    "executorch.exir._serialize._program",
    "pocketclip.export.inspection",
    "pocketclip.export.lint.read_coreml",
    "pocketclip.export.lint.read_executorch",
    "pocketclip.export.lint.read_onnx",
    "pocketclip.export.lint.read_tflite",
    "pocketclip.export.lint.run",
)
_get_context = multiprocessing.get_context
_VERDICT = "verdict.json"
_OUTPUT = "output.txt"


class Verdict(StrEnum):
    """What came of a try; only the first two may happen."""

    DONE = "done"
    REFUSED = "refused"
    TRACEBACK = "traceback"
    CRASH = "crash"
    HANG = "hang"
    MEMORY = "over 2 GB"
    OUTSIDE = "wrote outside or ran a program"


GOOD = frozenset({Verdict.DONE, Verdict.REFUSED})


@dataclass(frozen=True)
class Outcome:
    """The verdict, what explains it, and the bytes that the try took beyond what its process began with."""

    verdict: Verdict
    detail: str
    peak_bytes: int
    seconds: float


def warm_up(*, readers: bool = False) -> None:
    """Imports what commands import, so that each forked process need not.

    With `readers`, also what the bounded child imports that opens model files. That child is then forked like the try
    itself, in place of a new interpreter that takes seconds to begin: its bounds and its death are the same.
    """
    import torch

    from pocketclip.cli import app

    assert app is not None
    torch.set_num_threads(1)
    if readers:
        for name in _READERS:
            importlib.import_module(name)
        multiprocessing.get_context = lambda method=None: _get_context("fork")  # type: ignore[method-assign]


def attempt(call: Callable[[], None], folder: Path, *, seconds: float = SECONDS) -> Outcome:
    """Runs `call` in a forked process whose temporary files, caches and output lie below `folder`.

    The caller must not have run anything on several threads: the process is forked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    base = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    child = os.fork()
    if child == 0:
        _run(call, folder)
    status, peak, late = _wait(child, seconds)
    # Workers that it started are of its process group.
    with _ignored(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    peak_bytes = max(0, peak - base)
    verdict, detail = _verdict(folder, status, late)
    if verdict in GOOD and peak_bytes > MOST_BYTES:
        verdict, detail = Verdict.MEMORY, f"{peak_bytes / 1e9:.1f} GB"
    return Outcome(verdict, detail, peak_bytes, time.monotonic() - began)


def _wait(child: int, seconds: float) -> tuple[int, int, bool]:
    end = time.monotonic() + seconds
    late = False
    while True:
        found, status, usage = os.wait4(child, os.WNOHANG)
        if found:
            return status, usage.ru_maxrss * 1024, late
        if time.monotonic() > end and not late:
            late = True
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)


def _verdict(folder: Path, status: int, late: bool) -> tuple[Verdict, str]:
    if late:
        return Verdict.HANG, "the time ran out"
    if os.WIFSIGNALED(status):
        return Verdict.CRASH, signal.Signals(os.WTERMSIG(status)).name
    try:
        found = json.loads((folder / _VERDICT).read_text())
    except (OSError, ValueError):
        return Verdict.CRASH, f"exit status {os.WEXITSTATUS(status)} without a verdict"
    return Verdict(found["verdict"]), found["detail"]


def _run(call: Callable[[], None], folder: Path) -> None:
    """The child: never returns."""
    os.setsid()
    output = os.open(folder / _OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    inside = folder / "inside"
    for name in ("tmp", "cache"):
        (inside / name).mkdir(parents=True, exist_ok=True)
    os.chdir(inside)
    tempfile.tempdir = str(inside / "tmp")
    os.environ.update(TMPDIR=tempfile.tempdir, POCKETCLIP_CACHE=str(inside / "cache"), PYTHONDONTWRITEBYTECODE="1")
    sys.dont_write_bytecode = True
    faults = _watch(inside.resolve())
    verdict, detail = Verdict.DONE, ""
    try:
        call()
    except PocketClipError as error:
        verdict, detail = Verdict.REFUSED, str(error)
    except SystemExit as leaving:
        verdict, detail = (Verdict.REFUSED if leaving.code else Verdict.DONE), f"exit code {leaving.code}"
    except MemoryError:
        verdict, detail = Verdict.MEMORY, "MemoryError"
    except BaseException:
        verdict, detail = Verdict.TRACEBACK, traceback.format_exc()
    if faults:
        verdict, detail = Verdict.OUTSIDE, faults[0]
    sys.stdout.flush()
    descriptor = os.open(folder / _VERDICT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(descriptor, json.dumps({"verdict": verdict, "detail": detail[-2000:]}).encode())
    os._exit(0)


def _watch(inside: Path) -> list[str]:
    """What the process writes, removes or links outside the folder, and the programs that it starts, as they happen."""
    faults: list[str] = []
    changing = {"os.remove": 1, "os.rename": 2, "os.mkdir": 1, "os.rmdir": 1, "os.link": 2, "os.symlink": 2,
                "shutil.rmtree": 1, "os.truncate": 1}  # fmt: skip
    # Python, the programs of installed packages, e.g. flatc, and what Python itself starts to find libraries.
    own = (os.path.realpath(sys.executable), os.path.realpath(sys.prefix), os.path.realpath("/sbin/ldconfig"))

    def is_outside(path: Any) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        resolved = os.path.realpath(os.path.abspath(os.fsdecode(path)))
        return not resolved.startswith((f"{inside}/", "/dev/", "/proc/")) and resolved != str(inside)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR) and is_outside(path):
                faults.append(f"opened {path!r} for writing")
        elif event in changing:
            # The place of a symbolic link counts, not what it says.
            places = arguments[1:2] if event == "os.symlink" else arguments[: changing[event]]
            faults.extend(f"{event} {place!r}" for place in places if is_outside(place))
        elif event in ("subprocess.Popen", "os.posix_spawn", "os.exec"):
            program = os.path.realpath(os.fsdecode(arguments[0] or ""))
            if not program.startswith(own):
                faults.append(f"started {arguments[:2]!r}")
        elif event == "os.system":
            faults.append(f"ran {arguments[0]!r}")

    sys.addaudithook(hook)
    return faults


@contextmanager
def _ignored(*kinds: type[BaseException]) -> Iterator[None]:
    try:
        yield
    except kinds:
        return
