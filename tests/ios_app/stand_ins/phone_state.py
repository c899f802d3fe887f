"""An iPhone as a folder: its state in JSON, its app's container, and what its app does when it is started.

The app is the Linux build of the headless core. Standard library alone: each call of a stand-in is a process.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

# Others are imported where they are needed: most calls need none, and each is a process.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Names the folder.
VARIABLE = "TEST_IPHONE"
RESULT_LINE = "POCKETCLIP-RESULT"

# A phone in good order. `run_fault`, `install_fault` and `push_fault` name what goes wrong next.
GOOD: dict[str, Any] = {
    "udid": "00008130-000A11CE0F00BA12",
    "core_device": "5B4C4E0B-0000-4000-8000-00000000A001",
    "product": "iPhone16,1",
    "name": "Test iPhone",
    "os": "18.1",
    "build": "22B83",
    "attached": True,
    # A second phone of the same kind beside it.
    "second": False,
    "paired": True,
    "locked": False,
    "developer_mode": True,
    "image_mounted": True,
    "image_available": True,
    "developer_trusted": True,
    "app": None,
    "install_fault": None,
    "push_fault": None,
    "run_fault": None,
    # How many starts of the app come before the fault, which hits one alone.
    "run_fault_after": 0,
    # How many lists of devices a phone that went away is missing from; None: it stays away.
    "away_for": None,
    "pid": 4321,
}
SERVICES: dict[str, Any] = {
    "battery_percent": 88,
    "charging": True,
    "power_saver": False,
    "thermal_status": 0,
    "temperature_celsius": None,
    "debuggable": False,
}


class Refused(Exception):
    """The phone refuses a command; `fault` is a key of the stand-ins' tables of words."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


class Phone:
    """The phone of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of_environment(cls) -> Phone:
        """The one that `TEST_IPHONE` names."""
        return cls(Path(os.environ[VARIABLE]))

    @property
    def documents(self) -> Path:
        """The app's Documents."""
        return self.folder / "container" / "Documents"

    def make(self, command: list[str]) -> None:
        """A phone in good order; `command` starts the core."""
        self.folder.mkdir(parents=True)
        (self.folder / "replays").mkdir()
        self.write(GOOD)
        self._write_json("services", SERVICES)
        self._write_json("command", command)
        (self.folder / "calls.log").write_text("")

    def read(self) -> dict[str, Any]:
        return json.loads((self.folder / "phone.json").read_text())

    def write(self, state: dict[str, Any]) -> None:
        self._write_json("phone", state)

    def change(self, **changes: Any) -> None:
        self.write(self.read() | changes)

    def set_services(self, **changes: Any) -> None:
        """What iOS's services say from now on."""
        services = json.loads((self.folder / "services.json").read_text())
        self._write_json("services", services | changes)

    def log(self, arguments: list[str]) -> None:
        """Notes a command."""
        with (self.folder / "calls.log").open("a") as stream:
            stream.write(json.dumps(arguments) + "\n")

    def calls(self) -> list[list[str]]:
        """The commands so far."""
        return [json.loads(line) for line in (self.folder / "calls.log").read_text().splitlines()]

    def listed(self) -> bool:
        """Whether a list of devices has the phone; one that went away comes nearer to being back."""
        state = self.read()
        if not state["attached"] and state["away_for"] is not None:
            left = state["away_for"] - 1
            self.change(attached=left < 0, away_for=None if left < 0 else left)
        return self.read()["attached"]

    def require(self, *, paired: bool = True, developer: bool = False) -> dict[str, Any]:
        """The state, where the phone answers such a command."""
        state = self.read()
        if not state["attached"]:
            raise Refused("disconnected")
        if paired and not state["paired"]:
            raise Refused("unpaired")
        if developer:
            for key, wanted, fault in (
                ("locked", False, "locked"),
                ("developer_mode", True, "developer-mode"),
                ("image_mounted", True, "image"),
            ):
                if state[key] is not wanted:
                    raise Refused(fault)
        return state

    def mount(self) -> None:
        """Mounts the developer image."""
        state = self.require()
        if state["locked"]:
            raise Refused("locked")
        if not state["image_available"]:
            raise Refused("image")
        self.change(image_mounted=True)

    def install(self, package: Path) -> dict[str, Any]:
        """Installs an app; its data stays."""
        import plistlib
        import uuid

        state = self.require()
        if state["install_fault"] is not None:
            raise Refused(state["install_fault"])
        values = plistlib.loads(_info(package))
        place = f"/private/var/containers/Bundle/Application/{str(uuid.uuid4()).upper()}/PocketCLIP.app"
        app = {"bundle": values["CFBundleIdentifier"], "version": values["CFBundleVersion"], "place": place}
        self.documents.mkdir(parents=True, exist_ok=True)
        self.change(app=app)
        return app

    def app(self, bundle: str) -> dict[str, Any] | None:
        """The app, where that is its bundle identifier."""
        app = self.require()["app"]
        return app if app is not None and app["bundle"] == bundle else None

    def place(self, bundle: str, remote: str) -> Path:
        """A path of the app's container."""
        if self.app(bundle) is None:
            raise Refused("not-installed")
        return self.folder / "container" / remote.lstrip("/")

    def push(self, bundle: str, local: Path, remote: str) -> None:
        """Copies a file; folders are not made: on a phone they would belong to the system."""
        import shutil

        goal = self.place(bundle, remote)
        if self.read()["push_fault"] is not None and goal.name != "job.json":
            raise Refused(self.read()["push_fault"])
        if not goal.parent.is_dir():
            raise Refused("no-such-file")
        shutil.copyfile(local, goal)

    def pull(self, bundle: str, remote: str, local: Path) -> None:
        """Copies a file from there."""
        import shutil

        source = self.place(bundle, remote)
        if not source.is_file():
            raise Refused("no-such-file")
        shutil.copyfile(source, local)

    def remove(self, bundle: str, remote: str) -> None:
        """Removes a file or folder."""
        import shutil

        goal = self.place(bundle, remote)
        if goal.is_dir():
            shutil.rmtree(goal)
        elif goal.is_file():
            goal.unlink()
        else:
            raise Refused("no-such-file")

    def register(self, package: Path, inputs_sha256: list[str], outputs: bytes, shape: list[int]) -> None:
        """Gives a model's outputs to the app: what Core ML's reference executor computed for these inputs."""
        folder = self.folder / "replays" / tree_key(package)
        folder.mkdir(exist_ok=True)
        (folder / "outputs.bin").write_bytes(outputs)
        replay = {
            "executed_by": "the Core ML reference executor",
            "inputs_sha256": inputs_sha256,
            "outputs": {"file": "outputs.bin", "shape": shape},
        }
        (folder / "replay.json").write_text(json.dumps(replay))

    def compile(self, package: Path, folder: Path) -> None:
        """What stands for `coremlcompiler`: another folder, which replays the same outputs."""
        import shutil

        compiled = folder / f"{package.stem}.mlmodelc"
        compiled.mkdir(parents=True)
        (compiled / "coremldata.bin").write_text(tree_key(package))
        known = self.folder / "replays" / tree_key(package)
        if known.is_dir():
            shutil.copytree(known, self.folder / "replays" / tree_key(compiled), dirs_exist_ok=True)

    def start(self, bundle: str, variables: dict[str, str], say: Callable[[str], object]) -> int | None:
        """Starts the app anew and passes its lines on; the signal that ended it, else None.

        Raises:
            Refused: it cannot be started, or the phone went away.
        """
        state = self.require(developer=True)
        app = self.app(bundle)
        if app is None:
            raise Refused("not-installed")
        if not state["developer_trusted"]:
            raise Refused("developer-untrusted")
        if variables.get("POCKETCLIP_BENCH") != "1":
            raise Refused("shows-screens")
        fault = self._due_fault(state)
        if fault == "disconnected":
            self.change(attached=False)
            raise Refused("disconnected")
        if fault in ("killed", "crashed"):
            say("loaded; warming up")
            return 9 if fault == "killed" else 11
        if fault == "hung":
            import time

            say("loaded; warming up")
            time.sleep(600)
        lines = self._run(app)
        for line in self._spoil(fault, lines):
            say(line)
        return None

    def _due_fault(self, state: dict[str, Any]) -> str | None:
        if state["run_fault"] is not None and state["run_fault_after"] > 0:
            self.change(run_fault_after=state["run_fault_after"] - 1)
            return None
        self.change(run_fault=None)
        return state["run_fault"]

    def _run(self, app: dict[str, Any]) -> list[str]:
        import subprocess

        self._place_replay()
        command = json.loads((self.folder / "command.json").read_text())
        ended = subprocess.run(
            [
                *command,
                *("--documents", str(self.documents)),
                *("--state", str(self.folder / "services.json")),
                *("--app-version", str(app["version"])),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            raise RuntimeError(f"the core failed: {ended.stderr}")
        return ended.stdout.splitlines()

    def _place_replay(self) -> None:
        """Puts outputs beside the model that the job names, as the replaying runtime wants them."""
        job = json.loads((self.documents / "job.json").read_text())
        if job.get("action") not in ("measure", "throughput"):
            return
        import shutil

        model = self.documents / job["model_path"]
        known = self.folder / "replays" / tree_key(model)
        if known.is_dir():
            shutil.copyfile(known / "replay.json", model.with_suffix(".replay.json"))
            shutil.copyfile(known / "outputs.bin", model.with_name("outputs.bin"))

    def _spoil(self, fault: str | None, lines: list[str]) -> list[str]:
        import hashlib
        import uuid

        result = self.documents / "result.json"
        if fault == "silent":
            return lines[:-1]
        if fault == "truncated":
            result.write_bytes(result.read_bytes()[:-20])
        elif fault == "altered":
            result.write_bytes(result.read_bytes().replace(b"0", b"1", 1))
        elif fault in ("older", "foreign"):
            answer = json.loads(result.read_text())
            answer |= {"result_version": 2, "app_version": "0.9"} if fault == "older" else {"job_id": str(uuid.uuid4())}
            content = json.dumps(answer).encode()
            result.write_bytes(content)
            return [*lines[:-1], f"{RESULT_LINE} {len(content)} {hashlib.sha256(content).hexdigest()}"]
        return lines

    def _write_json(self, name: str, content: Any) -> None:
        path = self.folder / f"{name}.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(content))
        partial.replace(path)


def tree_key(folder: Path) -> str:
    """A hash over a folder's files."""
    import hashlib

    whole = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"{path.relative_to(folder).as_posix()} {digest}\n".encode())
    return whole.hexdigest()


def _info(package: Path) -> bytes:
    import zipfile

    if package.is_dir():
        return (package / "Info.plist").read_bytes()
    with zipfile.ZipFile(package) as archive:
        name = next(each for each in archive.namelist() if each.endswith(".app/Info.plist"))
        return archive.read(name)
