"""Nothing leaves our folder on a device, and nothing but what is ours is removed there: whatever names it."""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pocketclip.benchmark.errors import BenchmarkError, TransportError
from pocketclip.benchmark.phone_app.android_app import AndroidApp, clear_leftovers
from pocketclip.benchmark.phone_app.apk import Apk
from pocketclip.benchmark.phone_app.app_protocol import AppFacts
from pocketclip.benchmark.phone_app.iphone_requests import arrange_request
from pocketclip.benchmark.records.benchmark import RunSettings
from pocketclip.benchmark.runners.agent_runner import AgentRunner
from pocketclip.benchmark.runners.protocol import JOB_VERSION, RESULT_VERSION
from pocketclip.benchmark.transport.adb import AdbTransport
from pocketclip.benchmark.transport.client import Ended
from pocketclip.benchmark.transport.device_paths import DevicePathError, below, leftovers_line, removal_line, short_hash
from pocketclip.benchmark.transport.shell import ShellTransport
from pocketclip.benchmark.transport.ssh import SshTransport
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.errors import ArtifactError
from pocketclip.export.precision import Tower
from tests.export.bundle.tiny_artifacts import build_artifact

# What breaks paths and shells, beside any text at all.
PIECES = st.sampled_from(
    [
        "..",
        ".",
        "/",
        "//",
        "",
        "~",
        "$HOME",
        "`id`",
        "$(id)",
        ";",
        "'",
        '"',
        "*",
        "?",
        "\n",
        "\0",
        "-rf",
        " ",
        "pocketclip",
    ]
)
HOSTILE = st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=30))
PATHS = st.one_of(HOSTILE, HOSTILE.map("/".__add__), HOSTILE.map("/tmp/pocketclip-1/".__add__))


@given(PATHS)
@example("")
@example("/")
@example("pocketclip-1")
@example("/tmp/pocketclip-1/../../etc")
@example("/data/local/tmp")
@example("/sdcard/DCIM/Camera")
def test_only_paths_of_ours_make_a_line(path: str) -> None:
    try:
        line = removal_line(path)
    except DevicePathError:
        return
    assert path.startswith("/") and ".." not in path.split("/")
    assert any(part.startswith("pocketclip") or part == "org.pocketclip.bench" for part in path.split("/"))
    # The whole path is one word for the shell.
    assert path in shlex.split(line.replace("\n", " ").replace(";", " ; "))


@given(HOSTILE)
@example("../../../../DCIM000" + "0" * 45)
@example("A" * 64)
@example("a" * 63 + "\n")
def test_only_hashes_name_folders(text: str) -> None:
    if re.fullmatch("[0-9a-f]{64}", text):
        assert short_hash(text) == text[:16]
    else:
        with pytest.raises(DevicePathError, match="must be 64 hex digits"):
            short_hash(text)


@given(HOSTILE)
@example("a/../../x")
@example("model.mlpackage/Data/x.bin")
def test_only_plain_paths_go_below_a_folder(relative: str) -> None:
    with suppress(DevicePathError):
        made = below("/tmp/pocketclip-1", relative)
        assert made == f"/tmp/pocketclip-1/{relative}"
        assert re.fullmatch(r"(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)+", made)


@dataclass(frozen=True)
class World:
    """A device's file system: our folder beside photographs, with links from one to the other."""

    root: Path

    def snapshot(self) -> set[str]:
        """Everything that is not ours."""
        kept = [self.root / "DCIM", self.root / "elsewhere"]
        return {str(path) for place in kept for path in [place, *place.rglob("*")] if path.exists()}


@contextmanager
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        for path in ("DCIM/Camera/1.jpg", "elsewhere/pocket/2.jpg", "own/pocketclip-0123456789ab/a/b.bin"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text("content")
        own = root / "own" / "pocketclip-0123456789ab"
        (own / "photos").symlink_to(root / "DCIM")
        (own / "again").symlink_to(own / "a")
        (root / "own" / "pocketclip-link").symlink_to(root / "elsewhere")
        yield World(root)


def _run(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=20)


RELATIVE = st.one_of(
    HOSTILE,
    st.lists(
        st.sampled_from(
            ["pocketclip-0123456789ab", "pocketclip-link", "photos", "again", "a", "b.bin", "Camera", "..", ""]
        ),
        max_size=5,
    ).map("/".join),
)


@settings(max_examples=80, deadline=None)
@given(RELATIVE)
@example("pocketclip-0123456789ab/photos/Camera")
@example("pocketclip-link/pocket")
@example("pocketclip-0123456789ab/../../DCIM")
@example("pocketclip-link")
def test_a_real_shell_removes_nothing_else(relative: str) -> None:
    with world() as device:
        before = device.snapshot()
        with suppress(DevicePathError):
            _run(removal_line(f"{device.root}/own/{relative}"))
        assert device.snapshot() == before


def test_what_is_removed_and_what_is_said() -> None:
    with world() as device:
        own = device.root / "own" / "pocketclip-0123456789ab"
        gone = _run(removal_line(f"{own}/photos/Camera"))
        assert (gone.returncode, gone.stdout) == (3, "")
        assert "is not below PocketCLIP's folder after resolving links" in gone.stderr
        assert _run(removal_line(f"{device.root}/own/pocketclip-link/pocket")).returncode == 3
        # A link inside our folder to our folder leads nowhere else.
        assert _run(removal_line(f"{own}/again/b.bin")).returncode == 0
        assert not (own / "a" / "b.bin").exists()
        # Links themselves go, what they point to stays.
        assert _run(removal_line(f"{own}/photos")).returncode == 0
        assert not (own / "photos").is_symlink() and (device.root / "DCIM" / "Camera" / "1.jpg").exists()
        for _ in range(2):
            assert _run(removal_line(str(own))).returncode == 0
            assert not own.exists()


def test_leftovers_are_folders_with_names_of_ours() -> None:
    with world() as device:
        own = device.root / "own"
        (own / "pocketclip-backup").mkdir()
        (own / "pocketclip-aaaaaaaaaaaa").symlink_to(device.root / "DCIM")
        (own / "pocketclip-bbbbbbbbbbbb").write_text("a file")
        assert _run(leftovers_line(str(own), older_than_a_day=True)).returncode == 0
        assert (own / "pocketclip-0123456789ab").exists()
        assert _run(leftovers_line(str(own), older_than_a_day=False)).returncode == 0
        assert sorted(path.name for path in own.iterdir()) == [
            "pocketclip-aaaaaaaaaaaa",
            "pocketclip-backup",
            "pocketclip-bbbbbbbbbbbb",
            "pocketclip-link",
        ]
        assert (device.root / "DCIM" / "Camera" / "1.jpg").exists()
    for wrong in ("", "relative", "/a/../b", "/a\nb"):
        with pytest.raises(DevicePathError, match="must be an absolute path of a device"):
            leftovers_line(wrong, older_than_a_day=False)


class Recording(ShellTransport):
    """A device that does nothing, and remembers every line and path that reached it."""

    def __init__(self) -> None:
        super().__init__("phone")
        self.lines: list[str] = []

    def _run_line(self, line: str, timeout_seconds: float) -> Ended:
        self.lines.append(line)
        raise TransportError("not now")

    def _send(self, local: Path, remote: str, timeout_seconds: float) -> None:
        self.lines.append(remote)

    def _receive(self, remote: str, local: Path, timeout_seconds: float) -> None:
        self.lines.append(remote)

    def _fault(self, words: str, what: str) -> TransportError:
        return TransportError(words)

    def reconnect(self) -> None:
        pass


FACTS = AppFacts("1", "Android", RESULT_VERSION, JOB_VERSION, {}, {}, (), 1 << 40, False)
SHARED = "/sdcard/Android/media/org.pocketclip.bench"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return build_artifact(tmp_path_factory.mktemp("tiny"), Tower.TEXT)


def _by_agent(artifact: Artifact, transport: Recording, scratch: Path) -> None:
    runner = AgentRunner(
        transport, workspace="/data/local/tmp/pocketclip-1", scratch=scratch, python=("python3",), agent=b"agent"
    )
    runner.run(artifact, "onnxruntime", RunSettings(), timeout_seconds=1)


def _by_app(artifact: Artifact, transport: Recording, scratch: Path) -> None:
    app = AndroidApp(
        transport, Apk(scratch / "none.apk"), FACTS, shared=SHARED, folder=f"{SHARED}/pocketclip-1", scratch=scratch
    )
    app.put_model(artifact)


@pytest.mark.parametrize("send", [_by_agent, _by_app])
@settings(max_examples=30, deadline=None)
@given(place=st.sampled_from(["hash", "path", "entry_point"]), text=HOSTILE)
@example(place="hash", text="../../../../DCIM000" + "0" * 45)
@example(place="path", text="a/../../x")
@example(place="path", text="/etc/passwd")
def test_no_field_of_a_manifest_reaches_a_device_unchecked(
    tiny: Artifact, send: Callable[[Artifact, Recording, Path], None], place: str, text: str
) -> None:
    """Even where a manifest came into being without being read."""

    @dataclass(frozen=True)
    class Named(type(tiny.manifest)):  # pyright: ignore[reportGeneralTypeIssues, reportUntypedBaseClass]
        identity: str = ""

        @property
        def sha256(self) -> str:
            return self.identity

    values = {name: getattr(tiny.manifest, name) for name in tiny.manifest.__dataclass_fields__}
    if place == "path":
        values["files"] = (replace(tiny.manifest.files[0], path=text), *tiny.manifest.files[1:])
    elif place == "entry_point":
        values["entry_point"] = text
    manifest = Named(**values, identity=text if place == "hash" else "a" * 64)
    transport = Recording()
    with tempfile.TemporaryDirectory() as scratch, suppress(BenchmarkError, ArtifactError):
        send(Artifact(tiny.folder, manifest), transport, Path(scratch))
    for line in transport.lines:
        assert ".." not in line
        for part in shlex.split(line):
            assert not part.startswith("/") or part.startswith(("/data/local/tmp/pocketclip-1", SHARED))


@given(st.lists(HOSTILE, max_size=3))
@example(["../Library"])
@example(["/"])
@example([""])
def test_an_iphone_is_asked_to_remove_nothing_but_ours(remove: list[str]) -> None:
    with suppress(DevicePathError):
        request = arrange_request(remove=remove)
        assert all(path.split("/")[0] in ("pocketclip-bench", "job.json", "result.json") for path in request["remove"])
        assert not any(".." in path for path in request["remove"])


# A device that is this machine: `adb -s X shell LINE` and `ssh OPTIONS -- HOST LINE`.
_ADB = '#!/bin/sh\nshift 2\n[ "$1" = shell ] && exec sh -c "$2"\n'
_SSH = '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift 2\nexec sh -c "$*"\n'


@pytest.mark.parametrize("kind", ["adb", "ssh"])
def test_every_way_to_a_device_removes_by_that_line(kind: str, tmp_path: Path) -> None:
    program = tmp_path / kind
    program.write_text(_ADB if kind == "adb" else _SSH)
    program.chmod(0o755)
    transport: ShellTransport = (
        AdbTransport("X", "phone", program=str(program))
        if kind == "adb"
        else SshTransport("board", "board", program=str(program))
    )
    with world() as device:
        before = device.snapshot()
        own = f"{device.root}/own/pocketclip-0123456789ab"
        with pytest.raises(TransportError, match="is not below PocketCLIP's folder"):
            transport.remove(f"{own}/photos/Camera")
        for wrong in ("", "/", str(device.root / "DCIM"), f"{own}/../../DCIM", "pocketclip-1"):
            with pytest.raises(DevicePathError):
                transport.remove(wrong)
        with pytest.raises(DevicePathError), transport.workspace(""):
            pass
        with transport.workspace(str(device.root / "own")) as folder:
            assert Path(folder).is_dir()
        assert not Path(folder).exists()
        clear_leftovers(transport, str(device.root / "own"))
        assert not Path(own).exists()
        assert device.snapshot() == before


def test_hash_of_nothing_is_a_hash() -> None:
    assert short_hash(hashlib.sha256(b"").hexdigest()) == "e3b0c44298fc1c14"
