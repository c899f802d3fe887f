"""What a farm's phone carries out by itself: Python's package, Kotlin's loop with real inference, Python's records."""

from __future__ import annotations

import json
import subprocess
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pocketclip.benchmark.farms.farm import FarmName, Submitted
from pocketclip.benchmark.farms.phone_farm import PhoneWork, Planned, measured_records
from pocketclip.benchmark.farms.phone_loop import PACKAGE_NAME, loop_files
from pocketclip.benchmark.farms.phone_results import PhoneFiles
from pocketclip.benchmark.phone_app.apk import Apk
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, DeviceKind, RunSettings, Status
from pocketclip.export.precision import Tower
from tests.export.bundle.tiny_artifacts import build_artifact

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
TOKEN = "pocketclip-00000000-0000-4000-8000-000000000001"
_STATE = {"battery_percent": 80, "charging": True, "power_saver": False, "thermal_status": 0, "debuggable": False}


@dataclass(frozen=True)
class Loop:
    """The bench core for the JVM, with the folders of a phone."""

    core: Path
    folder: Path

    @property
    def external(self) -> Path:
        return self.folder / "external"

    def run(self) -> PhoneFiles:
        """Carries out the package that lies in the shared folder, as the app does."""
        (self.folder / "state.json").write_text(json.dumps(_STATE))
        results = self.folder / "results.zip"
        command = ["java", f"-Donnxruntime.native.path={self.core}/lib/x86_64", "-cp", f"{self.core}/classes/*"]
        command += ["org.pocketclip.bench.cli.MainKt", "--external", str(self.external)]
        command += ["--internal", str(self.folder / "internal"), "--state", str(self.folder / "state.json")]
        subprocess.run([*command, "loop", str(results)], check=True, timeout=240)
        return PhoneFiles.from_zip(results, "a JVM")


@pytest.fixture
def loop(core: Path, tmp_path: Path) -> Loop:
    for name in ("external", "internal"):
        (tmp_path / name).mkdir()
    return Loop(core, tmp_path)


@pytest.fixture
def work(tmp_path: Path) -> PhoneWork:
    """Two towers with two launches each."""
    app = tmp_path / "bench.apk"
    app.write_bytes(b"an app")
    artifacts = tuple(build_artifact(tmp_path / "artifacts", tower) for tower in Tower)
    planned = Planned(artifacts, (RunSettings(iterations=3, launches=2),), 5, 60.0, rest_seconds=0, tag=None)
    return PhoneWork("0" * 64, "two towers", FarmName.FIREBASE, "oriole", None, planned, Apk(app))


def put(loop: Loop, work: PhoneWork) -> None:
    """As Test Lab puts the package on its phone."""
    package = work.package(TOKEN)
    files = loop_files(package, limit_seconds=work.planned.limit_seconds, rest_seconds=work.planned.rest_seconds)
    package.write(loop.external / PACKAGE_NAME, files)


def read(work: PhoneWork, files: PhoneFiles) -> list[BenchmarkRecord]:
    return measured_records(work, Submitted(TOKEN, "2026-03-01T14:00:00+00:00", "matrix-1"), "oriole", files)


def test_a_package_becomes_records(loop: Loop, work: PhoneWork) -> None:
    put(loop, work)
    records = read(work, loop.run())
    assert {each.artifact.tower for each in records} == set(Tower) and len(records) == 2
    for record in records:
        assert record.status is Status.MEASURED and record.reason is None and len(record.launches) == 2
        assert all(len(each.steady_ns) >= 3 for each in record.launches)
        assert record.golden_check is not None and record.golden_check.cosine_min > 0.9999
        assert (record.device.name, record.device.kind) == ("firebase:oriole", DeviceKind.FARM)
        assert record.device.os == "OpenJDK"
    # Nothing of ours stays in the shared folder, but the package itself and the app's facts.
    assert {each.name for each in loop.external.iterdir()} == {PACKAGE_NAME, "facts"}


def test_launches_that_fail(loop: Loop, work: PhoneWork) -> None:
    """The app's own reasons come home."""
    settings = (RunSettings(iterations=3, launches=1, accelerator="nnapi"),)
    wanted = replace(work, planned=replace(work.planned, settings=settings))
    put(loop, wanted)
    for record in read(wanted, loop.run()):
        assert record.status is Status.FAILED
        assert record.reason is not None and record.reason.startswith("accelerator-missing")


@pytest.mark.parametrize("damage", ["none", "truncated", "an entry of others", "altered"])
def test_a_package_that_is_damaged(loop: Loop, work: PhoneWork, damage: str) -> None:
    package = loop.external / PACKAGE_NAME
    put(loop, work)
    if damage == "none":
        package.unlink()
    elif damage == "truncated":
        package.write_bytes(package.read_bytes()[:-200])
    elif damage == "an entry of others":
        with zipfile.ZipFile(package, "a") as archive:
            archive.writestr("../evil.txt", "x")
    else:
        content = bytearray(package.read_bytes())
        content[len(content) // 2] ^= 1
        package.write_bytes(content)
    files = loop.run()
    for record in read(work, files):
        assert record.status is Status.FAILED and record.reason is not None
        assert record.reason.startswith("result-missing: ")
        assert "the package pocketclip-loop.zip" in record.reason
    assert not (loop.folder / "evil.txt").exists()
