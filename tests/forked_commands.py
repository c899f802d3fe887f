"""Runs `python -m MODULE ARGS...` by `tests/fork_server.py`, with the results that `subprocess.run` gives."""

from __future__ import annotations

import atexit
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.fork_server import ANSWER, MOST_BYTES

# What packages read while they are imported would come too late for a forked process.
_LATE = ("TMPDIR", "COLUMNS", "NO_COLOR", "POCKETCLIP_")


class ForkServer:
    """A process that has imported the heavy packages and forks commands; it ends with this one."""

    def __init__(self) -> None:
        self._environment = dict(os.environ)
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("fork_server.py")), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        if self._requests.recv(MOST_BYTES) != b"ready":
            raise RuntimeError(f"the server that forks commands has not started:\n{self._process.communicate()[1]}")
        atexit.register(self.close)

    def close(self) -> None:
        """Ends the server; commands that still run go on."""
        self._requests.close()
        self._process.wait()

    def fits(self, environment: dict[str, str]) -> bool:
        """Whether a command with this environment may be forked: no package has read a variable that differs."""
        names = {*environment, *self._environment}
        return all(name.startswith(_LATE) or environment.get(name) == self._environment.get(name) for name in names)

    def run(
        self,
        module: str,
        arguments: list[str],
        environment: dict[str, str],
        *,
        timeout: float,
        cwd: str | Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """What `subprocess.run` gives for `python -m MODULE ARGS...` with `capture_output` and `text`.

        Raises:
            subprocess.TimeoutExpired: the command was killed after `timeout` seconds.
        """
        command = [sys.executable, "-m", module, *arguments]
        request = {
            "module": module,
            "arguments": arguments,
            "environment": environment,
            "folder": os.path.abspath(cwd or "."),
        }
        out, theirs_out = os.pipe()
        errors, theirs_errors = os.pipe()
        answers, theirs_answers = os.pipe()
        theirs = [theirs_out, theirs_errors, theirs_answers]
        try:
            socket.send_fds(self._requests, [json.dumps(request).encode()], [0, *theirs])
        finally:
            for each in theirs:
                os.close(each)
        with open(answers, "rb", buffering=0) as stream:
            process = _answer(stream.read(ANSWER.size))
            end = time.monotonic() + timeout
            texts = _read([out, errors, answers], end)
            if texts is None:
                os.kill(process, signal.SIGKILL)
                raise subprocess.TimeoutExpired(command, timeout)
            code = _answer(texts.pop())
        shown, said = (text.decode().replace("\r\n", "\n").replace("\r", "\n") for text in texts)
        return subprocess.CompletedProcess(command, code, shown, said)


def _answer(content: bytes) -> int:
    if len(content) != ANSWER.size:
        raise RuntimeError("the server that forks commands has died")
    return ANSWER.unpack(content)[0]


def _read(descriptors: list[int], end: float) -> list[bytes] | None:
    """What each gives until its end; None where the time is over first. All but the last are closed."""
    found: dict[int, bytearray] = {each: bytearray() for each in descriptors}
    try:
        with selectors.DefaultSelector() as selector:
            for each in descriptors:
                selector.register(each, selectors.EVENT_READ)
            while selector.get_map():
                left = end - time.monotonic()
                if left <= 0:
                    return None
                for key, _ in selector.select(left):
                    content = os.read(key.fd, 1 << 16)
                    found[key.fd] += content
                    if not content:
                        selector.unregister(key.fd)
    finally:
        for each in descriptors[:-1]:
            os.close(each)
    return [bytes(each) for each in found.values()]
