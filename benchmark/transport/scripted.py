"""A transport without a device: a table of expected calls and of what each answers, for tests.

ScriptedTransport(
    Expected("push", "*/agent.pyz"),
    Expected("execute", "python3 *", Execution(0, "", "")),
    Expected("pull", "*/result.json", DeviceDisconnectedError("unplugged")),
)
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pocketclip.benchmark.errors import TransportError
from pocketclip.benchmark.transport.base import Execution

Files = Mapping[str, bytes]
Answer = Execution | bytes | BaseException | None


class UnexpectedCallError(TransportError):
    """A call is not the one that the table has next."""


@dataclass(frozen=True)
class Expected:
    """One call. `pattern` fits the remote path, or the command in a shell's words; `*` stands for anything.

    `answer` is what the call brings: bytes of a file pulled, how a program ended, an error to raise; or a function
    from the files pushed so far, by remote path, to one of these. With `optional`, the call may be left out.
    """

    call: Literal["push", "pull", "execute", "remove", "wait_until_back"]
    pattern: str = "*"
    answer: Answer | bool | Callable[[Files], Answer] = None
    optional: bool = False


class ScriptedTransport:
    """Answers calls from a table, in its order; any other call is an error.

    Raises:
        UnexpectedCallError: by each call that the table does not have next.
    """

    def __init__(self, *table: Expected) -> None:
        self._table = list(table)
        self.files: dict[str, bytes] = {}
        self.calls: list[str] = []

    def push(self, local: Path, remote: str) -> None:
        answer = self._next("push", remote)
        self._raise(answer)
        self.files[remote] = local.read_bytes()

    def pull(self, remote: str, local: Path) -> None:
        answer = self._raise(self._next("pull", remote))
        local.write_bytes(answer if isinstance(answer, bytes) else self.files[remote])

    def execute(self, command: Sequence[str], *, folder: str, timeout_seconds: float) -> Execution:
        answer = self._raise(self._next("execute", shlex.join(command)))
        return answer if isinstance(answer, Execution) else Execution(0, "", "")

    def remove(self, folder: str) -> None:
        """Removes a folder of the device, as `ShellTransport` does."""
        self._raise(self._next("remove", folder))

    def wait_until_back(self, timeout_seconds: float) -> bool:
        """Whether the device came back, as `ShellTransport` does."""
        return self._raise(self._next("wait_until_back", f"{timeout_seconds:g}")) is not False

    def finish(self) -> None:
        """Checks that every expected call was made.

        Raises:
            UnexpectedCallError: some were not.
        """
        left = [f"{expected.call} {expected.pattern}" for expected in self._table if not expected.optional]
        if left:
            raise UnexpectedCallError(f"calls never made: {'; '.join(left)}")

    def _next(self, call: str, words: str) -> object:
        self.calls.append(f"{call} {words}")
        while self._table:
            expected = self._table.pop(0)
            if expected.call == call and fnmatchcase(words, expected.pattern):
                answer = expected.answer
                return answer(self.files) if callable(answer) else answer
            if not expected.optional:
                self._table.insert(0, expected)
                raise UnexpectedCallError(f"got {call} {words!r}, expected {expected.call} {expected.pattern!r}")
        raise UnexpectedCallError(f"got {call} {words!r}, expected no more calls")

    @staticmethod
    def _raise(answer: object) -> object:
        if isinstance(answer, BaseException):
            raise answer
        return answer
