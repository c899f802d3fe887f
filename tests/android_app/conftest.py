"""The Kotlin sources, built and tested by Maven on a nano bundle that this session exported."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from pocketclip.benchmark.arm64.rooted_phone import ADDRESS
from pocketclip.benchmark.devices.android_app_device import AndroidAppDevice
from pocketclip.benchmark.devices.table import DeviceEntry, load_table
from pocketclip.benchmark.errors import EmulatorError
from pocketclip.benchmark.measuring.plan import BenchmarkPlan, SilentWatch, run_plan
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, RunSettings
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.precision import Precision, TargetName, Tower
from tests.android_app.test_phone.apk import write_apk
from tests.android_app.test_phone.bench_core import ensure_core
from tests.android_app.test_phone.phone import TestPhone, device_table, running_phone
from tests.android_app.test_phone.root import ensure_root
from tests.hostile.bundles import write_cases

from .expected import write_fixtures
from .maven_build import Build, build, require_maven

if TYPE_CHECKING:
    from pocketclip.export.job import ExportResult

CACHE = Path(os.environ["POCKETCLIP_USER_CACHE"])
QUICK = RunSettings(iterations=3, launches=1)


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of pytest-xdist share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def onnx_artifacts(request: pytest.FixtureRequest) -> dict[Tower, Path]:
    """Both towers of pocketclip_nano for ONNX Runtime in fp32."""
    require_maven()
    exports: dict[tuple[str, str, str], ExportResult] = request.getfixturevalue("nano_exports")
    return {tower: Path(exports[TargetName.ONNX, Precision.FP32, tower].folder) for tower in Tower}


@pytest.fixture(scope="session")
def fixtures(onnx_artifacts: dict[Tower, Path], session_folder: Path) -> Path:
    """The bundle and what Python makes of it; the Kotlin tests leave what they found beside it."""
    folder = session_folder / "android-fixtures"
    with FileLock(session_folder / "android-fixtures.lock"):
        if not (folder / "rankings.json").is_file():
            folder.mkdir(exist_ok=True)
            write_cases(folder / "hostile")
            write_fixtures(onnx_artifacts[Tower.IMAGE], onnx_artifacts[Tower.TEXT], folder)
    return folder


@pytest.fixture(scope="session")
def proof(fixtures: Path, session_folder: Path) -> Build:
    """All Kotlin tests, run; takes about a minute, once for a session."""
    return build(session_folder, "verify", f"-Dpocketclip.fixtures={fixtures}")


@pytest.fixture(scope="module")
def core() -> Path:
    """The app's bench core for the JVM; kept by a hash of its sources."""
    try:
        return ensure_core(cache=CACHE)
    except EmulatorError as error:
        if "needs Maven" in str(error):
            pytest.skip(str(error))
        raise


@pytest.fixture(scope="module")
def started(core: Path) -> Iterator[TestPhone]:
    """The test phone, running; its state folder has a short name, for its socket's sake."""
    try:
        root = ensure_root(cache=CACHE)
        with running_phone(root, Path(os.environ["POCKETCLIP_CACHE"]) / "test-phone") as phone:
            yield phone
    except EmulatorError as error:
        pytest.skip(f"no test phone can be had here: {error}")


@pytest.fixture
def phone(started: TestPhone) -> TestPhone:
    """The test phone in good order."""
    started.start()
    started.reset()
    return started


@pytest.fixture(scope="module")
def apk(core: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app."""
    return write_apk(tmp_path_factory.mktemp("apk") / "bench.apk", core)


def entry_of(phone: TestPhone) -> DeviceEntry:
    table = phone.state / "devices.toml"
    table.write_text(device_table(phone))
    return load_table(table)["test-phone"]


Measure = Callable[..., list[BenchmarkRecord]]


@pytest.fixture
def said() -> list[str]:
    """What the user is told."""
    return []


@pytest.fixture
def measure(phone: TestPhone, apk: Path, said: list[str]) -> Measure:
    """Runs a plan on the phone through the app."""

    def run(
        *artifacts: Artifact,
        settings: RunSettings = QUICK,
        app: Path = apk,
        timeout: float = 60,
        reconnect_seconds: float = 20,
        append: Callable[[BenchmarkRecord], object] = lambda record: None,
    ) -> list[BenchmarkRecord]:
        device = AndroidAppDevice(
            entry_of(phone),
            phone.transport("test-phone"),
            ADDRESS,
            say=said.append,
            app=app,
            reconnect_seconds=reconnect_seconds,
        )
        device.check()
        plan = BenchmarkPlan(artifacts, (device.settings(settings),), timeout, cooldown_seconds=0)
        return run_plan(plan, device, append=append, watch=SilentWatch())

    return run
