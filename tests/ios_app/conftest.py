"""The Swift package, built once for all tests of a session, what its programs are given, and test iPhones."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from benchmark.errors import EmulatorError
from export.artifact import Artifact
from export.precision import Precision, TargetName, Tower
from tests.export.bundle.tiny_artifacts import build_artifact
from tests.ios_app.test_phone import WAYS, TestIPhone
from tests.ios_app.toolchain import PINS, Toolchain, ensure_toolchain

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

MakePhone = Callable[[str], TestIPhone]


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
    # Its module cache belongs to the path that it was built at.
    scratch = cache / f"swift-build-{PINS.key}{IN_BUILD.replace('/', '-')}"
    build = SwiftBuild(toolchain, scratch, shared)
    with FileLock(scratch.with_name(f".{scratch.name}.lock")):
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


@pytest.fixture(scope="session")
def core(swift_build: SwiftBuild) -> list[str]:
    """The command that starts the headless program outside of the root that it was built in."""
    root = swift_build.toolchain.root
    libraries = ("usr/lib/x86_64-linux-gnu", "usr/libexec/swift/lib/swift/linux")
    paths = ":".join(str(root / each) for each in libraries)
    return [str(root / "lib64/ld-linux-x86-64.so.2"), "--library-path", paths, str(swift_build.shared / PROGRAM)]


@pytest.fixture
def make_phone(core: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakePhone:
    """Makes a test iPhone that this process and those that it starts reach by the program of that name."""

    def make(way: str) -> TestIPhone:
        phone = TestIPhone(tmp_path / f"iphone-{way}", way)
        phone.root.mkdir()
        phone.make(core)
        for name, value in phone.environment.items():
            monkeypatch.setenv(name, value)
        return phone

    return make


@pytest.fixture(params=WAYS)
def iphone(request: pytest.FixtureRequest, make_phone: MakePhone) -> TestIPhone:
    """A test iPhone in good order, by each of the programs in turn."""
    return make_phone(request.param)


@pytest.fixture(scope="module", params=WAYS)
def kept_iphone(
    request: pytest.FixtureRequest, core: list[str], tmp_path_factory: pytest.TempPathFactory
) -> TestIPhone:
    """The same for all tests of a module, so that the app is installed once: see `used_iphone`."""
    phone = TestIPhone(tmp_path_factory.mktemp("iphone") / "phone", request.param)
    phone.root.mkdir()
    phone.make(core)
    return phone


@pytest.fixture
def used_iphone(kept_iphone: TestIPhone, monkeypatch: pytest.MonkeyPatch) -> TestIPhone:
    """A test iPhone in good order, which other tests may have used and put the app on."""
    for name, value in kept_iphone.environment.items():
        monkeypatch.setenv(name, value)
    kept_iphone.reset()
    return kept_iphone


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A small Core ML artefact; nothing may write to it."""
    return build_artifact(tmp_path_factory.mktemp("tiny"), Tower.IMAGE, TargetName.COREML, Precision.FP16)
