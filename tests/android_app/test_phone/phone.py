"""The test phone: started behind a real adbd, its state read and altered from outside."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psutil

from pocketclip.benchmark.arm64.root import check_host
from pocketclip.benchmark.arm64.rooted_phone import ADBD, ADDRESS, RootedPhone
from pocketclip.benchmark.errors import EmulatorError
from pocketclip.models import atomic
from tests.android_app.test_phone.root import PROGRAMS_FOLDER

PROGRAMS = Path(__file__).parent / "programs"
ROOM_MEGABYTES = 640

# What a phone in good order says of itself.
SERVICES: Mapping[str, Any] = {
    "battery_percent": 88,
    "charging": True,
    "power_saver": False,
    "thermal_status": 0,
    "thermal_headroom": 0.4,
    "temperature_celsius": 38.5,
    "debuggable": False,
    # What the stand-in for an NPU says has executed a model, and the version of its libraries.
    "npu": None,
    "qnn": None,
}
PHONE: Mapping[str, Any] = {
    "properties": {
        "ro.boot.qemu": "1",
        "ro.build.version.release": "14",
        "ro.build.version.sdk": "34",
        "ro.product.cpu.abilist": "x86_64,arm64-v8a",
        "ro.product.model": "Test Phone",
        "ro.serialno": "TESTPHONE0001",
        "ro.soc.model": "this computer",
    },
    "settings": {"stay_on_while_plugged_in": "0"},
    "packages": {},
    "screen_on": False,
    "keyguard": "swipe",
    "fixed_performance": False,
    "fixed_performance_supported": True,
    "install_fault": None,
    "answer_faults": [],
    "exits": [],
    "pid": None,
}


def java_home() -> Path | None:
    """The folder of this machine's Java 17 or later; None where there is none."""
    found = shutil.which("java")
    return None if found is None else Path(found).resolve().parents[1]


@dataclass(frozen=True)
class TestPhone(RootedPhone):
    """A test phone with so much room for apps and files (one file system, as on a phone)."""

    __test__ = False

    room_megabytes: int = ROOM_MEGABYTES

    LABEL: ClassVar[str] = "the test phone"
    CREATE: ClassVar[str] = "make it with `python -m tests.android_app.test_phone start`"
    SEARCH: ClassVar[str] = "/system/bin:/usr/bin:/bin"

    def check_host(self) -> None:
        """Whether this machine can run it; raises `EmulatorError` where not."""
        check_host()
        if java_home() is None:
            raise EmulatorError("the test phone needs Java 17; on Debian: apt-get install openjdk-17-jre-headless")

    def mounts(self) -> str:
        """Room for data, the state, the programs, and this machine's Java."""
        home = java_home()
        assert home is not None  # check_host has seen it
        root, inside = self.root, shlex.quote(str(self.root))
        lines = [
            f"mount -t tmpfs -o size={self.room_megabytes}m tmpfs {inside}/data",
            f"mount -t tmpfs tmpfs {inside}/tmp",
            f"mount -t proc proc {inside}/proc",
            f"mount --rbind /dev {inside}/dev",
            f"mkdir -p {inside}/data/local/tmp {inside}/data/media/0/Android/data {inside}/data/app {inside}/data/data",
        ]
        for source, goal in ((self.android, "/state"), (PROGRAMS, PROGRAMS_FOLDER), (home, "/jvm")):
            lines.append(f"mount --bind {shlex.quote(str(source))} {shlex.quote(str(root) + goal)}")
        # Debian's Java keeps its configuration there, by links.
        for folder in sorted(Path("/etc").glob("java-*-openjdk")):
            goal = shlex.quote(str(root) + str(folder))
            lines += [f"mkdir -p {goal}", f"mount --bind {folder} {goal}"]
        return "\n".join(lines)

    def start(self) -> None:
        """Starts it with the state of a phone in good order; nothing where it runs already."""
        if self.running() is None:
            self.android.mkdir(parents=True, exist_ok=True)
            self.reset()
        super().start()

    @property
    def android(self) -> Path:
        """The folder of its state."""
        return self.state / "android"

    def reset(self) -> None:
        """The state of a phone in good order, with the apps that are installed."""
        packages = self.read()["packages"] if self.running() is not None else {}
        self._write("services", SERVICES)
        self._write("phone", {**PHONE, "packages": packages})
        (self.android / "calls.log").write_text("")

    def read(self) -> dict[str, Any]:
        """What is neither battery nor temperature: settings, packages, faults to come."""
        return json.loads((self.android / "phone.json").read_text())

    def alter(self, **changes: Any) -> None:
        """Changes keys of `read`, e.g. `keyguard="secure"`."""
        self._write("phone", self._known(PHONE, self.read(), changes))

    def alter_services(self, **changes: Any) -> None:
        """Changes what services say, e.g. `thermal_status=3`; the app sees it at once."""
        told = json.loads((self.android / "services.json").read_text())
        self._write("services", self._known(SERVICES, told, changes))

    def alter_properties(self, **changes: str) -> None:
        """Changes properties, with `_` for the dot of their names' last part: `sdk="25"` is `ro.build.version.sdk`."""
        names = {name.rpartition(".")[2]: name for name in PHONE["properties"]}
        properties = self.read()["properties"] | {names[short]: value for short, value in changes.items()}
        self.alter(properties=properties)

    def calls(self) -> list[str]:
        """Every call of Android's programs since the last `reset`."""
        return (self.android / "calls.log").read_text().splitlines()

    def processes(self, words: str) -> list[psutil.Process]:
        """Its processes whose command line holds these words."""
        first = self.running()
        found: list[psutil.Process] = []
        for process in psutil.Process(first).children(recursive=True) if first is not None else ():
            with contextlib.suppress(psutil.Error):
                if words in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def app(self) -> list[psutil.Process]:
        """The app's processes."""
        return self.processes("org.pocketclip.bench.cli.MainKt")

    def kill_adbd(self) -> None:
        """Ends adbd, which init starts again a second later; what it had started goes on."""
        for process in self.processes(ADBD):
            with contextlib.suppress(psutil.Error):
                if process.cmdline()[0] == ADBD:
                    process.kill()

    @staticmethod
    def _known(whole: Mapping[str, Any], now: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        unknown = set(changes) - set(whole)
        assert not unknown, f"the test phone's state has no {unknown}"
        return {**now, **changes}

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        atomic.write_text(self.android / f"{name}.json", json.dumps(content, indent=2))


@contextlib.contextmanager
def running_phone(root: Path, state: Path, *, room_megabytes: int = ROOM_MEGABYTES) -> Iterator[TestPhone]:
    """A test phone that runs for the block."""
    phone = TestPhone(root, state, room_megabytes)
    try:
        phone.start()
        yield phone
    finally:
        phone.stop()


def device_table(phone: TestPhone) -> str:
    """A table of devices with the phone in it, for `--devices`."""
    return (
        "[test-phone]\n"
        'title = "test phone: adbd and the app\'s bench core on the JVM"\n'
        'transport = "adb"\n'
        f'match = {{ serial = "{ADDRESS}" }}\n'
        f'server = "{phone.server}"\n'
        'runner = "app"\n'
    )


def state_folder() -> Path:
    """Where the phone of a user's own is; names of sockets are short."""
    return Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp") / "pocketclip-test-phone"
