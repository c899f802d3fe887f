"""The test iPhone: a folder, both programs that reach it on PATH, a table that names it, and an app's package."""

from __future__ import annotations

import hashlib
import os
import plistlib
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.artifact import Artifact
from tests.ios_app.stand_ins.phone_state import GOOD, SERVICES, VARIABLE, Phone

STAND_INS = Path(__file__).parent / "stand_ins"
BUNDLE = "org.pocketclip.PocketCLIP"
WAYS = ("devicectl", "pymobiledevice3")


@dataclass(frozen=True)
class TestIPhone:
    """A phone for one test, reached by one of the programs."""

    __test__ = False

    root: Path
    way: str

    @property
    def phone(self) -> Phone:
        """Its state."""
        return Phone(self.root / "phone")

    @property
    def table(self) -> Path:
        """The table of devices that names it `test-iphone`."""
        return self.root / "devices.toml"

    @property
    def package(self) -> Path:
        """The app's package."""
        return self.root / "PocketCLIP.app"

    @property
    def programs(self) -> Path:
        """The folder for PATH."""
        return self.root / "bin"

    @property
    def environment(self) -> dict[str, str]:
        """Variables for programs that are to reach it."""
        own = {VARIABLE: str(self.phone.folder), "POCKETCLIP_IOS_APP": str(self.package)}
        return os.environ | own | {"PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}"}

    def make(self, command: list[str]) -> None:
        """Makes it, in good order; `command` starts the headless core."""
        self.phone.make(command)
        self.programs.mkdir()
        for name in ("xcrun", "pymobiledevice3"):
            script = self.programs / name
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -E -s -S "{STAND_INS / name}.py" "$@"\n')
            script.chmod(0o755)
        self.table.write_text(
            "[test-iphone]\n"
            'title = "test iPhone"\ntransport = "ios"\nemulated = true\n'
            f'way = "{self.way}"\nmatch = {{ products = ["{GOOD["product"]}"] }}\n'
        )
        self.make_package("1")

    def make_package(self, version: str) -> None:
        """Another build of the app; signed, as far as anyone but a phone can tell."""
        (self.package / "_CodeSignature").mkdir(parents=True, exist_ok=True)
        (self.package / "_CodeSignature" / "CodeResources").write_text("files")
        info = {"CFBundleIdentifier": BUNDLE, "CFBundleVersion": version}
        (self.package / "Info.plist").write_bytes(plistlib.dumps(info))

    def teach(self, artifact: Artifact, outputs: np.ndarray | None = None) -> None:
        """Lets the app replay an artefact's outputs, by default those that our reference executor gave at export."""
        golden = artifact.manifest.golden
        rows = artifact.golden(golden.outputs) if outputs is None else outputs
        rows = rows.reshape(len(rows), -1).astype("<f4")
        inputs = artifact.golden(golden.inputs)
        stored = np.dtype(golden.inputs.dtype).newbyteorder("<")
        hashes = [hashlib.sha256(row.astype(stored).tobytes()).hexdigest() for row in inputs]
        package = artifact.folder / artifact.manifest.entry_point
        self.phone.register(package, hashes, rows.tobytes(), list(rows.shape))

    def reset(self) -> None:
        """In good order again; the app stays as it is."""
        self.phone.write(GOOD | {"app": self.phone.read()["app"]})
        self.phone.set_services(**SERVICES)

    def left(self) -> list[str]:
        """What is in the app's Documents."""
        folder = self.phone.documents
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
