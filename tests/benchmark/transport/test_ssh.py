"""The ssh transport against a real sshd on this machine."""

from __future__ import annotations

import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from pocketclip.benchmark.devices.doctor import examine
from pocketclip.benchmark.devices.environment import BoardEnvironment
from pocketclip.benchmark.devices.shell_device import ShellDevice
from pocketclip.benchmark.devices.table import DeviceEntry, Match, TransportName
from pocketclip.benchmark.errors import (
    DeviceDisconnectedError,
    DeviceNotFoundError,
    DeviceUnauthorizedError,
    DeviceUnsupportedError,
    MissingProgramError,
    TransportError,
)
from pocketclip.benchmark.measuring.plan import BenchmarkPlan, SilentWatch, run_plan
from pocketclip.benchmark.records.benchmark import DeviceKind, RunSettings, Status
from pocketclip.benchmark.transport.ssh import SshTransport
from pocketclip.export.artifact.reading import Artifact


@pytest.fixture
def transport(server: Any) -> Iterator[SshTransport]:
    made = SshTransport("127.0.0.1", "board", options=server.options)
    yield made
    made.close()


def test_files_go_there_and_back(transport: SshTransport, tmp_path: Path) -> None:
    content = np.random.default_rng(1).bytes(300_000)
    (tmp_path / "some file'").write_bytes(content)
    with transport.workspace(str(tmp_path)) as folder:
        transport.push(tmp_path / "some file'", f"{folder}/a b/it's")
        transport.pull(f"{folder}/a b/it's", tmp_path / "back")
        with pytest.raises(TransportError, match=r"cannot read .*nothing: exit code"):
            transport.pull(f"{folder}/nothing", tmp_path / "none")
    assert (tmp_path / "back").read_bytes() == content
    assert not Path(folder).exists()
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("program", "code", "signal"),
    [("exit 7", 7, None), ("kill -SEGV $$", 139, "SIGSEGV"), ("kill -9 $$", 137, "SIGKILL"), ("exit 255", 255, None)],
)
def test_endings_pass_through(
    transport: SshTransport, tmp_path: Path, program: str, code: int, signal: str | None
) -> None:
    command = ["sh", "-c", f"echo 'it'\"'\"'s out'; echo err >&2; {program}"]
    execution = transport.execute(command, folder=str(tmp_path), timeout_seconds=30)
    assert (execution.exit_code, execution.stdout) == (code, "it's out\n")
    assert execution.signal_name == signal
    assert "err" in execution.stderr


def test_a_program_that_hangs_is_ended_there_too(transport: SshTransport, tmp_path: Path) -> None:
    command = ["sh", "-c", "sleep 4711 & sleep 4711"]
    execution = transport.execute(command, folder=str(tmp_path), timeout_seconds=1)
    assert execution.exit_code is None
    deadline = time.monotonic() + 10
    while _sleepers() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _sleepers() == []


def _sleepers() -> list[int]:
    return [each.pid for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == ["sleep", "4711"]]


def test_a_connection_that_breaks_is_no_success(transport: SshTransport, tmp_path: Path) -> None:
    # The nearest sshd above is the process of this connection.
    up = "p=$$; while [ $(ps -o comm= -p $p) != sshd ]; do p=$(ps -o ppid= -p $p); done"
    command = ["sh", "-c", f"echo half; {up}; kill -9 $p; sleep 5"]
    with pytest.raises(DeviceDisconnectedError, match="board disconnected"):
        transport.execute(command, folder=str(tmp_path), timeout_seconds=30)
    assert transport.wait_until_back(10)
    assert transport.shell("echo back").stdout == "back\n"


def test_who_does_not_let_us_in(server: Any, tmp_path: Path) -> None:
    strangers = [option for option in server.options if "known_hosts" not in option.lower()]
    strangers = [*strangers[:-1], "-o", f"UserKnownHostsFile={tmp_path / 'none'}"]
    unknown = SshTransport("127.0.0.1", "board", options=[*strangers, "-o", "StrictHostKeyChecking=yes"])
    with pytest.raises(DeviceUnauthorizedError, match=r"Host key verification failed.*log in once by hand"):
        unknown.shell("true")
    keyless = ["/dev/null" if "user" in Path(word).name and "known" not in word else word for word in server.options]
    with pytest.raises(DeviceUnauthorizedError, match=r"Permission denied.*ssh-copy-id"):
        SshTransport("127.0.0.1", "board", options=keyless).shell("true")
    with pytest.raises(DeviceNotFoundError, match=r"Connection refused.*check that sshd runs there"):
        SshTransport("127.0.0.1", "board", options=["-F", "none", "-p", "1"]).shell("true")
    with pytest.raises(MissingProgramError, match="apt-get install openssh-client"):
        SshTransport("127.0.0.1", "board", program="no-such-ssh").shell("true")


def entry(server: Any, tmp_path: Path, **changes: Any) -> DeviceEntry:
    values = {
        "match": Match(host="127.0.0.1"),
        "python": sys.executable,
        "environment": "given",
        "ssh": server.options,
        "workspace": str(tmp_path),
    }
    return DeviceEntry("board", "a board", TransportName.SSH, **(values | changes))


@pytest.mark.slow
def test_an_artefact_is_measured_on_a_board(
    server: Any, transport: SshTransport, build_artifact: Callable[..., Artifact], tmp_path: Path
) -> None:
    device = ShellDevice(entry(server, tmp_path), transport, "127.0.0.1", say=lambda _: None)
    device.check()
    (record,) = run_plan(
        BenchmarkPlan((build_artifact(),), (RunSettings(iterations=3, launches=2),), cooldown_seconds=0),
        device,
        append=lambda _: None,
        watch=SilentWatch(),
    )
    assert record.reason is None
    assert record.status is Status.MEASURED
    assert (record.device.name, record.device.kind) == ("board", DeviceKind.BOARD)
    assert record.device.logical_cores >= 1 and (record.device.memory_bytes or 0) > 1 << 28
    assert not list(tmp_path.glob("pocketclip-*"))


@pytest.mark.slow
def test_the_doctor_looks_at_a_board(server: Any, tmp_path: Path) -> None:
    findings = {each.precondition: each for each in examine(entry(server, tmp_path))}
    assert {"ssh", "what it is", "files arrive whole", "space", "Python"} <= set(findings)
    assert findings["files arrive whole"].met and findings["Python"].met
    lacking = {each.precondition: each for each in examine(entry(server, tmp_path, python="/no/python"))}
    assert not lacking["Python"].met
    assert "there is no /no/python of version 3.9 or more on board" in lacking["Python"].detail


def write_wheel(folder: Path, name: str, version: str, content: str) -> None:
    """A pure wheel of one module."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    module = {"ai-edge-litert": "ai_edge_litert"}.get(name, name)
    files = {
        f"{module}.py": content,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


@pytest.mark.slow
def test_an_environment_is_made_once(sshd: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    wheels, home = tmp_path / "wheels", tmp_path / "home"
    wheels.mkdir()
    home.mkdir()
    for name in ("numpy", "onnxruntime"):
        write_wheel(wheels, name, metadata.version(name), f"made_up = '{name}'\n")
    server = sshd(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels), HOME=str(home))
    board = SshTransport("127.0.0.1", "board", options=server.options)
    said: list[str] = []
    environment = BoardEnvironment(board, sys.executable, given=False, say=said.append)
    environment.check()
    (python,) = environment.python("onnxruntime")
    assert python.startswith(f"{home}/.cache/pocketclip/onnxruntime-")
    asked = "import numpy, onnxruntime; print(numpy.made_up, onnxruntime.made_up)"
    assert board.execute([python, "-c", asked], folder="/", timeout_seconds=60).stdout == "numpy onnxruntime\n"
    again = BoardEnvironment(board, sys.executable, given=False, say=said.append)
    assert again.python("onnxruntime") == (python,)
    assert len(said) == 1 and said[0].startswith("setting up numpy==")
    with pytest.raises(DeviceUnsupportedError, match=r"cannot set up the runtime on board.*check its network"):
        again.python("litert")
    # What was interrupted is made anew.
    Path(python).parents[1].joinpath(".pocketclip-ready").unlink()
    assert BoardEnvironment(board, sys.executable, given=False, say=said.append).python("onnxruntime") == (python,)
    assert len(said) == 3
    board.close()
