"""Forks `python -m MODULE ARGS...` out of a process that has imported the heavy packages: the server's side.

torch, the converters and the runtimes take 3 to 10 s of a processor to import, which most commands of the tests would
do for a second's work. `tests/forked_commands.py` starts this program and sends requests. Each becomes a process with
the streams, folder, environment and arguments that it names. It imports PocketCLIP's own modules itself. Where it
starts workers by multiprocessing's `spawn`, the first of them are forked too, before the command has done anything.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import re
import runpy
import select
import signal
import socket
import struct
import sys
import threading
import traceback
import types
from collections.abc import Callable
from multiprocessing import spawn, util
from typing import Any, NoReturn

# What commands, their workers and their reading children import of others. Without onnxruntime, which starts a thread.
_PACKAGES = (
    "PIL.Image",
    "PIL.ImageCms",
    "alembic",
    "jinja2",
    "jsonschema",
    "numpy",
    "open_clip",
    "psutil",
    "pydantic",
    "rich.console",
    "rich.progress",
    "rich.table",
    "safetensors.torch",
    "scipy.stats",
    "sqlalchemy.orm",
    "timm",
    "torch",
    "torch._dynamo",
    "torchvision.transforms",
    "typer",
    "webdataset",
    "onnx",
    "onnxscript",
    "coremltools",
    "executorch.exir",
    "executorch.runtime",
    "ai_edge_litert.interpreter",
    "torchao",
)
# Workers and reading children of one command that are forked; those after them are started as multiprocessing does.
_SPARES = 2
MOST_BYTES = 1 << 17
MOST_DESCRIPTORS = 64
# A process's id, then its exit code as `subprocess` gives it.
ANSWER = struct.Struct("q")
# Where a request's streams and its channel for answers are among the descriptors.
_STREAMS = 3
_SPAWNED = re.compile(
    r"from multiprocessing\.spawn import spawn_main; spawn_main\(tracker_fd=(\d+), pipe_handle=(\d+)\)"
)
_start_anew = util.spawnv_passfds

Request = dict[str, Any]


def serve(requests: socket.socket) -> Request:
    """Answers requests until there are no more; returns in a forked process alone, with what it shall run."""
    waker, wakened = socket.socketpair()
    for each in (waker, wakened):
        each.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wakened.fileno())
    answers: dict[int, int] = {}

    while True:
        ready, _, _ = select.select([requests, waker], [], [])
        if waker in ready:
            waker.recv(4096)
            _reap(answers)
        if requests not in ready:
            continue
        content, descriptors, _, _ = socket.recv_fds(requests, MOST_BYTES, MOST_DESCRIPTORS)
        if not content:
            os._exit(0)
        *streams, answer = descriptors
        process = os.fork()
        if process == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for each in (requests, waker, wakened):
                each.close()
            for each in (*answers.values(), answer):
                os.close(each)
            _take(streams)
            return json.loads(content)
        for each in streams:
            os.close(each)
        answers[process] = answer
        _tell(answer, process)


def _reap(answers: dict[int, int]) -> None:
    while answers:
        process, status = os.waitpid(-1, os.WNOHANG)
        if not process:
            return
        answer = answers.pop(process)
        _tell(answer, os.waitstatus_to_exitcode(status))
        os.close(answer)


def _tell(answer: int, number: int) -> None:
    try:
        os.write(answer, ANSWER.pack(number))
    except BrokenPipeError:
        # Whoever asked has gone.
        return


def _take(streams: list[int]) -> None:
    for place, each in enumerate(streams):
        os.dup2(each, place)
        os.close(each)


def run(request: Request) -> NoReturn:
    """Runs a module as `python -m` does."""
    _settle(request)
    _fork_spares()
    sys.argv = ["-m", *request["arguments"]]
    sys.modules["__main__"] = types.ModuleType("__main__")
    _leave_after(lambda: runpy._run_module_as_main(request["module"]))  # pyright: ignore[reportAttributeAccessIssue]


def _leave_after(work: Callable[[], object]) -> NoReturn:
    """Ends the process as Python does, but frees no memory: that takes most of a second with so much imported."""
    code = 0
    try:
        work()
    except SystemExit as leaving:
        if leaving.code is None or isinstance(leaving.code, int):
            code = leaving.code or 0
        else:
            print(leaving.code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code & 0xFF)


def _settle(request: Request) -> None:
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    # Python puts the folder first for `-m` and `-c`.
    sys.path[0] = os.getcwd()


def _fork_spares() -> None:
    """Forks the processes that will stand for workers; `spawnv_passfds` hands them their tasks."""
    spares: list[tuple[int, socket.socket]] = []
    for _ in range(_SPARES):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        process = os.fork()
        if process == 0:
            ours.close()
            for _, each in spares:
                each.close()
            _become_spawned(theirs)
        theirs.close()
        spares.append((process, ours))

    def start(path: Any, words: list[Any], descriptors: list[int]) -> int:
        found = next((match for word in words if (match := _SPAWNED.fullmatch(os.fsdecode(word)))), None)
        if found is None or not spares:
            return _start_anew(path, words, descriptors)
        process, channel = spares.pop(0)
        request = {
            "folder": os.getcwd(),
            "environment": dict(os.environ),
            "kept": list(descriptors),
            "tracker": int(found[1]),
            "pipe": int(found[2]),
        }
        socket.send_fds(channel, [json.dumps(request).encode()], [0, 1, 2, *descriptors])
        channel.close()
        return process

    util.spawnv_passfds = start


def _become_spawned(channel: socket.socket) -> NoReturn:
    content, descriptors, _, _ = socket.recv_fds(channel, MOST_BYTES, MOST_DESCRIPTORS)
    if not content:
        # The command ended without a worker.
        os._exit(0)
    channel.close()
    request = json.loads(content)
    _take(descriptors[:_STREAMS])
    # Those that stand where another belongs make room first.
    kept = [os.dup2(each, 500 + place) for place, each in enumerate(descriptors[_STREAMS:])]
    for each in descriptors[_STREAMS:]:
        os.close(each)
    for each, number in zip(kept, request["kept"], strict=True):
        os.dup2(each, number)
        os.close(each)
    _settle(request)
    sys.argv = ["-c", "--multiprocessing-fork"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    _leave_after(lambda: spawn.spawn_main(pipe_handle=request["pipe"], tracker_fd=request["tracker"]))


def _import() -> None:
    for name in _PACKAGES:
        try:
            importlib.import_module(name)
        except ImportError:
            # An installation without this extra: the command says so itself.
            continue
    gc.collect()
    gc.freeze()


def main() -> NoReturn:
    requests = socket.socket(fileno=int(sys.argv[1]))
    _import()
    threads = os.listdir("/proc/self/task")
    if len(threads) > 1:
        sys.exit(f"the packages have started {len(threads) - 1} threads: a process with threads must not be forked")
    requests.send(b"ready")
    run(serve(requests))


if __name__ == "__main__":
    main()
