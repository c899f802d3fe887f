"""AI Hub as a folder of state: the worker's process runs, with a stand-in for the package it talks through.

And Google's services over HTTP, with Firebase Test Lab's phone.
"""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pocketclip.export.artifact.reading import Artifact
from tests.benchmark.farms.phone_stand_in import PhoneStandIn

if TYPE_CHECKING:
    from tests.benchmark.farms.google_stand_in import GoogleStandIn

TOKEN = "tok3n-of-nobody-0123456789"
S24 = ["Samsung Galaxy S24", "14", ["framework:onnx", "framework:tflite", "chipset:qualcomm-snapdragon-8gen3"]]


def profile(**changes: Any) -> dict[str, Any]:
    """A profile as `download_profile` gives it, of version 1.2 of the service's message."""
    summary = {
        "estimated_inference_time": 1200,
        "estimated_inference_peak_memory": 30_000_000,
        "first_load_time": 250_000,
        "first_load_peak_memory": 40_000_000,
        "warm_load_time": 90_000,
        "warm_load_peak_memory": 35_000_000,
        "compile_time": 0,
        "compile_peak_memory": 0,
        "inference_memory_increase_range": [0, 1_000_000],
        "inference_memory_peak_range": [20_000_000, 30_000_000],
        "all_compile_times": [],
        "all_first_load_times": [250_000],
        "all_warm_load_times": [90_000],
        "all_inference_times": [1300, 1200, 1250, 1280],
    }
    layers = [
        {"name": "/MatMul", "type": "MatMul", "compute_unit": "NPU", "execution_time": 900, "execution_cycles": 5000},
        {"name": "/Where", "type": "Where", "compute_unit": "CPU", "execution_time": 300},
    ]
    return {"execution_summary": {**summary, **changes}, "execution_detail": layers}


class HubStandIn:
    """What the service answers, and what was submitted to it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.state: dict[str, Any] = {
            "token": TOKEN,
            "devices": [S24, ["Samsung Galaxy S24", "15", S24[2]], ["Samsung Galaxy S24 Ultra", "14", S24[2]]],
            "states": [["CREATED", None], ["MEASURING_PERFORMANCE", None], ["SUCCESS", None]],
            "profile": profile(),
            "outputs": {},
            "errors": {},
        }
        self.write()

    def write(self, **changes: Any) -> None:
        """Changes what the service answers."""
        file = self._folder / "state.json"
        if file.exists():
            self.state = json.loads(file.read_text())
        self.state |= changes
        file.write_text(json.dumps(self.state))

    def answer_with(self, artifact: Artifact, change: Callable[[Any], Any] = lambda values: values) -> None:
        """The device computes what PyTorch does, or a change of it."""
        values = change(artifact.golden(artifact.manifest.golden.reference))
        self.write(outputs={"embedding": [values.dtype.name, [[row] for row in values.tolist()]]})

    @property
    def jobs(self) -> list[dict[str, Any]]:
        file = self._folder / "jobs.json"
        return json.loads(file.read_text()) if file.exists() else []


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited, without waiting; the moments in which processes are looked after are waited."""
    waited: list[float] = []
    really = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: waited.append(seconds) if seconds >= 1 else really(seconds))
    return waited


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubStandIn:
    """AI Hub, with a cache of this test's own."""
    package = tmp_path / "package"
    (package / "qai_hub").mkdir(parents=True)
    shutil.copyfile(Path(__file__).with_name("qai_hub_stand_in.py"), package / "qai_hub" / "__init__.py")
    service = tmp_path / "service"
    service.mkdir()
    monkeypatch.setenv("POCKETCLIP_QAI_HUB", str(package))
    monkeypatch.setenv("POCKETCLIP_STAND_IN", str(service))
    monkeypatch.setenv("POCKETCLIP_CACHE", str(tmp_path / "cache"))
    return HubStandIn(service)


@pytest.fixture(scope="session")
def google_key() -> str:
    """A service account's private key."""
    from tests.benchmark.farms.google_stand_in import private_key

    return private_key()


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, google_key: str) -> Iterator[GoogleStandIn]:
    """Google's services, with credentials and a cache of this test's own; `bench_farm` reaches them like Google's."""
    from pocketclip.benchmark.farms import table
    from pocketclip.benchmark.farms.firebase import Firebase
    from pocketclip.benchmark.farms.google_client import Addresses, GoogleClient, default_session
    from tests.benchmark.farms.google_stand_in import GoogleStandIn, served, write_account

    monkeypatch.setenv("POCKETCLIP_CACHE", str(tmp_path / "cache"))
    for name in ("POCKETCLIP_FIREBASE_BUCKET", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    apk = tmp_path / "bench.apk"
    with zipfile.ZipFile(apk, "w") as archive:
        archive.writestr("AndroidManifest.xml", b"\x03\x00")
        archive.writestr("lib/arm64-v8a/libx.so", b"x")
    monkeypatch.setenv("POCKETCLIP_ANDROID_APK", str(apk))
    service = GoogleStandIn()

    def opened(place: Any) -> Firebase:
        session, project = default_session()
        at = Addresses(service.address, service.address, service.address)
        return Firebase(place.where, GoogleClient(session, project or "", at))

    with served(service):
        account = tmp_path / "secrets" / "account.json"
        account.parent.mkdir()
        write_account(account, service.address, google_key)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
        monkeypatch.setattr(table, "open_farm", opened)
        yield service


@pytest.fixture
def lab_phone(
    google: GoogleStandIn, build_artifact: Callable[..., Artifact], make: Any, tmp_path: Path
) -> PhoneStandIn:
    """Test Lab's phone, whose app measures the artefact `image`."""
    found = PhoneStandIn(tmp_path / "phone", build_artifact(), make.launch(3.0))
    google.phone = found.loop
    return found


@pytest.fixture
def lab_artifact(lab_phone: PhoneStandIn, tmp_path: Path) -> Path:
    """What that phone measures."""
    return tmp_path / "artifacts" / "image"
