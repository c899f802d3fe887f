"""The process that opens what others wrote: its answers, its bounds, and how each way to die is worded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pocketclip.models.errors import ConfigError
from pocketclip.models.reading_child import GIB, Bounds, Child, ChildFault

REPOSITORY = Path(__file__).parents[3]
BOUNDS = Bounds(GIB, 60.0)


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    with Child() as running:
        yield running


def double(number: int) -> int:
    return 2 * number


def refuse() -> None:
    raise ConfigError("this is not allowed")


def fail(words: str) -> None:
    raise ValueError(words)


def leave(code: int) -> None:
    os._exit(code)


def leave_by_exception() -> None:
    sys.exit("a library's own farewell")


def crash() -> None:
    print("noise of a library", file=sys.stderr)
    os.kill(os.getpid(), signal.SIGSEGV)


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def compute_for_ever() -> None:
    while True:
        pass


def take(size: int) -> int:
    return len(bytearray(size))


def count(most: int, *, sign) -> int:
    for number in range(most):
        time.sleep(0.3)
        sign(number)
    return most


def own_id() -> int:
    return os.getpid()


def write_temporary() -> str:
    import tempfile

    descriptor, name = tempfile.mkstemp()
    os.close(descriptor)
    return name


def unpicklable() -> object:
    return lambda: None


def start_sleeper() -> int:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]).pid


def test_answers_and_own_errors(child: Child) -> None:
    assert child.call(double, 21, bounds=BOUNDS) == 42
    with pytest.raises(ConfigError, match="this is not allowed"):
        child.call(refuse, bounds=BOUNDS)


def test_what_a_library_raises(child: Child) -> None:
    before = child.call(own_id, bounds=BOUNDS)
    with pytest.raises(ChildFault, match=r"^first line$"):
        child.call(fail, "\nfirst line\nsecond line", bounds=BOUNDS)
    with pytest.raises(ChildFault, match=r"^ValueError$"):
        child.call(fail, "", bounds=BOUNDS)
    with pytest.raises(ChildFault, match=r"a library.s own farewell"):
        child.call(leave_by_exception, bounds=BOUNDS)
    with pytest.raises(ChildFault, match="cannot be returned"):
        child.call(unpicklable, bounds=BOUNDS)
    # None of these costs the process.
    assert child.call(own_id, bounds=BOUNDS) == before


def test_death_is_worded_and_the_next_call_starts_anew(child: Child, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ChildFault, match=r"crashed \(SIGSEGV\)"):
        child.call(crash, bounds=BOUNDS)
    with pytest.raises(ChildFault, match=r"ended the process \(exit code 3\)"):
        child.call(leave, 3, bounds=BOUNDS)
    assert child.call(double, 1, bounds=BOUNDS) == 2
    assert capfd.readouterr() == ("", "")


def tell() -> None:
    from pocketclip.models.terminal import command_line

    print("noise of a library")
    command_line.note("worth knowing")


def test_notes_reach_the_user(child: Child, capfd: pytest.CaptureFixture[str]) -> None:
    # Its stderr is that of the moment when it starts.
    child.close()
    child.call(tell, bounds=BOUNDS)
    child.close()
    assert capfd.readouterr() == ("", "worth knowing\n")


def test_time(child: Child) -> None:
    started = time.monotonic()
    with pytest.raises(ChildFault, match=r"no answer within \d+ s"):
        child.call(sleep, 300.0, bounds=Bounds(GIB, 1.0))
    with pytest.raises(ChildFault, match=r"no answer within \d+ s"):
        child.call(compute_for_ever, bounds=Bounds(GIB, 1.0))
    assert time.monotonic() - started < 60


def test_signs_of_progress_start_the_clock_anew(child: Child) -> None:
    child.call(double, 1, bounds=BOUNDS)
    heard: list[int] = []
    assert child.call(count, 8, bounds=Bounds(GIB, 2.0), on_sign=heard.append) == 8
    assert heard == list(range(8))


@pytest.mark.parametrize("size", [2 * GIB, 1 << 50])
def test_memory(child: Child, size: int) -> None:
    with pytest.raises(ChildFault, match=r"more than the 1\.0 GiB"):
        child.call(take, size, bounds=BOUNDS)
    # The bound is that call's own.
    assert child.call(take, GIB + GIB // 4, bounds=Bounds(2 * GIB, 60.0)) == GIB + GIB // 4


def test_nothing_is_left_behind() -> None:
    with Child() as running:
        temporary = Path(running.call(write_temporary, bounds=BOUNDS))
        started = running.call(start_sleeper, bounds=BOUNDS)
        process = running.call(own_id, bounds=BOUNDS)
        assert temporary.is_file()
    assert not temporary.exists()
    for number in (process, started):
        assert _has_ended(number)


def test_a_crash_says_nothing_but_its_words(tmp_path: Path) -> None:
    """Python's tracker of semaphores warns on stderr as the program ends."""
    (tmp_path / "program.py").write_text(
        """
import os, signal
from multiprocessing import get_context
from pocketclip.models.reading_child import Bounds, Child, ChildFault

def crash():
    lock = get_context("spawn").Lock()
    os.kill(os.getpid(), signal.SIGSEGV)

if __name__ == "__main__":
    with Child() as child:
        try:
            child.call(crash, bounds=Bounds(1 << 30, 60.0))
        except ChildFault as fault:
            print(fault)
"""
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    result = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")], capture_output=True, text=True, env=environment, timeout=60
    )
    assert result.stdout == "the library that opens it crashed (SIGSEGV)\n"
    assert result.stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it takes the child a second to see it")
def test_a_child_does_not_outlive_its_parent() -> None:
    program = """
import sys, time
from pocketclip.models.reading_child import Bounds, Child
import tests_child_functions as functions
if __name__ == "__main__":
    child = Child()
    print(child.call(functions.own_id, bounds=Bounds(1 << 30, 60.0)), flush=True)
    child.call(functions.sleep, 300.0, bounds=Bounds(1 << 30, 600.0))
"""
    functions = "import os, time\ndef own_id(): return os.getpid()\ndef sleep(seconds): time.sleep(seconds)\n"
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tests_child_functions.py").write_text(functions)
        Path(folder, "program.py").write_text(program)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), folder])}
        parent = subprocess.Popen(
            [sys.executable, str(Path(folder, "program.py"))], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert parent.stdout is not None
        number = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        parent.stdout.close()
        assert _has_ended(number)


def _has_ended(number: int) -> bool:
    import psutil

    for _ in range(100):
        try:
            if psutil.Process(number).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False
