"""The test iPhone: a folder, both programs that reach it on PATH, a table that names it, and an app's package.

`python -m tests.ios_app.test_phone FOLDER --artifact ...` makes one to try `bench --device test-iphone` on. What it may
measure must be named: its app replays the outputs that the reference executors gave at export, and times mean nothing.
Nothing runs in the background: remove the folder, and it is gone.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import plistlib
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pocketclip.benchmark.measuring.bundled_artifacts import measurable_artifacts
from pocketclip.export.artifact.feeding import image_input
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.precision import TargetName
from pocketclip.models.errors import PocketClipError
from pocketclip.models.pixels.preprocess import load_image, preprocess
from pocketclip.models.user_cache import user_cache
from tests.ios_app.stand_ins.phone_state import GOOD, SERVICES, VARIABLE, Phone
from tests.ios_app.swift_package import build_package
from tests.ios_app.toolchain import ensure_toolchain

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

    def teach_photos(self, artifact: Artifact, photos: Sequence[Path]) -> None:
        """Lets the app replay an embedding for each photograph as Python prepares it, and for no other pixels."""
        spec = artifact.manifest.preprocess
        assert spec is not None, "photographs are for image towers"
        inputs = [
            image_input(preprocess(load_image(photo), spec)[None], artifact.manifest.inputs[0]) for photo in photos
        ]
        hashes = [hashlib.sha256(each.tobytes()).hexdigest() for each in inputs]
        rows = np.ones((len(inputs), artifact.manifest.model.embedding_dim), "<f4")
        package = artifact.folder / artifact.manifest.entry_point
        self.phone.register(package, hashes, rows.tobytes(), list(rows.shape))

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


def main(arguments: list[str] | None = None) -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m tests.ios_app.test_phone", description="Makes a test iPhone.")
    parser.add_argument("folder", type=Path, help="where the phone is made; it must not exist")
    parser.add_argument("--artifact", type=Path, action="append", required=True, help="as bench takes it; repeatable")
    parser.add_argument("--way", choices=WAYS, default="pymobiledevice3", help="the program that reaches it")
    chosen = parser.parse_args(arguments)
    if chosen.folder.exists():
        print(f"error: {chosen.folder} exists; choose another folder, or remove it", file=sys.stderr)
        return 2
    try:
        _start(TestIPhone(chosen.folder.absolute(), chosen.way), chosen.artifact)
    except PocketClipError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _start(iphone: TestIPhone, paths: list[Path]) -> None:
    cache = user_cache()
    with measurable_artifacts(paths) as artifacts:
        runnable = [each for each in artifacts if each.manifest.target in (TargetName.COREML, TargetName.COREAI)]
        if not runnable:
            raise PocketClipError(
                "iPhones run only Core ML and Core AI, and none of these artefacts is for one; export --target coreml"
            )
        build = build_package(ensure_toolchain(lambda words: print(words, file=sys.stderr), cache), cache, cache)
        iphone.root.mkdir(parents=True)
        iphone.make(build.headless_command())
        for artifact in runnable:
            iphone.teach(artifact)
    for name in (VARIABLE, "POCKETCLIP_IOS_APP"):
        print(f"export {name}={shlex.quote(iphone.environment[name])}")
    print(f'export PATH={shlex.quote(str(iphone.programs))}:"$PATH"')
    named = " ".join(f"--artifact {shlex.quote(str(path))}" for path in paths)
    print(f"pocketclip bench --device test-iphone --devices {shlex.quote(str(iphone.table))} {named}")


if __name__ == "__main__":
    sys.exit(main())
