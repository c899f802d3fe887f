"""Devices that print without end, give files without end, chatter before every answer, or have odd names."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pocketclip.benchmark.errors import NoisyShellError, OutputLimitError, TransferError, TransportError
from pocketclip.benchmark.transport import client
from pocketclip.benchmark.transport.adb import AdbDevice, AdbTransport, parse_adb_devices
from pocketclip.benchmark.transport.client import Ended, run_client
from pocketclip.benchmark.transport.local import LocalTransport
from pocketclip.benchmark.transport.shell import ShellTransport
from pocketclip.benchmark.transport.ssh import SshTransport

CASE = Path(__file__).parents[2] / "cases" / "adb-serial-with-space"
SERIAL = "adb-TESTSERIAL-AbCdEf (2)._adb-tls-connect._tcp"


class HereTransport(ShellTransport):
    """A device that is this machine; `noise` is what its shell runs before each line, `farewell` after it."""

    def __init__(self, noise: str = "", farewell: str = "") -> None:
        super().__init__("here")
        self.noise, self.farewell = noise, farewell

    def _run_line(self, line: str, timeout_seconds: float) -> Ended:
        whole = f"{self.noise}\n{line}\n{self.farewell}\n"
        return run_client(["sh", "-c", whole], timeout_seconds=timeout_seconds)

    def _send(self, local: Path, remote: str, timeout_seconds: float) -> None:
        Path(remote).write_bytes(local.read_bytes())

    def _receive(self, remote: str, local: Path, timeout_seconds: float) -> None:
        local.write_bytes(Path(remote).read_bytes())

    def _fault(self, words: str, what: str) -> TransportError:
        return TransportError(f"cannot {what}: {words}")

    def reconnect(self) -> None:
        pass


def test_a_program_that_prints_without_end_is_ended() -> None:
    with pytest.raises(OutputLimitError, match=r"yes printed more than 16 MiB and was stopped") as caught:
        run_client(["yes"], timeout_seconds=60)
    assert (caught.value.code, caught.value.exit_code) == ("output-too-long", 31)
    with pytest.raises(OutputLimitError):
        run_client(["sh", "-c", "yes >&2"], timeout_seconds=60)
    ended = run_client(["sh", "-c", "head -c 3000000 /dev/zero; echo error >&2; exit 3"], timeout_seconds=60)
    assert (len(ended.stdout), ended.stderr, ended.exit_code) == (3_000_000, b"error\n", 3)
    assert run_client(["sleep", "60"], timeout_seconds=0.2).exit_code is None


def test_files_without_end_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_WRITTEN_BYTES", 1 << 20)
    goal = tmp_path / "goal"
    with pytest.raises(OutputLimitError, match="gave more than 1 MiB for one file"):
        run_client(["cat", "/dev/zero"], timeout_seconds=60, stdout=goal)
    with pytest.raises(OutputLimitError, match="gave more than 1 MiB for one file"):
        run_client(["cp", "/dev/zero", str(goal)], timeout_seconds=60, writes=goal)


@pytest.mark.parametrize("make", [LocalTransport, HereTransport])
def test_only_regular_files_are_pulled(tmp_path: Path, make: Callable[[], LocalTransport | HereTransport]) -> None:
    transport, goal = make(), tmp_path / "goal"
    secret, linked, endless, fifo = (tmp_path / name for name in ("secret", "linked", "endless", "fifo"))
    secret.write_text("secret")
    linked.symlink_to(secret)
    endless.symlink_to("/dev/zero")
    os.mkfifo(fifo)
    for wrong in (linked, endless, fifo, Path("/dev/zero"), tmp_path, tmp_path / "none"):
        with pytest.raises(TransportError):
            transport.pull(str(wrong), goal)
        assert not goal.exists()
    huge = tmp_path / "huge"
    with huge.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(OutputLimitError, match="1099511627776 bytes, at most 134217728 are allowed"):
        transport.pull(str(huge), goal)
    transport.pull(str(secret), goal)
    assert goal.read_text() == "secret"


NOISES = ["echo Welcome", "printf 'no line end'", "echo 'Last login: today'; echo 12345; echo irregular"]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("farewell", ["", "echo bye; echo 7"])
def test_a_shell_that_chatters_around_every_answer(tmp_path: Path, noise: str, farewell: str) -> None:
    transport = HereTransport(noise, farewell)
    assert transport.shell("echo answer").stdout == "answer\n"
    assert transport.shell("exit_with() { return 3; }; exit_with").exit_code == 3
    sent, back = tmp_path / "sent", tmp_path / "back"
    sent.write_bytes(os.urandom(10_000))
    with transport.workspace(str(tmp_path)) as folder:
        transport.push(sent, f"{folder}/file")
        transport.pull(f"{folder}/file", back)
        assert transport.execute(["echo", "hello"], folder=folder, timeout_seconds=20).stdout == "hello\n"
    assert back.read_bytes() == sent.read_bytes()


def test_a_shell_that_answers_something_else_is_named(tmp_path: Path) -> None:
    class Deaf(HereTransport):
        def _run_line(self, line: str, timeout_seconds: float) -> Ended:
            return super()._run_line(
                line.replace("wc -c", "echo Hi; true").replace("sha256sum", "none"), timeout_seconds
            )

    sent = tmp_path / "sent"
    sent.write_text("x")
    with pytest.raises(NoisyShellError, match=r"answers 'Hi.*its shell prints extra lines; make its start") as caught:
        Deaf().push(sent, str(tmp_path / "there"))
    assert (caught.value.code, caught.value.exit_code) == ("noisy-shell", 32)


def test_a_noisy_board_by_ssh(tmp_path: Path) -> None:
    """`ssh` is a stand-in whose login shell greets, as one with `echo` in ~/.bashrc does."""
    program = tmp_path / "ssh"
    program.write_text('#!/bin/bash\nfor last; do :; done\necho "Welcome to the board"\nsh -c "$last"\necho bye\n')
    program.chmod(0o755)
    with closing(SshTransport("board", "board", program=str(program))) as transport:
        sent, back = tmp_path / "sent", tmp_path / "back"
        sent.write_bytes(os.urandom(5000) + b"\n\n")
        transport.push(sent, str(tmp_path / "there"))
        transport.pull(str(tmp_path / "there"), back)
        assert back.read_bytes() == sent.read_bytes()
        with pytest.raises(TransportError, match="No such file"):
            transport.pull(str(tmp_path / "none"), back)
    assert "cable" not in transport.transfer_advice and issubclass(TransferError, TransportError)


@pytest.fixture
def recording_adb(tmp_path: Path) -> tuple[str, Path]:
    """An adb that notes its arguments, as JSON lines, and answers like a phone that is this machine."""
    log, program = tmp_path / "log", tmp_path / "adb"
    program.write_text(
        f"#!{sys.executable}\nimport json, subprocess, sys\n"
        f"open({str(log)!r}, 'a').write(json.dumps(sys.argv[1:]) + '\\n')\n"
        "sys.exit(subprocess.run(['sh', '-c', sys.argv[4]]).returncode if sys.argv[3:4] == ['shell'] else 0)\n"
    )
    program.chmod(0o755)
    return str(program), log


def test_a_wireless_phone_whose_name_collided(recording_adb: tuple[str, Path]) -> None:
    """The case `adb-serial-with-space`."""
    assert parse_adb_devices((CASE / "list").read_text()) == [AdbDevice(SERIAL, "device", "Pixel 7")]
    program, log = recording_adb
    AdbTransport(SERIAL, "pixel7", program=program).shell("true")
    assert [json.loads(line)[:3] for line in log.read_text().splitlines()] == [["-s", SERIAL, "shell"]]


def test_the_doctor_finds_it(tmp_path: Path) -> None:
    table = tmp_path / "own.toml"
    table.write_text(f'[mine]\ntitle = "x"\ntransport = "adb"\nmatch = {{ serial = "{SERIAL}" }}\n')
    environment = os.environ | {"PATH": f"{CASE}{os.pathsep}{os.environ['PATH']}"}
    for name in ("pixel7", "mine"):
        found = subprocess.run(
            [sys.executable, "-m", "pocketclip", "devices", "doctor", name, "--devices", str(table)],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert f"ok      attached: {SERIAL}" in found.stdout, found.stderr
        assert "unplug it" not in found.stdout


STATES = [
    "device",
    "offline",
    "unauthorized",
    "authorizing",
    "recovery",
    "no permissions (user; rules?); see [http://x]",
]
SERIALS = st.from_regex(r"[A-Za-z0-9\[(][A-Za-z0-9 ()._:%\[\]-]{0,40}[A-Za-z0-9\])]", fullmatch=True)


@settings(deadline=None)
@given(serial=SERIALS, state=st.sampled_from(STATES), tail=st.sampled_from(["", " usb:1-2 transport_id:5"]))
@example(SERIAL, "device", " product:panther model:Pixel_7 device:panther transport_id:1")
@example("[fe80::1%eth0]:5555", "device", " model:Pixel_7 transport_id:1")
@example("my device (2)._adb-tls-connect._tcp", "device", "")
@example("a no permissions b", "offline", " transport_id:5")
def test_any_serial_is_read_from_the_list(serial: str, state: str, tail: str) -> None:
    listed = f"List of devices attached\n{serial:<22} {state}{tail}\n\n"
    (found,) = parse_adb_devices(listed)
    assert (found.serial, found.state) == (serial, state.partition(" (")[0])


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0/\n"), min_size=1, max_size=20))
@example("$(touch PWNED)")
@example("'; touch PWNED; '")
@example("-rf")
def test_no_name_reaches_the_shell_as_more_than_a_name(tmp_path: Path, name: str) -> None:
    if name in (".", ".."):
        return
    transport = HereTransport()
    sent, back, folder = tmp_path / "sent", tmp_path / "back", tmp_path / "device"
    sent.write_text("content")
    remote = f"{folder}/{name}/{name}"
    transport.push(sent, remote)
    transport.pull(remote, back)
    assert back.read_text() == "content"
    assert transport.execute(["printf", "%s", name], folder=f"{folder}/{name}", timeout_seconds=20).stdout == name
    assert [path.name for path in folder.iterdir()] == [name] and not Path("PWNED").exists()
    shutil.rmtree(folder)
    assert shlex.split(shlex.quote(name)) == [name]
