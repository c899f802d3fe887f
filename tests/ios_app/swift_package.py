"""The Swift package as it is built on Linux: its programs and tests, in the toolchain's root."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from tests.ios_app.toolchain import PINS, Toolchain, ToolchainError

REPOSITORY = Path(__file__).parents[2]
IOS_APP = REPOSITORY / "ios_app"
STUBS = Path(__file__).parent / "stubs"

# Where the folders are in the toolchain's root.
IN_REPOSITORY = "/mnt/repository"
IN_BUILD = "/mnt/build"
IN_SHARED = "/mnt/shared"

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
        return self.run([f"{IN_SHARED}/{PROGRAM}", *arguments], mounts=mounts, folder="/mnt")

    def headless_command(self) -> list[str]:
        """What starts the headless program outside of the root that it was built in."""
        root = self.toolchain.root
        libraries = ("usr/lib/x86_64-linux-gnu", "usr/libexec/swift/lib/swift/linux")
        paths = ":".join(str(root / each) for each in libraries)
        return [str(root / "lib64/ld-linux-x86-64.so.2"), "--library-path", paths, str(self.shared / PROGRAM)]


def build_package(toolchain: Toolchain, cache: Path, products: Path) -> SwiftBuild:
    """Builds the package with its tests from the sources as they are now, where that was not done before.

    Args:
        toolchain: what builds.
        cache: SwiftPM's build folder stays there: it knows itself what has changed.
        products: a folder below which programs and modules are kept, by the sources' hash.

    Raises:
        ToolchainError: it does not build; the compiler's words are in the message.
    """
    shared = products / f"swift-{_sources_sha256()}"
    # Its module cache belongs to the path that it was built at.
    scratch = cache / f"swift-build-{PINS.key}{IN_BUILD.replace('/', '-')}"
    build = SwiftBuild(toolchain, scratch, shared)
    with FileLock(scratch.with_name(f".{scratch.name}.lock")):
        if not (shared / PROGRAM).is_file():
            shared.mkdir(parents=True, exist_ok=True)
            scratch.mkdir(exist_ok=True)
            built = build.run(["swift", "build", *FLAGS, "--build-tests"])
            if built.returncode:
                raise ToolchainError(f"swift build fails: {built.stdout[-6000:]}{built.stderr[-2000:]}")
            # Another checkout may build here once the lock is free.
            (shared / "modules").mkdir(exist_ok=True)
            for module in ("PocketClipCore", "PocketClipScreens"):
                shutil.copy2(scratch / f"release/Modules/{module}.swiftmodule", shared / "modules")
            for name in (TESTS, PROGRAM):
                shutil.copy2(scratch / "release" / name, shared)
    return build


def _sources_sha256() -> str:
    digest = hashlib.sha256()
    for path in sorted([IOS_APP / "Package.swift", *IOS_APP.rglob("*.swift")]):
        digest.update(f"{path.relative_to(IOS_APP)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
