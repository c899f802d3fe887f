"""A process that has imported PyTorch already, and runs each command of the tests in a fork of itself.

Importing PyTorch takes a command two seconds, in which nothing is tested. What belongs to PocketCLIP is imported by the
command itself, as in a user's shell.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

# Others' modules that most commands need. None of them starts threads when OMP_NUM_THREADS is 1.
_IMPORTED_FIRST = ("torch", "scipy.stats", "onnx")


class CommandServer:
    """Starts the process and talks to it; one for each process of the tests."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=Path(__file__).parent.parent,
            )

    def run(
        self, arguments: list[str], environment: dict[str, str], cwd: str, timeout_seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """What `subprocess.run` of `python -m pocketclip ARGUMENTS` would give.

        Raises:
            subprocess.TimeoutExpired: the command was killed.
        """
        request = json.dumps({"arguments": arguments, "environment": environment, "cwd": cwd}).encode()
        with tempfile.TemporaryFile() as request_file, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            request_file.write(request)
            request_file.flush()
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with ours:
                with theirs:
                    socket.send_fds(
                        self._socket, [b"run"], [each.fileno() for each in (request_file, out, err, theirs)]
                    )
                pid = int(ours.recv(32))
                ours.settimeout(timeout_seconds)
                try:
                    status = int(ours.recv(32))
                except TimeoutError:
                    os.kill(pid, 9)
                    raise subprocess.TimeoutExpired(arguments, timeout_seconds) from None
            texts: list[str] = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode())
        return subprocess.CompletedProcess(arguments, status, *texts)

    def close(self) -> None:
        """Ends the process."""
        self._socket.close()
        self._server.wait(30)


def _serve(requests: socket.socket) -> dict[str, Any] | None:
    """Answers until nobody asks any more; comes back with a request only in the process that shall run it."""
    for module in _IMPORTED_FIRST:
        importlib.import_module(module)
    while True:
        message, files, _, _ = socket.recv_fds(requests, 16, 4)
        if not message:
            return None
        if os.fork():
            for each in files:
                os.close(each)
            # Of the process in between: it has ended when the command has.
            _reap()
            continue
        requests.close()
        request_file, out, err, told = files
        answer = socket.socket(fileno=told)
        command = os.fork()
        if not command:
            answer.close()
            os.dup2(out, 1)
            os.dup2(err, 2)
            with open(request_file, "rb") as stream:
                stream.seek(0)
                content = stream.read()
            os.close(out)
            os.close(err)
            return json.loads(content)
        answer.send(str(command).encode())
        _, status = os.waitpid(command, 0)
        # Nobody listens any more to a command that took too long.
        with contextlib.suppress(BrokenPipeError):
            answer.send(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)


def _reap() -> None:
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return


def _run_command(request: dict[str, Any]) -> None:
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["pocketclip", *request["arguments"]]
    # As `python -m pocketclip` has it, with what the test adds to PYTHONPATH.
    added = request["environment"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [request["cwd"], *(each for each in added if each and each not in sys.path)]
    runpy.run_module("pocketclip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as _requests:
        _asked = _serve(_requests)
    if _asked is not None:
        _run_command(_asked)
