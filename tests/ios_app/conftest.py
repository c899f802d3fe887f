"""The Swift package, built once for all tests of a session, and what its programs are given."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from benchmark.errors import EmulatorError
from tests.ios_app.toolchain import PINS, Toolchain, ensure_toolchain

REPOSITORY = Path(__file__).parents[2]
IOS_APP = REPOSITORY / "ios_app"
STUBS = Path(__file__).parent / "stubs"

# Where the folders are in the toolchain's root.
IN_REPOSITORY = "/work/repository"
IN_BUILD = "/work/build"
IN_SHARED = "/work/shared"

# Debian's libswiftObservation refers to a function that no library has and nothing calls.
FLAGS = (
    "-c",
    "release",
    "--scratch-path",
    IN_BUILD,
    "-Xswiftc",
    "-enable-testing",
    "-Xlinker",
    "--allow-shlib-undefined",
)
PROGRAM = "pocketclip-bench"
TESTS = "PocketClipPackageTests.xctest"


@dataclass(frozen=True)
class SwiftBuild:
    """The package as it was built: `scratch` is the build folder, `shared` what the session's tests have in common."""

    toolchain: Toolchain
    scratch: Path
    shared: Path

    def run(
        self,
        command: Sequence[str],
        *,
        mounts: Mapping[Path, str] | None = None,
        folder: str = f"{IN_REPOSITORY}/ios_app",
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program in the toolchain's root, with repository, build and shared folder in it."""
        own = {REPOSITORY: IN_REPOSITORY, self.scratch: IN_BUILD, self.shared: IN_SHARED}
        return self.toolchain.run(
            command, mounts={**own, **(mounts or {})}, folder=folder, environment=environment, timeout=500
        )

    def bench(self, *arguments: str, mounts: Mapping[Path, str]) -> subprocess.CompletedProcess[str]:
        """Runs the headless program."""
        return self.run([f"{IN_SHARED}/{PROGRAM}", *arguments], mounts=mounts, folder="/work")


@pytest.fixture(scope="session")
def swift_build(tmp_path_factory: pytest.TempPathFactory) -> SwiftBuild:
    """The package with its tests, built from the sources as they are now.

    SwiftPM's build folder stays in the user's cache: it knows itself what has changed.
    """
    cache = Path(os.environ["POCKETCLIP_USER_CACHE"])
    try:
        toolchain = ensure_toolchain(print, cache)
    except EmulatorError as error:
        pytest.skip(str(error))
    base = tmp_path_factory.getbasetemp()
    session = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    shared = session / f"swift-{_sources_sha256()}"
    build = SwiftBuild(toolchain, cache / f"swift-build-{PINS.key}", shared)
    with FileLock(cache / f".swift-build-{PINS.key}.lock"):
        if not (shared / PROGRAM).is_file():
            shared.mkdir(exist_ok=True)
            build.scratch.mkdir(exist_ok=True)
            built = build.run(["swift", "build", *FLAGS, "--build-tests"])
            assert built.returncode == 0, built.stdout[-6000:] + built.stderr[-2000:]
            # Another checkout may build here once the lock is free.
            (shared / "modules").mkdir(exist_ok=True)
            for module in ("PocketClipCore", "PocketClipScreens"):
                shutil.copy2(build.scratch / f"release/Modules/{module}.swiftmodule", shared / "modules")
            for name in (TESTS, PROGRAM):
                shutil.copy2(build.scratch / "release" / name, shared)
    return build


def _sources_sha256() -> str:
    digest = hashlib.sha256()
    for path in sorted([IOS_APP / "Package.swift", *IOS_APP.rglob("*.swift")]):
        digest.update(f"{path.relative_to(IOS_APP)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def write_replay(path: Path, inputs: Sequence[bytes], outputs: bytes, values: int, executed_by: str) -> None:
    """Writes what `ReplayRuntime` reads: outputs of `values` float32 each, by the hashes of their inputs."""
    stored = path.with_name(path.name.removesuffix(".replay.json") + ".outputs.bin")
    stored.write_bytes(outputs)
    path.write_text(
        json.dumps(
            {
                "executed_by": executed_by,
                "inputs_sha256": [hashlib.sha256(each).hexdigest() for each in inputs],
                "outputs": {"file": stored.name, "shape": [len(inputs), values]},
            }
        )
    )
